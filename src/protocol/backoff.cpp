#include "protocol/backoff.hpp"

#include <algorithm>
#include <numeric>
#include <oslo/messaging/error.hpp>
#include <utility>

namespace oslo::messaging::protocol {

backoff::backoff(std::size_t hosts, backoff_options options, std::uint64_t seed)
    : options_(options), random_(seed), order_(hosts) {
  if (hosts == 0) throw_failure({errc::invalid_argument, "Reconnecting needs at least one host."});
  if (options.initial.count() < 0 || options.cap.count() < 0 || options.unanswered_cap.count() < 0)
    throw_failure({errc::invalid_argument, "A reconnect interval must not be negative."});
  if (!(options.multiplier >= 1.0))
    throw_failure({errc::invalid_argument, "The reconnect multiplier must be at least 1."});
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  for (std::size_t i = hosts; i > 1; --i) std::swap(order_[i - 1], order_[random_.below(i)]);
  reset();
}

backoff::attempt backoff::next(bool answered) {
  std::chrono::milliseconds delay{0};
  if (attempts_ != 0 && answered) round_answered_ = true;
  if (attempts_ != 0 && attempts_ % order_.size() == 0) {
    const auto cap = std::exchange(round_answered_, false)
                         ? options_.cap
                         : std::min(options_.cap, options_.unanswered_cap);
    const auto limit = static_cast<double>(cap.count());
    const auto bound = static_cast<std::uint64_t>(std::min(bound_, limit));
    delay = std::chrono::milliseconds{random_.below(bound + 1)};
    if (bound_ < limit) bound_ = std::min(bound_ * options_.multiplier, limit);
  }
  ++attempts_;
  const std::size_t host = order_[position_];
  position_ = (position_ + 1) % order_.size();
  return {host, delay};
}

void backoff::reset() noexcept {
  attempts_ = 0;
  round_answered_ = false;
  bound_ = static_cast<double>(std::min(options_.initial, options_.cap).count());
}

}  // namespace oslo::messaging::protocol
