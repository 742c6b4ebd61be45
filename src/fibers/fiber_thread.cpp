#include "fibers/fiber_thread.hpp"

#include <pthread.h>

#include <boost/fiber/fiber.hpp>
#include <boost/fiber/operations.hpp>
#include <new>
#include <optional>
#include <utility>

#include "fibers/stack_cache.hpp"
#include "fibers/suspension.hpp"

namespace oslo::messaging::fibers {

/// Mutex and condition variable of the standard kind for other threads, of the Boost kind for the
/// fiber: the mutex is never held where fibers change, so that it cannot stop the thread.
class fiber_thread::waiting_fiber final : public waiter {
 public:
  explicit waiting_fiber(std::shared_ptr<fiber_thread> home) noexcept : home_(std::move(home)) {}

  void wait(wait_limit until) override {
    const suspension away;
    std::unique_lock lock(home_->mutex_);
    if (until)
      woken_.wait_until(lock, *until, [&] { return awake_; });
    else
      woken_.wait(lock, [&] { return awake_; });
  }
  void wake() noexcept override {
    const std::lock_guard lock(home_->mutex_);
    awake_ = true;
    woken_.notify_one();
  }

 private:
  const std::shared_ptr<fiber_thread> home_;
  boost::fibers::condition_variable_any woken_;
  bool awake_ = false;
};

std::shared_ptr<waiter> fiber_thread::make_waiter() {
  return std::make_shared<waiting_fiber>(shared_from_this());
}

void fiber_thread::yield() {
  const suspension away;
  boost::this_fiber::yield();
}

bool fiber_thread::submit(work& w) {
  const std::lock_guard lock(mutex_);
  if (ended_) return false;
  queue_.push_back(std::move(w));
  load_.fetch_add(1, std::memory_order_relaxed);
  changed_.notify_one();
  return true;
}

void fiber_thread::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_one();
}

bool fiber_thread::has_ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

void fiber_thread::perform(work& w) noexcept {
  {
    work own = std::move(w);
    own();
    // Its captures are destroyed before it counts as ended.
  }
  const std::lock_guard lock(mutex_);
  --running_;
  load_.fetch_sub(1, std::memory_order_relaxed);
  changed_.notify_one();
}

void fiber_thread::start_fiber(work& w, const std::shared_ptr<stack_cache>& stacks) noexcept {
  std::optional<stack_allocator> stack;
  try {
    stack.emplace(stacks);
  } catch (const std::bad_alloc&) {
    // Handled below, outside of the catch block.
  }
  if (!stack) {
    perform(w);
    return;
  }
  boost::fibers::fiber(boost::fibers::launch::post, std::allocator_arg, *stack,
                       [this, own = std::move(w)]() mutable {
                         const int first_frame = 0;
                         stack_notice::enter(&first_frame, stack_bytes_);
                         perform(own);
                       })
      .detach();
}

void fiber_thread::run() noexcept {
  pthread_setname_np(pthread_self(), "oslo-fibers");
  task_switcher::here() = this;
  stack_notice::enter_thread();
  const auto stacks = std::make_shared<stack_cache>(stack_bytes_);
  std::unique_lock lock(mutex_);
  for (;;) {
    {
      const suspension away;
      changed_.wait(lock, [&] { return may_start() || at_end(); });
    }
    if (at_end()) break;
    work next = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    lock.unlock();
    start_fiber(next, stacks);
    lock.lock();
  }
  ended_ = true;
}

}  // namespace oslo::messaging::fibers
