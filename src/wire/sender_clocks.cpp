#include "wire/sender_clocks.hpp"

#include <algorithm>
#include <bit>

#include "core/random.hpp"

namespace oslo::messaging::wire {
namespace {

/// Beyond this a limit is none.
constexpr milliseconds longest = std::chrono::hours(24 * 366);

/// Both times of each of two differences are rounded to milliseconds.
constexpr milliseconds rounding{2};

constexpr int drift = 1000;  ///< one part in so many

}  // namespace

std::size_t sender_clocks::spread::operator()(std::int64_t name) const noexcept {
  return mix64(std::bit_cast<std::uint64_t>(name));
}

sender_clocks::sender& sender_clocks::find_or_add(std::int64_t name) {
  if (const auto it = by_name_.find(name); it != by_name_.end()) {
    senders_.splice(senders_.begin(), senders_, it->second);
    return senders_.front();
  }
  if (senders_.size() == most_senders) {
    by_name_.erase(senders_.back().name);
    senders_.pop_back();
  }
  senders_.push_front({.name = name});
  by_name_.emplace(name, senders_.begin());
  return senders_.front();
}

milliseconds sender_clocks::sender::at_least_on_the_way(std::int64_t difference,
                                                        instant now) const noexcept {
  milliseconds most{0};
  for (const auto& l : lows) {
    if (!l || now - l->seen >= window) continue;
    std::int64_t more = 0;
    if (__builtin_sub_overflow(difference, l->difference, &more))
      more = difference > l->difference ? milliseconds::max().count() : 0;
    const auto apart = std::chrono::ceil<milliseconds>((now - l->seen) / drift) + rounding;
    if (more > apart.count()) most = std::max(most, milliseconds(more) - apart);
  }
  return most;
}

void sender_clocks::sender::learn(std::int64_t difference, instant now) noexcept {
  if (!lows[0] || now - half_began >= window / 2) {
    lows[1] = lows[0];
    lows[0].reset();
    half_began = now;
  }
  if (!lows[0] || difference <= lows[0]->difference) lows[0] = {difference, now};
}

std::optional<milliseconds> sender_clocks::time_left(const call_time& t, instant now) {
  if (!t.limit_ms || *t.limit_ms < 0 || *t.limit_ms > longest.count()) return std::nullopt;
  const milliseconds whole(*t.limit_ms);
  if (!t.sent_ms || !t.sender) return whole;
  const auto arrived = std::chrono::floor<milliseconds>(now.time_since_epoch()).count();
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(arrived, *t.sent_ms, &difference)) return whole;  // no clock at all
  auto& s = find_or_add(*t.sender);
  const auto on_the_way = s.at_least_on_the_way(difference, now);
  const bool stood_still = on_the_way > whole;
  if (stood_still) s.lows = {};
  s.learn(difference, now);
  return stood_still ? whole : whole - on_the_way;
}

}  // namespace oslo::messaging::wire
