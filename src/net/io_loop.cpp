#include "net/io_loop.hpp"

#include <pthread.h>
#include <signal.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/tasks/fork_guard.hpp"
#include "net/timer_queue.hpp"

namespace oslo::messaging::net {
namespace {

namespace asio = boost::asio;

/// Blocks all signals in its scope: threads made there leave them to the application's threads.
class signals_blocked {
 public:
  signals_blocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

struct io_loop::state {
  explicit state(logger l) : log(std::move(l)) {}

  void run() {
    for (;;) {
      try {
        io.run();
        break;
      } catch (const std::exception& e) {
        log(log_level::error, std::string("A callback on the I/O loop threw: ") + e.what());
      } catch (...) {
        log(log_level::error, "A callback on the I/O loop threw an unknown exception.");
      }
    }
    const std::lock_guard lock(mutex);
    finished = true;
    ended.notify_all();  // under the lock: the waiter may destroy this state at once
  }

  logger log;
  asio::io_context io{1};
  std::shared_ptr<timer_queue> timers = std::make_shared<timer_queue>(io.get_executor());
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> guard{
      asio::make_work_guard(io)};
  std::thread thread;
  std::mutex mutex;
  std::condition_variable ended;
  bool finished = false;
};

/// Owns the threads of loops that ended on their own thread, and joins them.
class io_loop::keeper {
 public:
  /// Never destroyed: a loop may end on its own thread while the program exits.
  static keeper& instance() {
    static keeper& one = *new keeper;
    static const struct at_exit {
      ~at_exit() { one.join_all(); }
    } join_at_exit;
    return one;
  }

  void take(std::shared_ptr<state> s) {
    const std::lock_guard lock(mutex_);
    forget_parent();
    if (exiting_) s->thread.detach();  // nobody is left to join it
    states_.push_back(std::move(s));
  }
  /// Joins the threads that have ended, so that a program that runs for years keeps few.
  void join_ended() {
    const std::lock_guard lock(mutex_);
    forget_parent();
    std::erase_if(states_, [](const std::shared_ptr<state>& s) {
      if (!s->thread.joinable()) return false;
      {
        const std::lock_guard state_lock(s->mutex);
        if (!s->finished) return false;
      }
      s->thread.join();
      return true;
    });
  }

 private:
  void join_all() {
    std::vector<std::shared_ptr<state>> states;
    {
      const std::lock_guard lock(mutex_);
      forget_parent();
      exiting_ = true;
      states.swap(states_);
    }
    for (const auto& s : states) {
      s->io.stop();
      if (s->thread.get_id() != std::this_thread::get_id())
        s->thread.join();
      else
        s->thread.detach();  // exit() was called on that very thread
    }
  }

  std::mutex mutex_;
  bool exiting_ = false;
  /// In a child the threads are gone and cannot be joined.
  void forget_parent() {
    if (!born_.in_child()) return;
    for (auto& s : std::exchange(states_, {})) leave_to_parent(std::move(s));
    born_ = {};
  }

  std::vector<std::shared_ptr<state>> states_;
  fork_guard born_;
};

io_loop::io_loop(logger log, const std::string& name)
    : state_(std::make_shared<state>(std::move(log))) {
  keeper::instance().join_ended();
  const signals_blocked blocked;
  state_->thread = std::thread([s = state_, short_name = name.substr(0, 15)] {
    pthread_setname_np(pthread_self(), short_name.c_str());
    s->run();
  });
}

io_loop::~io_loop() {
  auto& s = *state_;
  asio::post(s.io, [raw = state_.get()] {
    raw->timers->shut_down();
    raw->guard.reset();
  });
  if (running_here()) {
    keeper::instance().take(state_);
    return;
  }
  {
    std::unique_lock lock(s.mutex);
    s.ended.wait_for(lock, std::chrono::seconds(1), [&] { return s.finished; });
  }
  s.io.stop();
  s.thread.join();
}

void io_loop::post(unique_function<void()> work) {
  asio::post(state_->io, std::move(work));
}
void io_loop::dispatch(unique_function<void()> work) {
  if (running_here())
    work();
  else
    asio::post(state_->io, std::move(work));
}
scheduler::timer_id io_loop::run_at(time_point when, unique_function<void()> work) {
  return state_->timers->add(when, std::move(work));
}
void io_loop::cancel(timer_id id) {
  state_->timers->cancel(id);
}
bool io_loop::running_here() const noexcept {
  return state_->io.get_executor().running_in_this_thread();
}
asio::any_io_executor io_loop::executor() {
  return state_->io.get_executor();
}

}  // namespace oslo::messaging::net
