// Messages whose handlers fail again and again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <oslo/messaging/driver.hpp>
#include <string_view>
#include <unordered_map>

namespace oslo::messaging::notify {

/// How often each message was given back, for buses that do not count it themselves. Remembers so
/// many messages; beyond that the oldest is forgotten, and counts from the beginning.
///
/// A message is known by its text. Copies of one notification that came over several topics are the
/// same message here: a handler that fails on one fails on the other.
///
/// Thread safety: all members from any thread.
class requeue_counter {
 public:
  explicit requeue_counter(std::size_t most = 10'000) : most_(most) {}
  /// How often now.
  std::size_t add(const incoming_message& m);
  void forget(const incoming_message& m);

 private:
  struct entry {
    std::size_t count = 0;
    std::uint64_t age = 0;
  };
  const std::size_t most_;
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, entry> counts_;            // by a hash of the text
  std::deque<std::pair<std::uint64_t, std::uint64_t>> order_;  // key and age, oldest first
  std::uint64_t next_age_ = 0;
};

/// The copy of `m` that goes to the dead letters: the same notification, with the reason in its
/// headers.
outgoing_message dead_letter_of(const incoming_message& m, std::size_t requeues,
                                std::string_view error);

}  // namespace oslo::messaging::notify
