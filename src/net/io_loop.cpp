#include "net/io_loop.hpp"

#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/tasks/orphan_threads.hpp"
#include "net/signals_blocked.hpp"
#include "net/timer_queue.hpp"

namespace oslo::messaging::net {
namespace {

namespace asio = boost::asio;

}  // namespace

struct io_loop::state {
  explicit state(logger l) : log(std::move(l)) {}

  void run() {
    for (;;) {
      try {
        io.run();
        break;
      } catch (...) {
        log_thrown(log);
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

io_loop::io_loop(logger log, const std::string& name)
    : state_(std::make_shared<state>(std::move(log))) {
  join_ended_orphans();
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
    // Its thread takes the state along when it ends: nothing of it waits until that is joined.
    adopt_orphan(
        std::move(s.thread),
        [weak = std::weak_ptr(state_)] {
          const auto state = weak.lock();
          if (!state) return true;
          const std::lock_guard lock(state->mutex);
          return state->finished;
        },
        [weak = std::weak_ptr(state_)] {
          if (const auto state = weak.lock()) state->io.stop();
        });
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
