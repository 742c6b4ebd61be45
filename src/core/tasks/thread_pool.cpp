#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/executor.hpp>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "core/tasks/default_executor.hpp"
#include "core/tasks/fork_guard.hpp"
#include "core/tasks/orphan_threads.hpp"

namespace oslo::messaging {
namespace {

struct worker {
  std::thread thread;
  std::condition_variable woken;
  bool called = false;
};

/// Everything the threads touch. Shared with them, because the pool itself may be destroyed by one
/// of its own threads.
struct pool_state {
  std::mutex mutex;
  std::deque<unique_function<void()>> queue;
  std::vector<std::unique_ptr<worker>> workers;
  /// Idle workers, the one that became idle last at the back: it is called first, while its stack
  /// and data are still in the caches.
  std::vector<worker*> idle;
  /// A worker has been called and has not looked at the queue yet. There is one such worker at
  /// most: it calls the next one if it finds more work than it can take. So a burst of short pieces
  /// of work is done by few threads, and whenever work is queued and a worker is idle, help is
  /// under way.
  bool calling = false;
  bool stopping = false;
  std::size_t running = 0;  ///< threads that have not ended

  /// Chooses whom to call. The caller holds the mutex, and notifies after it let go.
  worker* choose_helper() {
    if (calling || idle.empty() || queue.empty()) return nullptr;
    worker* const chosen = idle.back();
    idle.pop_back();
    chosen->called = true;
    calling = true;
    return chosen;
  }

  void run(worker& self) {
    std::unique_lock lock{mutex};
    for (;;) {
      while (queue.empty()) {
        if (stopping) return;
        idle.push_back(&self);
        self.woken.wait(lock, [&] { return self.called; });
        self.called = false;
        calling = false;
      }
      {
        auto work = std::move(queue.front());
        queue.pop_front();
        worker* const helper = choose_helper();
        lock.unlock();
        if (helper != nullptr) helper->woken.notify_one();
        work();
        // The work is destroyed before the lock is taken again: its captures may own the pool.
      }
      lock.lock();
    }
  }

  void stop() {
    std::vector<worker*> sleeping;
    {
      const std::lock_guard lock{mutex};
      stopping = true;
      sleeping.swap(idle);
      for (auto* w : sleeping) w->called = true;
    }
    for (auto* w : sleeping) w->woken.notify_one();
  }
};

class thread_pool_impl final : public executor {
 public:
  explicit thread_pool_impl(std::size_t threads) : state_(std::make_shared<pool_state>()) {
    if (threads == 0)
      throw_failure({errc::invalid_argument, "A thread pool needs at least one thread."});
    if (threads > most_pool_threads)
      throw_failure({errc::invalid_argument, "A thread pool has at most " +
                                                 std::to_string(most_pool_threads) +
                                                 " threads, not " + std::to_string(threads) + "."});
    auto& all = state_->workers;
    all.reserve(threads);
    state_->idle.reserve(threads);
    try {
      while (all.size() < threads) {
        auto& w = *all.emplace_back(std::make_unique<worker>());
        start(w);
      }
    } catch (const std::exception& e) {
      const auto started = all.size() - (all.back()->thread.joinable() ? 0 : 1);
      close();
      throw_failure({errc::limit_exceeded,
                     "Thread " + std::to_string(started + 1) + " of " + std::to_string(threads) +
                         " of a thread pool could not be started: " + e.what()});
    }
  }
  ~thread_pool_impl() override { close(); }
  thread_pool_impl(const thread_pool_impl&) = delete;
  thread_pool_impl& operator=(const thread_pool_impl&) = delete;

  void execute(unique_function<void()> work) override {
    worker* helper;
    {
      const std::lock_guard lock{state_->mutex};
      state_->queue.push_back(std::move(work));
      helper = state_->choose_helper();
    }
    if (helper != nullptr) helper->woken.notify_one();
  }
  std::size_t concurrency() const noexcept override { return state_->workers.size(); }

 private:
  void start(worker& w) {
    {
      const std::lock_guard lock{state_->mutex};
      ++state_->running;
    }
    try {
      w.thread = std::thread([state = state_, &w]() noexcept {
        pthread_setname_np(pthread_self(), "oslo-worker");
        state->run(w);
        const std::lock_guard lock{state->mutex};
        --state->running;
      });
    } catch (...) {
      const std::lock_guard lock{state_->mutex};
      --state_->running;
      throw;
    }
  }

  void close() {
    if (born_.in_child()) {
      leave_to_parent(state_);
      return;
    }
    state_->stop();
    std::thread own;
    for (auto& w : state_->workers) {
      if (w->thread.get_id() == std::this_thread::get_id())
        own = std::move(w->thread);
      else if (w->thread.joinable())
        w->thread.join();
    }
    if (!own.joinable()) return;
    adopt_orphan(std::move(own), [state = state_] {
      const std::lock_guard lock{state->mutex};
      return state->running == 0;
    });
  }

  const fork_guard born_;
  std::shared_ptr<pool_state> state_;
};

}  // namespace

std::shared_ptr<executor> thread_pool(std::size_t threads) {
  return std::make_shared<thread_pool_impl>(threads);
}

}  // namespace oslo::messaging
