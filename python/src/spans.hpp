// Seconds of Python as spans of time.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>

namespace oslo::messaging::python {

/// Rounded up, so that a short time is not none; negative and NaN are zero, and what is longer than
/// ten years is that long.
inline std::chrono::milliseconds span_of(double seconds) noexcept {
  constexpr double longest = 10.0 * 366 * 86'400;
  if (!(seconds > 0)) return std::chrono::milliseconds(0);
  return std::chrono::milliseconds(
      static_cast<std::int64_t>(std::ceil((seconds < longest ? seconds : longest) * 1000)));
}

}  // namespace oslo::messaging::python
