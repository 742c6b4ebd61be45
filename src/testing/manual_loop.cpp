#include "testing/manual_loop.hpp"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <oslo/messaging/error.hpp>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/tasks/orphan_threads.hpp"

namespace oslo::messaging::testing {
namespace {

/// Longer than anything takes that comes to an end.
constexpr std::chrono::seconds patience{30};
constexpr std::chrono::hours start_of_time{1};

}  // namespace

struct manual_loop::state {
  using work = unique_function<void()>;
  struct timer {
    std::uint64_t id;
    work what;
  };

  std::mutex mutex;
  std::condition_variable changed;  // there is something to do
  std::condition_variable idle;     // there is nothing to do
  std::deque<work> queue;
  std::multimap<time_point, timer> timers;
  std::unordered_map<std::uint64_t, std::multimap<time_point, timer>::iterator> by_id;
  std::uint64_t last_id = 0;
  time_point now{start_of_time};
  bool busy = false;
  bool stopping = false;
  bool ended = false;
  std::exception_ptr error;  // the first one that escaped
  std::thread thread;
  std::thread::id thread_id;

  bool timer_due() const { return !timers.empty() && timers.begin()->first <= now; }
  bool at_rest() const { return queue.empty() && !timer_due() && !busy; }

  work next() {
    if (!queue.empty()) {
      auto w = std::move(queue.front());
      queue.pop_front();
      return w;
    }
    auto first = timers.extract(timers.begin());
    by_id.erase(first.mapped().id);
    return std::move(first.mapped().what);
  }

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return !queue.empty() || timer_due() || stopping; });
      if (queue.empty() && !timer_due()) break;
      auto w = next();
      busy = true;
      lock.unlock();
      std::exception_ptr thrown;
      try {
        w();
      } catch (...) {
        thrown = std::current_exception();
      }
      w = nullptr;
      lock.lock();
      busy = false;
      if (thrown && !error) error = std::move(thrown);
      if (at_rest()) idle.notify_all();
    }
    ended = true;
  }

  /// The caller holds the lock.
  void wait_for_rest(std::unique_lock<std::mutex>& lock) {
    if (std::this_thread::get_id() == thread_id)
      throw would_deadlock({errc::would_deadlock,
                            "A test bus was told to wait on its own loop, where it would wait "
                            "for itself."});
    if (!idle.wait_for(lock, patience, [&] { return at_rest(); }))
      throw messaging_error({errc::timed_out, "The loop of a test bus does not come to rest."});
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
  }
};

manual_loop::manual_loop() : state_(std::make_shared<state>()) {
  const std::lock_guard lock(state_->mutex);
  state_->thread = std::thread([s = state_] {
    pthread_setname_np(pthread_self(), "oslo-test-bus");
    s->run();
  });
  state_->thread_id = state_->thread.get_id();
}

manual_loop::~manual_loop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_one();
  }
  if (!running_here()) {
    state_->thread.join();
    return;
  }
  auto own = std::move(state_->thread);
  adopt_orphan(std::move(own), [s = state_] {
    const std::lock_guard lock(s->mutex);
    return s->ended;
  });
}

scheduler::time_point manual_loop::now() const {
  const std::lock_guard lock(state_->mutex);
  return state_->now;
}

void manual_loop::post(unique_function<void()> work) {
  const std::lock_guard lock(state_->mutex);
  state_->queue.push_back(std::move(work));
  state_->changed.notify_one();
}

scheduler::timer_id manual_loop::run_at(time_point when, unique_function<void()> work) {
  auto& s = *state_;
  const std::lock_guard lock(s.mutex);
  const auto id = ++s.last_id;
  s.by_id[id] = s.timers.emplace(when, state::timer{id, std::move(work)});
  if (s.timer_due()) s.changed.notify_one();
  return timer_id{id};
}

void manual_loop::cancel(timer_id id) {
  unique_function<void()> dropped;  // destroyed without the lock
  auto& s = *state_;
  const std::lock_guard lock(s.mutex);
  const auto found = s.by_id.find(static_cast<std::uint64_t>(id));
  if (found == s.by_id.end()) return;
  dropped = std::move(found->second->second.what);
  s.timers.erase(found->second);
  s.by_id.erase(found);
}

bool manual_loop::running_here() const noexcept {
  return std::this_thread::get_id() == state_->thread_id;
}

void manual_loop::settle() {
  std::unique_lock lock(state_->mutex);
  state_->wait_for_rest(lock);
}

void manual_loop::advance(clock::duration by) {
  auto& s = *state_;
  std::unique_lock lock(s.mutex);
  s.wait_for_rest(lock);
  const auto end = s.now + by;
  while (!s.timers.empty() && s.timers.begin()->first <= end) {
    s.now = std::max(s.now, s.timers.begin()->first);
    s.changed.notify_one();
    s.wait_for_rest(lock);
  }
  s.now = std::max(s.now, end);
}

}  // namespace oslo::messaging::testing
