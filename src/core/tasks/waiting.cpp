#include "core/tasks/waiting.hpp"

#include <condition_variable>
#include <mutex>
#include <oslo/messaging/this_task.hpp>
#include <thread>

namespace oslo::messaging {
namespace {

class waiting_thread final : public waiter {
 public:
  void wait(wait_limit until) override {
    std::unique_lock lock(mutex_);
    if (until)
      woken_.wait_until(lock, *until, [&] { return awake_; });
    else
      woken_.wait(lock, [&] { return awake_; });
  }
  void wake() noexcept override {
    const std::lock_guard lock(mutex_);
    awake_ = true;
    woken_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable woken_;
  bool awake_ = false;
};

}  // namespace

task_switcher*& task_switcher::here() noexcept {
  thread_local task_switcher* one = nullptr;
  return one;
}

std::shared_ptr<waiter> make_waiter() {
  if (auto* const switcher = task_switcher::here()) return switcher->make_waiter();
  return std::make_shared<waiting_thread>();
}

const void*& task_owner() noexcept {
  thread_local const void* owner = nullptr;
  return owner;
}

namespace this_task {

void sleep_until(std::chrono::steady_clock::time_point when) {
  make_waiter()->wait(when);
}

void yield() {
  if (auto* const switcher = task_switcher::here())
    switcher->yield();
  else
    std::this_thread::yield();
}

}  // namespace this_task
}  // namespace oslo::messaging
