// One value from one thread to another.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

namespace oslo::messaging {

/// A value that one thread puts, once, and another waits for. Share it by shared_ptr: the waiter
/// may have given up when the value comes.
///
/// Thread safety: all members from any thread.
template <class T>
class handover {
 public:
  void put(T v) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(v);
    changed_.notify_all();
  }
  /// The value, or nothing after `limit`. Without a limit it waits for ever.
  std::optional<T> take(std::optional<std::chrono::milliseconds> limit) {
    std::unique_lock lock(mutex_);
    const auto there = [&] { return value_.has_value(); };
    // Beyond some 100 years the sum with the present time would overflow.
    if (limit && *limit < std::chrono::hours(24 * 36'500))
      changed_.wait_for(lock, *limit, there);
    else
      changed_.wait(lock, there);
    return std::exchange(value_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<T> value_;
};

}  // namespace oslo::messaging
