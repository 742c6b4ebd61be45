// Handlers on fibers: threads of execution that cost memory instead of a thread while they wait.
#pragma once

#include <cstddef>
#include <memory>
#include <oslo/messaging/executor.hpp>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// Options of `fiber_executor`.
struct fiber_options {
  /// Threads that run the fibers. With one, handlers never run at the same time: they take turns
  /// where they wait.
  std::size_t threads = 1;
  /// Fibers at once, of all threads together; what `concurrency()` tells. Each one has two memory
  /// mappings, of which Linux allows a process 65,530 (vm.max_map_count).
  std::size_t max_fibers = 10'000;
  /// Address space for the stack of a fiber, at least 32 KiB. Pages that are never touched cost no
  /// memory; one page more guards the end, so that an overflow ends the program. A peer may nest a
  /// `value` 1,024 levels deep, which takes up to 100 KiB to copy, and arguments whose type
  /// contains itself 200, up to 130 KiB: smaller stacks are for handlers that take neither.
  std::size_t stack_bytes = std::size_t{256} << 10;
};

/// Runs each piece of work on a fiber of its own (the eventlet of C++; built on Boost.Fiber). While
/// a handler waits in `blocking::client`, `rpc::server::start` or `wait`, `transport::close` or
/// `this_task::sleep_for`, its thread runs other fibers. Whatever else blocks (std::mutex, file
/// and socket calls, std::this_thread) blocks the thread with all its fibers; waits of Boost.Fiber
/// itself are fine, but not inside a catch block.
///
/// A fiber stays on the thread it started on. Work starts in the order of `execute` on each thread;
/// a new piece goes to the thread that has the fewest. When memory for a stack is refused, the work
/// runs on the thread's own stack, and starts no other until it has ended.
///
/// The destructor runs what was submitted and joins. When a fiber of its own destroys it, the
/// destructor returns at once; the threads end after the work that is left, and are joined at the
/// end of the program.
///
/// Throws `configuration_error` for options out of range, `messaging_error`
/// (`errc::limit_exceeded`) when the system refuses a thread. Thread safety: as `executor`.
std::shared_ptr<executor> fiber_executor(fiber_options o = {});

}  // namespace oslo::messaging

#pragma GCC visibility pop
