#include "wire/deadline.hpp"

#include <bit>

#include "core/random.hpp"

namespace oslo::messaging::wire {
namespace {

/// Two clocks that are read one after the other are never exactly as far apart as before.
constexpr milliseconds tolerance{50};

template <class Time>
milliseconds since_epoch(Time t) noexcept {
  return std::chrono::floor<milliseconds>(t.time_since_epoch());
}

}  // namespace

call_time time_stamp::of(milliseconds left, std::chrono::steady_clock::time_point now,
                         std::chrono::system_clock::time_point wall) noexcept {
  // Both count nanoseconds in 64 bits, so milliseconds of them cannot overflow.
  const auto sent = since_epoch(now);
  const auto apart = since_epoch(wall) - sent;
  if (!apart_) apart_ = apart;
  if (std::chrono::abs(apart - *apart_) > tolerance) {
    name_ = mix64(name_ + 0x9e3779b97f4a7c15u);
    apart_ = apart;
  }
  return {.limit_ms = left.count(),
          .sent_ms = sent.count(),
          .sender = std::bit_cast<std::int64_t>(name_)};
}

}  // namespace oslo::messaging::wire
