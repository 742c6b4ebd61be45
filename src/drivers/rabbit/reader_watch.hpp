// Which of the queues that we feed nobody empties.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace oslo::messaging::rabbit {

/// Decides when to ask the broker for the readers of a queue, and what to make of its answers.
/// Nothing is asked about a queue that nothing is published to, and at most once a `period`.
///
/// A queue without a consumer is normal while its service restarts: one that had none, but
/// messages, for half a period is worth a warning, and then not again for ten minutes, however
/// often readers come and go.
///
/// Not thread safe; no clock of its own.
class reader_watch {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  reader_watch() = default;  ///< never asks
  explicit reader_watch(std::chrono::seconds period) : period_(period) {}

  /// We begin to feed a queue; the caller asks about it now.
  void feeds(const std::string& queue, time_point now);
  /// True when it is time to ask again, which the caller does.
  bool due(const std::string& queue, time_point now) {
    if (now < round_ends_ && unasked_.empty()) return false;  // every message comes by here
    return period_.count() > 0 && take_turn(queue, now);
  }
  /// The broker's answer; a sentence when there is something to say.
  std::optional<std::string> answered(std::string_view queue, std::uint32_t messages,
                                      std::uint32_t consumers, time_point now);

 private:
  struct state {
    std::optional<time_point> lonely_since;
    std::optional<time_point> warned_at;
  };
  bool take_turn(const std::string& queue, time_point now);

  std::chrono::seconds period_{0};
  time_point round_ends_ = time_point::max();
  std::set<std::string> unasked_;  ///< in this round
  std::map<std::string, state, std::less<>> queues_;
};

}  // namespace oslo::messaging::rabbit
