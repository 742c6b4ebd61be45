// Sums of times that stay at the end instead of coming out in the past.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace oslo::messaging {

/// `now + limit`, or none when that is beyond the end of time.
inline std::optional<std::chrono::steady_clock::time_point> deadline_after(
    std::chrono::steady_clock::time_point now, std::chrono::milliseconds limit) {
  using clock = std::chrono::steady_clock;
  constexpr auto most =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock::duration::max());
  if (limit <= std::chrono::milliseconds::zero()) return now;
  if (limit >= most || clock::duration(limit) >= clock::time_point::max() - now)
    return std::nullopt;
  return now + limit;
}

/// A configured number of seconds. A year is for ever, and far from overflow in any unit.
inline std::chrono::seconds up_to_a_year(std::int64_t seconds) {
  return std::chrono::seconds(std::min<std::int64_t>(seconds, 366 * 24 * 3600));
}

inline std::chrono::milliseconds saturating_add(std::chrono::milliseconds a,
                                                std::chrono::milliseconds b) {
  return a > std::chrono::milliseconds::max() - b ? std::chrono::milliseconds::max() : a + b;
}

}  // namespace oslo::messaging
