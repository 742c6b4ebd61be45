#include "drivers/rabbit/reader_watch.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr std::chrono::minutes quiet_after_warning{10};
/// A program that makes up names of queues is not watched beyond that many.
constexpr std::size_t most_queues = 10'000;

}  // namespace

void reader_watch::feeds(const std::string& queue, time_point now) {
  if (period_.count() == 0 || queues_.size() >= most_queues) return;
  if (queues_.empty()) round_ends_ = now + period_;
  queues_.try_emplace(queue);
  unasked_.erase(queue);
}

bool reader_watch::take_turn(const std::string& queue, time_point now) {
  if (now >= round_ends_) {
    round_ends_ = now + period_;
    for (const auto& [name, s] : queues_) unasked_.insert(name);
  }
  return unasked_.erase(queue) != 0;
}

std::optional<std::string> reader_watch::answered(std::string_view queue, std::uint32_t messages,
                                                  std::uint32_t consumers, time_point now) {
  const auto it = queues_.find(queue);
  if (it == queues_.end()) return std::nullopt;
  auto& s = it->second;
  if (consumers > 0 || messages == 0) {
    s.lonely_since.reset();
    return std::nullopt;
  }
  if (!s.lonely_since) s.lonely_since = now;
  if (now - *s.lonely_since < period_ / 2) return std::nullopt;
  if (s.warned_at && now - *s.warned_at < quiet_after_warning) return std::nullopt;
  const bool again = s.warned_at.has_value();
  s.warned_at = now;
  return "Queue " + it->first + (again ? " still" : "") + " has no consumer and holds " +
         std::to_string(messages) + (messages == 1 ? " message" : " messages") +
         ", and this program goes on to fill it.";
}

}  // namespace oslo::messaging::rabbit
