// What Python waits for: on a thread, or through the event loop of its thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "announcer.hpp"

namespace oslo::messaging::python {

/// Thread safety: any thread. It knows nothing of Python.
class waitable {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  virtual ~waitable() = default;

  /// Does what was put off until somebody waits: there the interpreter's lock need not be held.
  virtual void start() {}
  /// Blocks this thread. False: the time came first.
  bool wait_until(std::optional<time_point> when);
  /// `number` is announced once, when this becomes ready. False: it is ready already, and nothing
  /// will be announced. One watcher.
  bool watch(std::shared_ptr<announcer> to, std::uint64_t number);
  /// Ends the watch.
  void unwatch();

 protected:
  /// With the lock held.
  virtual bool ready() const = 0;
  /// After a change that may have made it ready, with the lock held.
  void changed();

  mutable std::mutex mutex_;

 private:
  std::condition_variable changed_;
  std::shared_ptr<announcer> watcher_;
  std::uint64_t number_ = 0;
};

}  // namespace oslo::messaging::python
