// One thread that runs many fibers.
#pragma once

#include <atomic>
#include <boost/fiber/condition_variable.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <oslo/messaging/function.hpp>

#include "core/tasks/waiting.hpp"

namespace oslo::messaging::fibers {

class stack_cache;

/// Starts a fiber for each piece of work. Shared by its executor, its thread and everything that
/// waits on it.
///
/// Thread safety: `submit`, `stop`, `load`, `has_ended` from any thread; the rest is for its
/// fibers.
class fiber_thread final : public task_switcher, public std::enable_shared_from_this<fiber_thread> {
 public:
  using work = unique_function<void()>;

  fiber_thread(std::size_t max_fibers, std::size_t stack_bytes) noexcept
      : max_fibers_(max_fibers), stack_bytes_(stack_bytes) {}

  /// The thread's function: returns after `stop`, when all that was submitted has ended.
  void run() noexcept;
  /// False, and `w` untouched, when `run` has returned or is about to.
  bool submit(work& w);
  void stop();
  /// Pieces of work submitted that have not ended.
  std::size_t load() const noexcept { return load_.load(std::memory_order_relaxed); }
  bool has_ended() const;

  std::shared_ptr<waiter> make_waiter() override;
  void yield() override;

 private:
  class waiting_fiber;
  bool may_start() const noexcept { return !queue_.empty() && running_ < max_fibers_; }
  bool at_end() const noexcept { return stopping_ && queue_.empty() && running_ == 0; }
  /// Without memory for a stack it runs `w` here, and no fiber starts until that has ended.
  void start_fiber(work& w, const std::shared_ptr<stack_cache>& stacks) noexcept;
  void perform(work& w) noexcept;

  const std::size_t max_fibers_;
  const std::size_t stack_bytes_;
  std::atomic<std::size_t> load_{0};

  /// Also held while another thread wakes a fiber. So when the last fiber has ended and `run` gets
  /// the mutex, nobody is inside the scheduler of Boost.Fiber any more, and it may go.
  mutable std::mutex mutex_;
  boost::fibers::condition_variable_any changed_;  // for the fiber that starts the others
  std::deque<work> queue_;
  std::size_t running_ = 0;
  bool stopping_ = false;
  bool ended_ = false;
};

}  // namespace oslo::messaging::fibers
