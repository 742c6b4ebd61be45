#include "child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace oslo::messaging::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

[[noreturn]] void fail(const char* what) {
  throw std::system_error{errno, std::generic_category(), what};
}

int left_until(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

}  // namespace

child_process::child_process(const std::vector<std::string>& arguments) {
  std::string name = "oslo-msg";
  std::vector<std::string> copies = arguments;
  std::vector<char*> argv{name.data()};
  for (auto& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail("A pipe for a server's output");
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    // Between fork and exec only what is safe in a signal handler.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    dup2(ends[1], STDOUT_FILENO);
    close_range(STDERR_FILENO + 1, ~0u, 0);  // the connections of this process are none of its
    execv("/proc/self/exe", argv.data());
    _exit(127);
  }
  close(ends[1]);
  output_ = ends[0];
  if (pid_ < 0) {
    close(output_);
    fail("A process for a server");
  }
}

child_process::~child_process() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(output_);
}

std::string child_process::read_line(milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    pollfd readable{output_, POLLIN, 0};
    const int ready = poll(&readable, 1, left_until(deadline));
    if (ready == 0) throw std::runtime_error{"The server said nothing in time."};
    if (ready < 0 && errno != EINTR) fail("Waiting for a server's output");
    if (ready < 0) continue;
    char buffer[4096];
    const auto got = read(output_, buffer, sizeof buffer);
    if (got == 0) throw std::runtime_error{"The server ended early."};
    if (got < 0 && errno != EINTR) fail("Reading a server's output");
    if (got > 0) unread_.append(buffer, static_cast<std::size_t>(got));
  }
}

void child_process::stop(milliseconds limit) {
  kill(pid_, SIGTERM);
  wait(limit);
}

void child_process::wait(milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  // Its end closes the pipe: no polling of waitpid.
  for (;;) {
    pollfd readable{output_, POLLIN, 0};
    const int ready = poll(&readable, 1, left_until(deadline));
    if (ready == 0) throw std::runtime_error{"The server did not end in time."};
    if (ready < 0) continue;
    char buffer[4096];
    if (read(output_, buffer, sizeof buffer) <= 0) break;
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw std::runtime_error{"The server did not end well."};
}

}  // namespace oslo::messaging::cli
