// Waiting that is right in a thread and in a fiber.
#pragma once

#include <chrono>

#pragma GCC visibility push(default)

namespace oslo::messaging::this_task {

/// Suspends the fiber that calls it, so that its thread goes on with others; where there is no
/// fiber of this library, blocks the thread.
///
/// Thread safety: any thread. Never on the loop of a transport, nor in a coroutine handler: those
/// have timers.
void sleep_until(std::chrono::steady_clock::time_point when);

/// The same for a time from now on. Without a positive time it does not wait.
template <class Rep, class Period>
void sleep_for(std::chrono::duration<Rep, Period> how_long) {
  using clock = std::chrono::steady_clock;
  // In floating point, because the sum with the present time may be past the end of time.
  const std::chrono::duration<double> seconds = how_long;
  constexpr std::chrono::duration<double> years = std::chrono::hours(24 * 36'500);
  if (seconds > years)
    sleep_until(clock::time_point::max());
  else if (seconds.count() > 0)
    sleep_until(clock::now() + std::chrono::ceil<clock::duration>(how_long));
}

/// Lets the other fibers of this thread run; without fibers, other threads.
void yield();

}  // namespace oslo::messaging::this_task

#pragma GCC visibility pop
