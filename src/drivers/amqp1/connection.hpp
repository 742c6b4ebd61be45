// One AMQP 1.0 connection as a value: bytes and the time go in, events and bytes come out.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/function.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "drivers/amqp1/ending.hpp"

struct pn_connection_t;
struct pn_delivery_t;
struct pn_event_t;
struct pn_link_t;
struct pn_session_t;

namespace oslo::messaging::amqp1 {

struct connection_options {
  std::string container_id;
  std::string hostname{};                     ///< of Open; empty: not said
  std::chrono::milliseconds idle_timeout{0};  ///< silence after which the peer is dead; 0: never
  std::string mechanisms = "ANONYMOUS";       ///< that may be used for the login, between blanks
  std::string username{};
  std::string password{};
  std::vector<std::pair<std::string, std::string>> properties{};  ///< of Open
  std::int64_t process_id = 0;                                    ///< one more; 0: not said
  std::size_t max_message = std::size_t{128} << 20;  ///< bytes; a larger one is rejected
  /// Gets each frame after the login, as text; empty: nobody.
  std::function<void(std::string_view)> trace{};
};

/// What the broker says about itself when it opens the connection.
struct peer_description {
  std::string product{};  ///< empty: not said
  std::string version{};
  bool anonymous_relay = false;  ///< one link without an address sends to every address
};

using link_id = std::uint32_t;  ///< never the same again on one connection; 0: none
using delivery_id = std::uint64_t;

/// What the broker did with a message.
struct disposition {
  enum class outcome : std::uint8_t {
    accepted,
    rejected,
    released,
    modified,  ///< with `failed` or `undeliverable`; without both it counts as released
    unknown,   ///< settled without a word
  };
  outcome what = outcome::unknown;
  bool failed = false;         ///< it counts as an attempt to deliver it
  bool undeliverable = false;  ///< it must not be sent here again
  condition why{};             ///< of `rejected`
};

/// What becomes of a message that was taken.
enum class settlement : std::uint8_t {
  accept,
  reject,      ///< it cannot be read
  release,     ///< nobody has looked at it
  give_back,   ///< somebody has, and it is to be delivered again
  not_for_us,  ///< undeliverable here
};

/// Told in the order in which things happen. May call the connection.
class connection_events {
 public:
  virtual ~connection_events() = default;
  virtual void on_open(const peer_description& peer) = 0;
  /// The end; nothing comes after it.
  virtual void on_closed(const ending& why) = 0;
  /// `address`: of the node, which the broker has chosen for a dynamic one.
  virtual void on_link_open(link_id link, std::string_view address) = 0;
  /// The broker has ended or refused it; the id means nothing from now on, and what was not settled
  /// never will be.
  virtual void on_link_closed(link_id link, const condition& why) = 0;
  /// The end that this side has asked for is confirmed.
  virtual void on_link_gone(link_id) {}
  virtual void on_credit(link_id link) = 0;
  virtual void on_outcome(link_id link, delivery_id message, const disposition& v) = 0;
  /// `settled`: the broker has forgotten it already.
  virtual void on_delivery(link_id link, delivery_id message, std::string_view bytes,
                           bool settled) = 0;
};

/// A client's connection with one session. The peer is hostile: whatever it sends ends in an event.
///
/// Not thread safe; no clock and no socket.
class connection {
 public:
  using instant = std::chrono::steady_clock::time_point;

  connection(connection_options options, connection_events& user, instant now);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  // The transport below.
  void on_bytes(std::string_view bytes, instant now);
  void on_stream_end(std::string_view why, instant now);
  bool has_output();
  /// Replaces `out` by a piece of what is to be sent.
  void take_output(std::string& out);
  void on_tick(instant now);
  instant next_deadline() const noexcept { return deadline_; }

  // The user above.
  bool is_open() const noexcept { return open_ && !ended_; }
  /// With the handshake of AMQP; `on_closed` follows.
  void close();

  /// Links are ready after `on_link_open`. An empty address: the relay.
  link_id open_sender(const std::string& address);
  link_id open_receiver(const std::string& address, std::uint32_t credit);
  /// A node of the broker's own, which ends with the connection.
  link_id open_reply_receiver(std::uint32_t credit);
  /// Unsettled messages of a receiver go back to the broker. Nothing but `on_link_gone` is told.
  void close_link(link_id link);

  /// Messages that may be sent now.
  std::uint32_t credit(link_id link) const noexcept;
  /// Bytes that the broker takes at most; 0: no limit is known.
  std::uint64_t max_message(link_id link) const noexcept;
  /// Bytes of messages that have not become output.
  std::size_t backlog() const noexcept;
  /// Precondition: `credit(link) > 0`. `settled`: no outcome will come.
  delivery_id send(link_id link, std::string_view bytes, bool settled);

  void add_credit(link_id link, std::uint32_t messages);
  /// The broker is to send nothing more; what is on its way still comes.
  void revoke_credit(link_id link);
  /// Once; an id of a link that has ended does nothing.
  void settle(link_id link, delivery_id message, settlement what);

 private:
  struct link_state {
    pn_link_t* link = nullptr;
    bool closing = false;  ///< by this side
    bool open = false;     ///< told
    /// Of a receiver, given once it is open: Broker-J ends the session over credit for a link that
    /// it has refused.
    std::uint32_t credit = 0;
    std::string partial{};  ///< of a message that is arriving
    bool too_large = false;
    std::unordered_map<delivery_id, pn_delivery_t*> taken{};
  };
  struct engine;

  void drain_events();
  void handle(pn_event_t* e);
  void connection_opened();
  void link_opened(pn_link_t* l);
  void link_accepted(pn_link_t* l);
  void link_ended(pn_link_t* l);
  void delivery_changed(pn_delivery_t* d);
  void outcome_came(pn_delivery_t* d);
  void message_came(pn_delivery_t* d);
  void end(ending why);
  void tick(instant now);
  link_state* find(link_id id) noexcept;
  const link_state* find(link_id id) const noexcept;
  link_id add(pn_link_t* l);
  std::string link_name(const char* kind, const std::string& address);

  connection_options options_;
  connection_events& user_;
  std::unique_ptr<engine> engine_;
  std::map<link_id, link_state> links_;
  link_id last_link_ = 0;
  delivery_id last_delivery_ = 0;
  std::size_t before_open_ = 0;  ///< bytes of the broker
  instant deadline_ = instant::max();
  bool open_ = false;
  bool closing_ = false;
  bool ended_ = false;
  bool draining_ = false;
};

}  // namespace oslo::messaging::amqp1
