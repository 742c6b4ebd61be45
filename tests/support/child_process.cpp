#include "support/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

namespace oslo::messaging::testing {

namespace {

using std::chrono::steady_clock;

/// Waits until `descriptor` is readable; false when `deadline` comes first.
bool wait_readable(int descriptor, steady_clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
    pollfd one{descriptor, POLLIN, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
  }
}

[[noreturn]] void fail(int code, const std::string& program) {
  throw std::system_error(code, std::generic_category(), "Cannot start " + program);
}

}  // namespace

child_process::child_process(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail(errno, command.front());

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const auto& one : command) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);

  const int code =
      ::posix_spawnp(&pid_, arguments.front(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  output_ = ends[0];
  if (code != 0) {
    ::close(output_);
    fail(code, command.front());
  }
}

child_process::~child_process() {
  if (!exit_code_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(output_);
}

bool child_process::read_more(instant deadline) {
  if (output_ended_ || !wait_readable(output_, deadline)) return false;
  std::array<char, 4096> buffer;
  const auto count = ::read(output_, buffer.data(), buffer.size());
  if (count <= 0) {
    output_ended_ = true;
    return false;
  }
  text_.append(buffer.data(), static_cast<std::size_t>(count));
  return true;
}

bool child_process::wait_for_line(std::string_view line, std::chrono::milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  do {
    for (auto end = text_.find('\n'); end != std::string::npos; end = text_.find('\n')) {
      const bool found = std::string_view(text_).substr(0, end) == line;
      text_.erase(0, end + 1);
      if (found) return true;
    }
  } while (read_more(deadline));
  return false;
}

std::optional<std::string> child_process::read_all(std::chrono::milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  while (read_more(deadline)) {
  }
  if (!output_ended_) return {};
  return std::move(text_);
}

void child_process::send_signal(int number) noexcept {
  if (!exit_code_) ::kill(pid_, number);
}

std::optional<int> child_process::wait(std::chrono::milliseconds limit) {
  if (exit_code_) return exit_code_;
  // glibc 2.36 declares pidfd_open without extern "C".
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (handle < 0) throw std::system_error(errno, std::generic_category(), "pidfd_open");
  const bool ended = wait_readable(handle, steady_clock::now() + limit);
  ::close(handle);
  if (!ended) return {};
  int status = 0;
  ::waitpid(pid_, &status, 0);
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_code_;
}

std::string run(const std::vector<std::string>& command, std::chrono::milliseconds limit) {
  child_process child{command};
  auto output = child.read_all(limit);
  const auto code = child.wait(limit);
  if (!output || !code) throw std::runtime_error(command.front() + " did not end in time.");
  if (*code != 0)
    throw std::runtime_error(command.front() + " ended with " + std::to_string(*code) + ": " +
                             *output);
  return *std::move(output);
}

}  // namespace oslo::messaging::testing
