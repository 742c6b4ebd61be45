#include "protocol/amqp091/confirm_tracker.hpp"

#include <algorithm>
#include <cstring>

namespace amqp091 {

std::uint64_t return_fingerprint(std::string_view exchange, std::string_view routing_key,
                                 std::string_view message_id, std::string_view body) noexcept {
  constexpr std::size_t end_bytes = 64;
  std::uint64_t h = body.size();
  // Eight bytes a step: no one gains by a collision, and every mandatory message comes by here.
  const auto step = [&h](const char* bytes, std::size_t length) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, length);
    h = (h ^ word) * 0x9E3779B97F4A7C15u;
    h ^= h >> 32;
  };
  const auto mix = [&](std::string_view part) {
    h += part.size();
    for (; part.size() >= 8; part.remove_prefix(8)) step(part.data(), 8);
    if (!part.empty()) step(part.data(), part.size());
  };
  mix(exchange);
  mix(routing_key);
  mix(message_id);
  mix(body.substr(0, end_bytes));
  mix(body.substr(body.size() - std::min(body.size(), end_bytes)));
  return h < 2 ? h + 2 : h;
}

std::uint64_t confirm_tracker::add(std::uint64_t fingerprint) {
  entries_.push_back(fingerprint);
  ++unsettled_;
  return last();
}

bool confirm_tracker::settle(std::uint64_t sequence) noexcept {
  if (sequence < first_ || sequence > last()) return false;
  std::uint64_t& entry = entries_[sequence - first_];
  if (entry == settled) return false;
  entry = settled;
  --unsettled_;
  while (!entries_.empty() && entries_.front() == settled) {
    entries_.pop_front();
    ++first_;
  }
  return true;
}

std::uint64_t confirm_tracker::match_return(std::uint64_t fingerprint) noexcept {
  const auto search = [&](std::uint64_t from, std::uint64_t to) -> std::uint64_t {
    for (std::uint64_t s = from; s < to; ++s)
      if (entries_[s - first_] == fingerprint) return s;
    return 0;
  };
  // Returns come in the order of publishing, so the search goes on where the last one ended; a
  // broker that does it otherwise costs a second look.
  const std::uint64_t end = last() + 1;
  const std::uint64_t middle = std::clamp(return_from_, first_, end);
  std::uint64_t found = search(middle, end);
  if (found == 0) found = search(first_, middle);
  if (found == 0) return 0;
  entries_[found - first_] = not_mandatory;
  return_from_ = found + 1;
  return found;
}

}  // namespace amqp091
