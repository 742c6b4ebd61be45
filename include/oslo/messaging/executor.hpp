// Where a handler runs. The only seam between the library and a threading model.
#pragma once

#include <cstddef>
#include <memory>
#include <oslo/messaging/function.hpp>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// Runs pieces of work. Servers own their loop; an executor only says where a handler runs.
///
/// Work must not throw: nobody is there to catch it, and the executors of this library end the
/// program (`std::terminate`). Servers wrap each handler before they submit it.
///
/// Thread safety: `execute` may be called from any thread, also from work.
class executor {
 public:
  virtual ~executor() = default;
  /// Runs `work` exactly once, now or later. Must not wait for room: the server never submits more
  /// than `concurrency()` pieces at once.
  virtual void execute(unique_function<void()> work) = 0;
  /// How many pieces of work may be under way at once; at least 1.
  virtual std::size_t concurrency() const noexcept = 0;
  /// True when `execute` runs the work before it returns, on the transport's own I/O thread.
  virtual bool is_inline() const noexcept { return false; }
};

/// Runs each handler at once on the transport's I/O thread. The fastest choice for handlers that
/// never block; one that does stops heartbeats, replies and all other handlers of the transport.
std::shared_ptr<executor> inline_executor();

/// A pool of `threads` threads (oslo's default is 64). Work starts in the order of `execute`; few
/// threads do many short pieces of work, and a piece never waits while a thread is idle.
///
/// Its destructor runs what was submitted and joins. When one of its own threads destroys it (work
/// held the last reference), the destructor joins the others, returns, and that thread ends after
/// it has run what is left; it is joined at the end of the program.
///
/// Throws `configuration_error` when `threads` is 0 or above 32,768, `messaging_error`
/// (`errc::limit_exceeded`) when the system refuses a thread.
std::shared_ptr<executor> thread_pool(std::size_t threads = 64);

}  // namespace oslo::messaging

#pragma GCC visibility pop
