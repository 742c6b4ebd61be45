// How a thread waits: it blocks, unless an executor that runs many tasks on it knows better.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

namespace oslo::messaging {

using wait_limit = std::optional<std::chrono::steady_clock::time_point>;

/// One task that waits once. Shared by the two sides: the waker may come after the waiter gave up.
class waiter {
 public:
  virtual ~waiter() = default;
  /// Returns once `wake` has been called, or at `until`. Only for the task that made the waiter.
  virtual void wait(wait_limit until) = 0;
  /// From any thread, also before `wait`.
  virtual void wake() noexcept = 0;
};

/// Runs many tasks on one thread, and lets another one run while a task waits. Such a thread
/// installs its own; on all others a task is a thread.
class task_switcher {
 public:
  virtual ~task_switcher() = default;
  virtual std::shared_ptr<waiter> make_waiter() = 0;
  virtual void yield() = 0;

  /// The one of this thread, or null.
  static task_switcher*& here() noexcept;
};

/// A waiter for the task that runs here.
std::shared_ptr<waiter> make_waiter();

/// Whose work the running task does; null: nobody's in particular. A task switcher keeps it with
/// the task while that waits.
const void*& task_owner() noexcept;

}  // namespace oslo::messaging
