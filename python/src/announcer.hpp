// Tells the event loop of a Python thread, through one file descriptor, what is ready.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace oslo::messaging::python {

/// Numbers that are announced on any thread and taken by the one that watches the descriptor.
class announcer : public std::enable_shared_from_this<announcer> {
 public:
  announcer();  // throws std::system_error
  ~announcer();
  announcer(const announcer&) = delete;
  announcer& operator=(const announcer&) = delete;

  /// Readable while something waits to be taken.
  int descriptor() const noexcept { return descriptor_; }
  /// Any thread. Numbers that come before the next `take` cost one write together.
  void announce(std::uint64_t number);
  /// What was announced since the last time.
  std::vector<std::uint64_t> take();

 private:
  int descriptor_;
  std::mutex mutex_;
  std::vector<std::uint64_t> waiting_;
};

}  // namespace oslo::messaging::python
