// Threads that outlive what owned them.
#pragma once

#include <functional>
#include <thread>

namespace oslo::messaging {

/// Takes a thread that could not be joined, because it destroyed its own executor itself. It is
/// joined after it has ended, at the latest when the program ends. `has_ended` says when a join
/// does not wait any more; it is called from any thread.
void adopt_orphan(std::thread thread, std::function<bool()> has_ended);

}  // namespace oslo::messaging
