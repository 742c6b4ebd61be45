// Where a handler runs. The only seam between the library and a threading model.
#pragma once

#include <cstddef>
#include <memory>
#include <oslo/messaging/function.hpp>

namespace oslo::messaging {

/// Runs pieces of work. Servers own their loop; an executor only says where a handler runs.
///
/// Thread safety: `execute` may be called from any thread.
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

/// A pool of `threads` threads (oslo's default is 64). Its destructor runs what was submitted and
/// joins. Throws `configuration_error` when `threads` is 0.
std::shared_ptr<executor> thread_pool(std::size_t threads = 64);

}  // namespace oslo::messaging
