// One message on its way out, of whatever kind, from the request to send it until its end.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "drivers/rabbit/topology.hpp"
#include "protocol/call_tracker.hpp"

namespace oslo::messaging::rabbit {

class consumer_channel;
struct route;

/// A call, a cast, a notification or a reply. They differ only in the rules that are set here;
/// the publisher alone moves a send from stage to stage, and the engine alone ends it.
struct pending_send {
  using instant = std::chrono::steady_clock::time_point;

  enum class stage : std::uint8_t {
    waiting,    ///< not written: no link, blocked, or its window is full
    written,    ///< on the wire, not confirmed
    pausing,    ///< returned or refused by the broker; comes again after a pause
    confirmed,  ///< the broker has it; a call waits for its reply
    ended,      ///< nobody waits any more: never written again
  };

  // What is sent.
  destination to;
  std::string body;
  std::vector<message_header> headers{};
  bool mandatory = false;
  /// Set: the message tells the server what is left until then.
  std::optional<instant> expires{};
  std::chrono::milliseconds lifetime{0};  ///< the same as the caller asked for it

  // Rules.
  bool wants_reply = false;
  bool needs_reply_queue = false;  ///< not written before the reply queue exists
  /// Somebody waits for the confirm. That of others may come some 20 ms late; with many messages on
  /// the wire any may come 1 ms late.
  bool awaited = true;
  /// Passes over the hosts, and messages refused by the broker, after the first; -1: no limit.
  int retry = -1;
  /// How long after `begun` it comes again when no queue is bound, or when the broker refuses it.
  std::chrono::milliseconds patience_returned{0};
  std::chrono::milliseconds patience_refused{0};
  /// What the request of a reply came from: while that ends, nobody is waited for long.
  std::shared_ptr<const consumer_channel> from{};

  // Who waits.
  send_completion done;
  std::optional<protocol::call_id> id{};  ///< in the engine's list of pending sends
  instant begun{};
  std::string early_result{};  ///< of a peer of 2014, which sends result and end separately
  std::unique_ptr<std::stop_callback<unique_function<void()>>> on_cancel{};

  // The publisher's.
  stage at = stage::waiting;
  route* on = nullptr;    ///< of its destination, while it counts
  std::size_t cost = 0;   ///< what it takes of the bounds; 0: nothing (any more)
  bool queued = false;    ///< has a place in a queue, perhaps only until somebody looks
  bool admitted = false;  ///< takes part of the window of its route
  bool was_written = false;
  bool in_doubt = false;  ///< was written on a connection that was lost: the broker may have it
  bool suspect = false;   ///< was written on a channel that the broker closed over one message
  bool returned = false;
  std::uint16_t return_code = 0;
  int failed_passes = 0;
  int refusals = 0;
  std::uint8_t strikes = 0;  ///< channels or connections that ended over it, or over its topology

  /// The broker may have taken it: then its failure is no proof that it was not delivered.
  bool may_have_arrived() const noexcept { return in_doubt || suspect || at == stage::written; }
};
using send_ptr = std::shared_ptr<pending_send>;

}  // namespace oslo::messaging::rabbit
