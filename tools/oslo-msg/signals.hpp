// Waiting for SIGTERM and SIGINT without a handler.
#pragma once

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <utility>

#include "exit_status.hpp"

namespace oslo::messaging::cli {

/// Holds SIGTERM and SIGINT back for the thread that makes it, and for all threads started later,
/// until `wait` takes them. Make it before the first transport.
///
/// Thread safety: `wake` may be called from any thread while the object lives.
class signals {
 public:
  signals() : owner_{pthread_self()} {
    sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, wake_signal}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~signals() {
    // A wake that nobody waited for would end the program once it is let through.
    sigset_t unused;
    sigemptyset(&unused);
    sigaddset(&unused, wake_signal);
    const timespec at_once{};
    while (sigtimedwait(&unused, nullptr, &at_once) == wake_signal) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  signals(const signals&) = delete;
  signals& operator=(const signals&) = delete;

  enum class event { woken, interrupted };
  /// Waits for `wake`, or for the operator to end the program.
  event wait() const {
    int signal = 0;
    while (sigwait(&set_, &signal) != 0) {
    }
    return signal == wake_signal ? event::woken : event::interrupted;
  }
  /// The same, but none when nothing has come within `limit`.
  std::optional<event> wait_for(std::chrono::seconds limit) const {
    using clock = std::chrono::steady_clock;
    for (const auto until = clock::now() + limit;;) {
      const auto left = std::max(clock::duration::zero(), until - clock::now());
      const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
      const timespec most{static_cast<time_t>(seconds.count()),
                          static_cast<long>(std::chrono::nanoseconds(left - seconds).count())};
      const int signal = sigtimedwait(&set_, nullptr, &most);
      if (signal > 0) return signal == wake_signal ? event::woken : event::interrupted;
      if (errno == EAGAIN) return std::nullopt;
    }
  }
  void wake() const noexcept { pthread_kill(owner_, wake_signal); }

 private:
  static constexpr int wake_signal = SIGUSR1;
  pthread_t owner_;
  sigset_t set_{};
  sigset_t before_{};
};

/// Starts a server or listener and waits for that, or for the operator, who ends the program.
template <class Served>
result<void> start(Served& served, const signals& operator_says) {
  const auto outcome = std::make_shared<std::promise<result<void>>>();
  auto started = outcome->get_future();
  served.async_start([outcome, &operator_says](result<void> r) {
    outcome->set_value(std::move(r));
    operator_says.wake();
  });
  // A listener's full count may wake us, too, but not before the start has ended.
  if (operator_says.wait() == signals::event::interrupted) _exit(done);
  return started.get();
}

}  // namespace oslo::messaging::cli
