#include "protocol/backoff.hpp"

#include <algorithm>
#include <oslo/messaging/error.hpp>
#include <utility>

namespace oslo::messaging::protocol {

backoff::backoff(backoff_options options, std::uint64_t seed) : options_(options), random_(seed) {
  if (options_.initial.count() < 0 || options_.cap.count() < 0 ||
      options_.unanswered_cap.count() < 0 || (options_.step && options_.step->count() < 0))
    throw_failure({errc::invalid_argument, "A reconnect interval must not be negative."});
  if (!(options_.multiplier >= 1.0))
    throw_failure({errc::invalid_argument, "The reconnect multiplier must be at least 1."});
  reset();
}

std::chrono::milliseconds backoff::next(bool answered) {
  if (std::exchange(first_, false)) return std::chrono::milliseconds{0};
  const auto cap = answered ? options_.cap : std::min(options_.cap, options_.unanswered_cap);
  const auto limit = static_cast<double>(cap.count());
  const auto bound = static_cast<std::uint64_t>(std::min(bound_, limit));
  if (bound_ < limit) {
    const auto more = options_.step ? bound_ + static_cast<double>(options_.step->count())
                                    : bound_ * options_.multiplier;
    bound_ = std::min(more, limit);
  }
  return std::chrono::milliseconds{random_.below(bound + 1)};
}

void backoff::reset() noexcept {
  first_ = true;
  bound_ = static_cast<double>(std::min(options_.initial, options_.cap).count());
}

}  // namespace oslo::messaging::protocol
