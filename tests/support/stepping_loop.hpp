// A loop that runs on the thread of a test, when the test says so, with a clock that it moves.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <oslo/messaging/scheduler.hpp>
#include <utility>

namespace oslo::messaging::testing {

/// `post` and `run_at` from any thread; `turn`, `run` and `advance` on that of the test.
class stepping_loop final : public scheduler {
 public:
  time_point now() const override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  void post(unique_function<void()> work) override {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  timer_id run_at(time_point when, unique_function<void()> work) override {
    const std::lock_guard lock(mutex_);
    timers_.emplace(std::pair(when, ++last_), std::move(work));
    return timer_id{last_};
  }
  void cancel(timer_id id) override {
    const std::lock_guard lock(mutex_);
    std::erase_if(timers_, [&](const auto& t) { return timer_id{t.first.second} == id; });
  }
  bool running_here() const noexcept override { return inside() == this; }

  /// One piece of work; false when there is none.
  bool turn() {
    unique_function<void()> work;
    {
      const std::lock_guard lock(mutex_);
      if (queue_.empty()) return false;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    const auto* const outer = std::exchange(inside(), this);
    work();
    work = nullptr;
    inside() = outer;
    return true;
  }
  void run() {
    while (turn()) {
    }
  }
  void advance(clock::duration by) {
    {
      const std::lock_guard lock(mutex_);
      now_ += by;
      while (!timers_.empty() && timers_.begin()->first.first <= now_) {
        queue_.push_back(std::move(timers_.begin()->second));
        timers_.erase(timers_.begin());
      }
    }
    run();
  }

 private:
  static const stepping_loop*& inside() noexcept {
    thread_local const stepping_loop* one = nullptr;
    return one;
  }

  mutable std::mutex mutex_;
  time_point now_{};
  std::deque<unique_function<void()>> queue_;
  std::map<std::pair<time_point, std::uint64_t>, unique_function<void()>> timers_;
  std::uint64_t last_ = 0;
};

}  // namespace oslo::messaging::testing
