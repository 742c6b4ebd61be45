#include "protocol/dedup_window.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "core/random.hpp"

namespace oslo::messaging::protocol {

bool dedup_window::seen(std::string_view id, std::uint64_t content, instant now) {
  if (id.empty() || limits_.count == 0) return false;
  forget_before(now);
  const key k = key_of(id, content);
  if (!known_.insert(k).second) return true;
  order_.push_back({k, now});
  if (order_.size() > limits_.count) {
    known_.erase(order_.front().id);
    order_.pop_front();
  }
  return false;
}

bool dedup_window::contains(std::string_view id, std::uint64_t content, instant now) {
  if (id.empty()) return false;
  forget_before(now);
  return known_.contains(key_of(id, content));
}

void dedup_window::forget(std::string_view id, std::uint64_t content) {
  if (id.empty()) return;
  const key k = key_of(id, content);
  if (known_.erase(k) == 0) return;
  const auto at =
      std::find_if(order_.rbegin(), order_.rend(), [&](const sighting& s) { return s.id == k; });
  if (at != order_.rend()) order_.erase(std::next(at).base());
}

void dedup_window::forget_before(instant now) {
  while (!order_.empty() && now - order_.front().when >= limits_.age) {
    known_.erase(order_.front().id);
    order_.pop_front();
  }
}

/// Two chains over the same words with different keys; each step is a bijection of the state, so no
/// information is lost before the final mix.
dedup_window::key dedup_window::key_of(std::string_view id, std::uint64_t content) const noexcept {
  std::uint64_t a = mix64(seed_ ^ id.size());
  std::uint64_t b = mix64(a + 0x9e3779b97f4a7c15u);
  a = mix64(a ^ content);
  b = mix64(b + content) ^ a;
  while (!id.empty()) {
    std::uint64_t word = 0;
    const std::size_t n = std::min(id.size(), sizeof word);
    std::memcpy(&word, id.data(), n);
    id.remove_prefix(n);
    a = mix64(a ^ word);
    b = mix64(b + word) ^ a;
  }
  return {a, b};
}

}  // namespace oslo::messaging::protocol
