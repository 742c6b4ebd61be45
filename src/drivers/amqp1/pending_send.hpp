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

#include "drivers/amqp1/addresses.hpp"
#include "protocol/call_tracker.hpp"

namespace oslo::messaging::amqp1 {

/// A call, a cast, a notification, a reply or a heartbeat. They differ only in the rules that are
/// set here; the publisher alone moves a send from stage to stage, and the engine alone ends it.
struct pending_send {
  using instant = std::chrono::steady_clock::time_point;

  enum class stage : std::uint8_t {
    waiting,    ///< not written: no link, or no credit
    written,    ///< on the wire, without an outcome
    pausing,    ///< came back from the broker; comes again after a pause
    confirmed,  ///< the broker has it; a call waits for its reply
    ended,      ///< nobody waits any more: never written again
  };

  // What is sent.
  destination to;
  std::string body;
  bool empty_body = false;  ///< a heartbeat
  std::vector<message_header> headers{};
  std::string correlation{};         ///< of a reply: the id of the request, as a value of AMQP
  std::string relay_to{};            ///< of a reply: the address, where one link serves all of them
  bool carries_id = true;            ///< false: of a reply
  bool answers_itself = false;       ///< of a probe: the id is that of its own call
  std::optional<instant> expires{};  ///< the broker may drop it then
  std::chrono::milliseconds lifetime{0};  ///< the same as the caller asked for it

  // Rules.
  bool wants_reply = false;
  bool pre_settled = false;            ///< no outcome is waited for
  bool lost_if_nobody = false;         ///< a fanout: that no node takes it is no failure
  bool undeliverable_at_once = false;  ///< fails when its node does not exist
  /// Passes over the hosts, and messages that came back, after the first; -1: no limit.
  int retry = -1;

  // Who waits.
  send_completion done;
  std::optional<protocol::call_id> id{};  ///< in the engine's list of pending sends
  instant begun{};
  std::unique_ptr<std::stop_callback<unique_function<void()>>> on_cancel{};

  // The publisher's.
  stage at = stage::waiting;
  std::size_t cost = 0;  ///< what it takes of the bounds; 0: nothing (any more)
  bool was_written = false;
  bool in_doubt = false;  ///< was written on a link that was lost: the broker may have it
  bool nobody = false;    ///< its node did not exist
  int failed_passes = 0;
  int came_back = 0;

  /// The broker may have taken it: then its failure is no proof that it was not delivered.
  bool may_have_arrived() const noexcept { return in_doubt || at == stage::written; }
};
using send_ptr = std::shared_ptr<pending_send>;

}  // namespace oslo::messaging::amqp1
