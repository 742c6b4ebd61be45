// Whether a reader that went on at an offset still hears its stream.
#pragma once

#include <chrono>
#include <cstdint>

#include "drivers/rabbit/stream_position.hpp"

namespace oslo::messaging::rabbit {

/// A stream that was made anew while nobody was connected (its broker has lost its data) counts
/// from zero again, and the broker keeps from a reader whatever comes before the offset that it
/// asked for, without a word. So a reader that went on at an offset looks how many messages there
/// are, until the first one comes: when they become more, are fewer than its offset says, and none
/// comes, it is another stream.
///
/// Thread safety: one thread at a time. No clock.
class stream_watch {
 public:
  using instant = std::chrono::steady_clock::time_point;
  using wall_clock = stream_position::wall_clock;
  /// RabbitMQ counts every 5 s.
  static constexpr std::chrono::seconds interval{10};

  /// So many there are before it is read.
  void declared(std::uint32_t messages) noexcept { messages_ = messages; }
  /// It is being read from `next` on, since that time.
  void begin(instant now, std::uint64_t next, wall_clock::time_point since) noexcept {
    due_ = now + interval;
    next_ = next;
    since_ = since;
    grew_ = false;
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
    const bool fewer = messages < next_;
    if (grew_ && fewer) return true;
    grew_ = fewer && messages > messages_;
    messages_ = messages;
    return false;
  }

 private:
  instant due_ = instant::max();
  wall_clock::time_point since_{};
  std::uint64_t next_ = 0;
  std::uint32_t messages_ = 0;
  bool grew_ = false;
};

}  // namespace oslo::messaging::rabbit
