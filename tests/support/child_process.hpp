// Programs that a test starts beside itself.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging::testing {

/// A program with an empty standard input and a pipe for its standard output; its standard error
/// is the test's. The destructor kills what still runs.
class child_process {
 public:
  /// Throws `std::system_error` when the program cannot be started.
  explicit child_process(const std::vector<std::string>& command);
  ~child_process();
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  pid_t pid() const noexcept { return pid_; }
  /// Reads standard output until `line` came; false when the output or the time ended before.
  bool wait_for_line(std::string_view line, std::chrono::milliseconds limit);
  /// Everything it writes until it closes its output; none when that takes longer than `limit`.
  std::optional<std::string> read_all(std::chrono::milliseconds limit);
  void send_signal(int number) noexcept;
  /// Exit code, or 128 + signal; none when it still runs after `limit`.
  std::optional<int> wait(std::chrono::milliseconds limit);

 private:
  using instant = std::chrono::steady_clock::time_point;
  /// False at the end of the output or of the time.
  bool read_more(instant deadline);

  pid_t pid_ = -1;
  int output_ = -1;
  std::string text_;
  bool output_ended_ = false;
  std::optional<int> exit_code_;
};

/// Runs a program to its end and returns what it printed. Throws `std::runtime_error` when it fails
/// or takes longer than `limit`.
std::string run(const std::vector<std::string>& command,
                std::chrono::milliseconds limit = std::chrono::seconds(120));

}  // namespace oslo::messaging::testing
