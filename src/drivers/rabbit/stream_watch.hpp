// Whether a reader that went on at an offset still hears its stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "drivers/rabbit/stream_position.hpp"

namespace oslo::messaging::rabbit {

/// A stream that was made anew while nobody was connected (its broker has lost its data) counts
/// from zero again, and the broker keeps from a reader whatever comes before the offset that it
/// asked for, without a word. So a reader that went on at an offset looks how many messages there
/// are, until the first one comes: when they become more and none comes, it is another stream.
///
/// Thread safety: one thread at a time. No clock.
class stream_watch {
 public:
  using instant = std::chrono::steady_clock::time_point;
  using wall_clock = stream_position::wall_clock;
  /// RabbitMQ counts every 5 s.
  static constexpr std::chrono::seconds interval{10};

  /// It is being read from `since` on.
  void begin(instant now, wall_clock::time_point since) {
    *this = {};
    due_ = now + interval;
    since_ = since;
  }
  /// Something has come, or the consumer is gone.
  void end() noexcept { due_ = instant::max(); }
  bool is_on() const noexcept { return due_ != instant::max(); }
  wall_clock::time_point since() const noexcept { return since_; }

  /// When to ask for the number of messages; `max()`: never.
  instant due() const noexcept { return due_; }
  void asked(instant now) noexcept { due_ = now + interval; }
  /// True when it is another stream. A message that was counted may still be on its way: only one
  /// that is still missing at the next look tells.
  bool answered(std::uint32_t messages) noexcept {
    if (grew_) return true;
    grew_ = messages_ && messages > *messages_;
    messages_ = messages;
    return false;
  }

 private:
  instant due_ = instant::max();
  wall_clock::time_point since_{};
  std::optional<std::uint32_t> messages_;
  bool grew_ = false;
};

}  // namespace oslo::messaging::rabbit
