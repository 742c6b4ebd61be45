// Notices that an object with threads or sockets has been inherited by a child process.
#pragma once

#include <cstdint>
#include <memory>

namespace oslo::messaging {

/// How many forks lie between the first process and this one. Any thread.
std::uint64_t process_generation() noexcept;

/// Remembers the process it was made in.
class fork_guard {
 public:
  /// True in a child of that process: threads are gone, sockets are the parent's.
  bool in_child() const noexcept { return born_ != process_generation(); }

 private:
  std::uint64_t born_ = process_generation();
};

/// Keeps an object from ever being destroyed: what cannot be ended in a child stays as it is.
void leave_to_parent(std::shared_ptr<void> object);

}  // namespace oslo::messaging
