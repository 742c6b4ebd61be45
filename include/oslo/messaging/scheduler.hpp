// Time and deferred work, as the drivers and servers see them.
#pragma once

#include <chrono>
#include <cstdint>
#include <oslo/messaging/function.hpp>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// One event loop: a monotonic clock, a queue of work and timers. All work of one scheduler runs
/// one piece after the other, never two at once. A transport owns one; tests use one with a clock
/// that they move by hand.
///
/// Thread safety: all members may be called from any thread.
class scheduler {
 public:
  /// The clock that `now` reads, or imitates.
  using clock = std::chrono::steady_clock;
  /// A point on it.
  using time_point = clock::time_point;
  /// Names a timer, to cancel it.
  enum class timer_id : std::uint64_t { none = 0 };

  virtual ~scheduler() = default;
  /// The present time of this loop.
  virtual time_point now() const = 0;
  /// Runs `work` soon, never before `post` returns.
  virtual void post(unique_function<void()> work) = 0;
  /// Runs `work` at once when called from this loop, else as `post`.
  virtual void dispatch(unique_function<void()> work) {
    if (running_here())
      work();
    else
      post(std::move(work));
  }
  /// Runs `work` at `when` or a little later.
  virtual timer_id run_at(time_point when, unique_function<void()> work) = 0;
  /// The work of that timer will not start after this returns on the loop itself; from another
  /// thread it may already be running. Unknown ids are ignored.
  virtual void cancel(timer_id id) = 0;
  /// True on the thread (or strand) of this loop.
  virtual bool running_here() const noexcept = 0;
  /// False where a thread that waits for this loop would wait for itself: on the loop, and on a
  /// thread without which the loop does not run. May take some seconds to find out the latter.
  virtual bool may_wait_here() const { return !running_here(); }
};

}  // namespace oslo::messaging

#pragma GCC visibility pop
