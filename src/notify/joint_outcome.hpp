// Many outcomes that are waited for as one.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <utility>

namespace oslo::messaging::notify {

/// Calls `done` (may be empty) with the first failure, or success, after `count` outcomes have
/// come. Precondition: `count` is not 0. Thread safety: any thread.
class joint_outcome {
 public:
  joint_outcome(std::size_t count, unique_function<void(result<void>)> done)
      : missing_(count), done_(std::move(done)) {}

  void add(result<void> r) {
    {
      const std::lock_guard lock(mutex_);
      if (!r && first_) first_ = r.error();
      if (--missing_ != 0) return;
    }
    if (done_) done_(std::move(first_));
  }

  /// Counts a success that is not the last outcome; false: it would be, and was not counted.
  bool add_unless_last() {
    const std::lock_guard lock(mutex_);
    if (missing_ == 1) return false;
    --missing_;
    return true;
  }

 private:
  std::mutex mutex_;
  std::size_t missing_;
  result<void> first_{};
  unique_function<void(result<void>)> done_;
};

}  // namespace oslo::messaging::notify
