// How long messages were on their way, though no two clocks agree.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

#include "wire/deadline.hpp"

namespace oslo::messaging::wire {

/// What is left of a call's time when it arrives, time in the queue included, and never less than
/// is really left: whatever the sender's clock shows, and as long as it runs at its usual pace.
///
/// Arrival less sending, each by its own host's monotonic clock, is the time on the way plus an
/// unknown constant. The smallest such difference lately seen of a sender bounds the constant from
/// above, so a message has been on its way for at least as much as its own difference is larger.
/// Two clocks may drift apart by 1 ms a second (Linux corrects one by half of that at most), and
/// what was seen more than ten minutes ago counts no more. The first message of a sender gets its
/// whole time.
///
/// A difference that says that the caller has stopped waiting, when the message should have been
/// thrown away on the way, comes from a clock that stood still: the sender is learnt anew.
///
/// Thread safety: one thread at a time. No clock: the caller says what time it is.
class sender_clocks {
 public:
  using instant = std::chrono::steady_clock::time_point;
  /// Of more the one that was silent longest is forgotten. About 200 bytes each.
  static constexpr std::size_t most_senders = 1024;
  static constexpr std::chrono::minutes window{10};

  /// None when the message gave no limit, or one that is none: below zero, or beyond a year.
  std::optional<milliseconds> time_left(const call_time& t, instant now);

  std::size_t size() const noexcept { return senders_.size(); }

 private:
  struct low {
    std::int64_t difference;
    instant seen;
  };
  struct sender {
    std::int64_t name;
    /// The smallest of this half of the window and of the one before.
    std::array<std::optional<low>, 2> lows{};
    instant half_began{};

    milliseconds at_least_on_the_way(std::int64_t difference, instant now) const noexcept;
    void learn(std::int64_t difference, instant now) noexcept;
  };
  struct spread {
    std::size_t operator()(std::int64_t name) const noexcept;
  };

  sender& find_or_add(std::int64_t name);

  std::list<sender> senders_;  ///< the one heard last at the front
  std::unordered_map<std::int64_t, std::list<sender>::iterator, spread> by_name_;
};

}  // namespace oslo::messaging::wire
