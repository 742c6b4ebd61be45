// What transports of this library say to each other over ZeroMQ (docs/wire/zmq.md): frames and
// heads, without I/O.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/zmq/old_wire.hpp"

namespace oslo::messaging::zmq {

/// The second frame of every message; Python's peers never get one.
inline constexpr std::string_view own_version = "oslo-cpp-1";

/// The third frame.
enum class verb : char {
  // From the client.
  hello = 'H',    ///< head: the client's id
  request = 'Q',  ///< id, head: request_head, body: an inner message of docs/wire/rpc.md
  ping = '?',     ///< id: comes back
  bye = 'E',      ///< either side: it closes; a client answers that of a server
  // From the server.
  welcome = 'W',   ///< head: greeting; the answer to a hello, and again whenever it has changed
  pong = '!',      ///< id: of the ping
  who = 'U',       ///< it does not know this client, which begins again with a hello
  taken = 'T',     ///< id: the request waits in the listener's queue
  settled = 'A',   ///< head: ids of requests that were acknowledged, separated by spaces
  busy = 'B',      ///< id, head: turn; the listener takes nothing more of this turn
  room = 'R',      ///< head: turn; it takes requests again
  returned = 'G',  ///< id, head: returned_head; another server may have it
  reply = 'P',     ///< id: of the request, body: a reply of docs/wire/rpc.md
};

struct own_message {
  verb what{};
  std::string_view id, head, body;
};

/// Reads "", version, verb, id, head, body. Fails with `errc::malformed_message`.
result<own_message> read_own_frames(frame_views in);
frames write_own_frames(verb what, std::string_view id = {}, std::string head = {},
                        std::string body = {});

/// One listener of a server.
struct subscription {
  enum class service : std::uint8_t { rpc, notification };
  std::uint32_t id = 0;  ///< names it in this server
  service of = service::rpc;
  std::string exchange, topic;
  std::string server;  ///< of RPC
  std::string pool;    ///< of notifications; empty: none
  bool operator==(const subscription&) const = default;
};

struct greeting {
  std::string server;  ///< new for each transport
  std::vector<subscription> all;
};
inline constexpr std::size_t most_subscriptions = 65'536;

std::string write_greeting(const greeting& g);
result<greeting> read_greeting(std::string_view head);

/// How a request goes to a listener.
struct request_head {
  std::uint32_t subscription = 0;
  std::uint32_t turn = 0;  ///< see `verb::busy`
  bool tell_taken = false;
  bool again = false;  ///< it may have been delivered before
  std::uint32_t requeues = 0;
  std::optional<std::chrono::milliseconds> left{};  ///< what is left of the sender's time
  std::vector<message_header> headers{};
  bool operator==(const request_head&) const = default;
};
inline constexpr std::size_t most_headers = 1'000;

std::string write_request_head(const request_head& h);
result<request_head> read_request_head(std::string_view head);

/// Which listener, and from which turn on it refuses or takes. Credit 0: without a limit.
struct turn_head {
  std::uint32_t subscription = 0, turn = 0, credit = 0;
  bool operator==(const turn_head&) const = default;
};
std::string write_turn(const turn_head& t);
result<turn_head> read_turn(std::string_view head);

/// Which listener gives a request back.
struct returned_head {
  std::uint32_t subscription = 0;
  std::uint32_t requeues = 0;
  bool again = false;  ///< somebody may have begun with it
  bool operator==(const returned_head&) const = default;
};
std::string write_returned(const returned_head& h);
result<returned_head> read_returned(std::string_view head);

/// A number as text; none for anything else.
std::optional<std::uint32_t> read_number(std::string_view text);

}  // namespace oslo::messaging::zmq
