// How long to wait before trying again.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "core/random.hpp"

namespace oslo::messaging::protocol {

struct backoff_options {
  std::chrono::milliseconds initial{1'000};  ///< bound of the first wait
  double multiplier = 2.0;                   ///< growth of the bound a try
  std::chrono::milliseconds cap{30'000};     ///< the bound stops growing here
  /// Where it stops while nobody answers at all: then a try costs nobody anything, and the first
  /// one after the port has opened is what everybody waits for.
  std::chrono::milliseconds unanswered_cap{1'500};
  std::optional<std::chrono::milliseconds> step{};  ///< growth by addition, in place of multiplier
};

/// Pauses between tries as a value. The first try comes at once. Before try n+1 comes a wait
/// between 0 and min(cap, initial * multiplier^(n-1)), or min(cap, initial + step * (n-1)), evenly
/// distributed ("full jitter"), so that the clients of a broker that comes back do not arrive
/// together. After a try that nobody answered
/// the wait is at most `unanswered_cap`.
///
/// Thread safety: one thread at a time. No clock.
class backoff {
 public:
  /// `seed`: take `random_bits()`. Throws `configuration_error` when `initial` or a cap is
  /// negative, or `multiplier` is below 1.
  backoff(backoff_options options, std::uint64_t seed);

  /// The wait before the next try. `answered`: the last one reached somebody (who refused, or did
  /// not keep the connection).
  std::chrono::milliseconds next(bool answered = true);

  /// To be called once a try has proved good: the next one comes at once. A connection that breaks
  /// during its handshake has not proved good.
  void reset() noexcept;

 private:
  backoff_options options_;
  random_engine random_;
  bool first_ = true;
  double bound_;  // of the next wait, in milliseconds
};

}  // namespace oslo::messaging::protocol
