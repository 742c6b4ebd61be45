// Threads that outlive what owned them.
#pragma once

#include <functional>
#include <thread>

namespace oslo::messaging {

/// Takes a thread that could not be joined, because it destroyed its own executor or loop itself.
/// It is joined after it has ended, at the latest when the program ends. `has_ended` says when a
/// join does not wait any more; it is called from any thread. `stop`, where there is one, is called
/// before the join at the program's end: for threads that might not end of themselves. What the two
/// hold is kept until the thread was joined; of a thread that is adopted later than that, or by a
/// parent process, for ever.
///
/// Thread safety: any thread.
void adopt_orphan(std::thread thread, std::function<bool()> has_ended,
                  std::function<void()> stop = {});
/// The same of a thread that may be stuck in the system and touches nothing but what it holds: the
/// end of the program does not wait for it.
void adopt_stuck_orphan(std::thread thread, std::function<bool()> has_ended);

/// Joins those that have ended, so that a program that runs for years keeps few. Never waits.
void join_ended_orphans();

/// Stops and joins all of them, as the end of the program does: for a library that the threads use
/// and that is taken down before the static objects of this one.
void end_orphans();

}  // namespace oslo::messaging
