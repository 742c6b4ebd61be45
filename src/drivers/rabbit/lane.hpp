// One channel that publishes, and what is on its way through it.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>

#include "core/unique_id.hpp"
#include "drivers/rabbit/pending_send.hpp"
#include "drivers/rabbit/routes.hpp"
#include "drivers/rabbit/send_window.hpp"
#include "drivers/rabbit/topology.hpp"
#include "protocol/amqp091/connection.hpp"
#include "protocol/backoff.hpp"

namespace oslo::messaging::rabbit {

/// A declaration without an answer so far.
struct declaration {
  std::string exchange;
  std::string queue{};  ///< empty: of the exchange itself
  bool again = false;   ///< on a channel that has published there

  bool is_of(const destination& to) const {
    return to.to.name == exchange &&
           (queue.empty() || (to.ensure_queue && to.ensure_queue->name == queue));
  }
};

/// The publisher alone changes it.
struct lane {
  using instant = pending_send::instant;

  explicit lane(std::size_t limit) : most_written(limit) {}

  std::size_t most_written;  ///< so many at once
  std::deque<send_ptr> ready;
  send_window window;

  std::size_t suspects = 0;  ///< while there are some, `probe` bounds what is on the wire
  std::size_t probe = 1;
  std::size_t suspects_written = 0;  ///< of them, those on the wire
  instant probed_until{};            ///< the last one of these has had its time
  bool culprit_known = false;

  amqp091::channel_id channel = 0;
  instant reopen_at{};  ///< not before, when the broker closes it over nothing
  protocol::backoff reopen{{std::chrono::milliseconds(250)}, random_bits()};
  std::uint64_t life = 0;         ///< of the channel; what was declared in an older one may be gone
  std::deque<declaration> asked;  ///< not yet answered; answers come in this order
  std::set<std::string, std::less<>> declared;  ///< exchanges, on this channel
  instant confirmed_at{};  ///< the last time that a confirm came, or that the channel was opened
  bool confirmed = false;  ///< in this read
  /// Set: nothing more is written here, and once all is confirmed another channel follows; if it is
  /// not by then, this one goes on.
  std::optional<instant> leaves_by{};
};

}  // namespace oslo::messaging::rabbit
