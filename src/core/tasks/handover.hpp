// One value from one task to another.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "core/saturating.hpp"
#include "core/tasks/waiting.hpp"

namespace oslo::messaging {

/// A value that one task puts, once, and another waits for. A task is a thread, or a fiber on a
/// thread that runs many. Share it by shared_ptr: the waiter may have given up when the value
/// comes.
///
/// Thread safety: `put` from any thread; `take` from one task.
template <class T>
class handover {
 public:
  void put(T v) {
    std::shared_ptr<waiter> waiting;
    {
      const std::lock_guard lock(mutex_);
      value_ = std::move(v);
      waiting = std::move(waiting_);
    }
    if (waiting) waiting->wake();
  }
  /// The value, or nothing after `limit`. Without a limit it waits for ever.
  std::optional<T> take(std::optional<std::chrono::milliseconds> limit) {
    wait_limit until;
    if (limit) until = deadline_after(std::chrono::steady_clock::now(), *limit);
    const auto self = make_waiter();
    {
      const std::lock_guard lock(mutex_);
      if (value_) return std::exchange(value_, std::nullopt);
      waiting_ = self;
    }
    self->wait(until);
    const std::lock_guard lock(mutex_);
    waiting_.reset();
    return std::exchange(value_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::optional<T> value_;
  std::shared_ptr<waiter> waiting_;
};

}  // namespace oslo::messaging
