// When to try to connect again, and to which host.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/random.hpp"

namespace oslo::messaging::protocol {

struct backoff_options {
  std::chrono::milliseconds initial{1'000};  ///< bound of the first wait
  double multiplier = 2.0;                   ///< growth of the bound a round
  std::chrono::milliseconds cap{30'000};     ///< the bound stops growing here
  /// Where it stops while no host answers at all: then a try costs nobody anything, and the first
  /// one after the port has opened is what everybody waits for.
  std::chrono::milliseconds unanswered_cap{1'500};
};

/// The reconnect policy as a value. One round tries every host once, without a wait in between;
/// the first round starts at once. Before round n+1 comes a wait between 0 and
/// min(cap, initial * multiplier^(n-1)), evenly distributed ("full jitter"), so that the clients of
/// a broker that comes back do not arrive together. The hosts are shuffled once, for the same
/// reason. After a round in which no host answered the wait is at most `unanswered_cap`.
///
/// Thread safety: one thread at a time. No clock.
class backoff {
 public:
  struct attempt {
    std::size_t host;                 ///< index into the caller's list
    std::chrono::milliseconds delay;  ///< wait that long first
    bool operator==(const attempt&) const = default;
  };

  /// `hosts` is the length of the caller's list, at least 1. `seed`: take `random_bits()`.
  /// Throws `configuration_error` when `hosts` is 0, `initial` or `cap` is negative, or
  /// `multiplier` is below 1.
  backoff(std::size_t hosts, backoff_options options, std::uint64_t seed);

  /// The next attempt. `answered`: the last one reached somebody (who refused, or did not keep the
  /// connection).
  attempt next(bool answered = true);

  /// To be called once a connection has proved good. The next attempt comes at once and goes to the
  /// host after the one that was used last. A connection that breaks during its handshake has not
  /// proved good.
  void reset() noexcept;

  /// Attempts since the start or the last `reset`.
  std::uint64_t attempts() const noexcept { return attempts_; }

 private:
  backoff_options options_;
  random_engine random_;
  std::vector<std::size_t> order_;
  std::size_t position_ = 0;
  bool round_answered_ = false;  // by any host of the present round
  std::uint64_t attempts_ = 0;
  double bound_;  // of the next wait, in milliseconds
};

}  // namespace oslo::messaging::protocol
