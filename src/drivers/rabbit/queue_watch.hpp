// When to look whether a queue that was set up again is still there.
#pragma once

#include <chrono>

namespace oslo::messaging::rabbit {

/// When a node of RabbitMQ dies, each of the others lists the transient queues that it held and
/// deletes them by their names, some time later when they are many. A queue that its reader
/// declares again meanwhile is deleted like the others, with its bindings, and the reader hears
/// nothing of it: its consumer stays, and gets no message for ever. So who lost its queues once
/// looks again, often at first.
///
/// Thread safety: one thread at a time. No clock.
class queue_watch {
 public:
  using instant = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds first_look{1};
  static constexpr std::chrono::seconds longest_pause{32};

  void begin(instant now) noexcept {
    pause_ = first_look;
    due_ = now + pause_;
  }
  void end() noexcept { due_ = instant::max(); }

  /// When to look; `max()`: never.
  instant due() const noexcept { return due_; }
  void looked(instant now) noexcept {
    pause_ *= 2;
    due_ = pause_ > longest_pause ? instant::max() : now + pause_;
  }

 private:
  std::chrono::seconds pause_ = first_look;
  instant due_ = instant::max();
};

}  // namespace oslo::messaging::rabbit
