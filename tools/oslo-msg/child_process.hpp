// A second oslo-msg, for the servers that bench measures.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace oslo::messaging::cli {

/// This program with other arguments, its standard output in a pipe. Ends with us, whatever
/// happens to us; the destructor kills what still runs.
///
/// Thread safety: none; make and use it on one thread, one that lives as long as the child.
class child_process {
 public:
  explicit child_process(const std::vector<std::string>& arguments);
  ~child_process();
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  /// The next line of its output, without the newline. Throws `std::runtime_error` when none comes
  /// within `limit` or the child ends.
  std::string read_line(std::chrono::milliseconds limit);
  /// Waits for its end. Throws `std::runtime_error` when it does not exit with 0 in time.
  void wait(std::chrono::milliseconds limit);
  /// Sends SIGTERM and waits.
  void stop(std::chrono::milliseconds limit);
  pid_t id() const noexcept { return pid_; }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  std::string unread_;
};

}  // namespace oslo::messaging::cli
