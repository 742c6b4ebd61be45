#include "drivers/rabbit/queue_names.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "core/unique_id.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr std::chrono::seconds lock_limit{1};
/// oslo.concurrency looks again as often.
constexpr std::chrono::milliseconds look_again{10};

[[noreturn]] void give_up(const char* what, const std::string& file, int error) {
  throw std::runtime_error(std::string(what) + " " + file + ": " +
                           std::generic_category().message(error));
}

class open_file {
 public:
  /// Makes it where it is missing. One of another user that exists may be used in a folder like
  /// /dev/shm only by whoever does not ask to make it. Whoever may write to that folder could have
  /// put a pipe there, on which opening and reading would wait for ever.
  open_file(const std::string& name, int flags) {
    flags |= O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    descriptor_ = ::open(name.c_str(), flags);
    if (descriptor_ < 0 && errno == ENOENT)
      descriptor_ = ::open(name.c_str(), flags | O_CREAT, 0666);
    if (descriptor_ < 0) give_up("cannot open", name, errno);
    struct stat what {};
    if (::fstat(descriptor_, &what) == 0 && S_ISREG(what.st_mode)) return;
    ::close(descriptor_);
    throw std::runtime_error("cannot use " + name + ": it is no regular file");
  }
  ~open_file() { ::close(descriptor_); }
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  int get() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

/// The lock of oslo.concurrency belongs to a process, not to a thread: hold a mutex, too.
void take_lock(const open_file& file, const std::string& name) {
  const auto deadline = std::chrono::steady_clock::now() + lock_limit;
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  while (::fcntl(file.get(), F_SETLK, &whole) != 0) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) give_up("cannot lock", name, errno);
    if (std::chrono::steady_clock::now() >= deadline) give_up("cannot lock", name, ETIMEDOUT);
    std::this_thread::sleep_for(look_again);
  }
}

std::string beginning_of(int descriptor) {
  char text[1024];
  std::size_t size = 0;
  while (size < sizeof text) {
    const auto n = ::read(descriptor, text + size, sizeof text - size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    size += static_cast<std::size_t>(n);
  }
  return {text, size};
}

/// One start of a service: a process group, whose members share a count. Its number may come again
/// after a restart, so the time of its start belongs to it.
struct generation {
  std::int64_t group = 0;
  std::int64_t started = 0;
  bool operator==(const generation&) const = default;
};

/// Field 22 of /proc/PID/stat, as Python reads it; nothing when there is no such process.
std::optional<std::int64_t> start_of(std::int64_t pid) {
  const int descriptor =
      ::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  const auto text = beginning_of(descriptor);
  ::close(descriptor);
  // The name of the program, in parentheses, may hold anything.
  auto at = text.rfind(')');
  for (int blank = 0; blank < 20 && at != text.npos; ++blank) at = text.find(' ', at + 1);
  if (at == text.npos) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + at + 1, text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

generation ours() {
  const std::int64_t group = ::getpgrp();
  return {group, start_of(group != 0 ? group : ::getpid()).value_or(0)};
}

bool lives(const generation& g) {
  if (g.group <= 0 || g.group > INT32_MAX) return false;
  if (const auto start = start_of(g.group)) return *start == g.started;
  // Its first process has ended, others of the group have not.
  return ::kill(static_cast<pid_t>(-g.group), 0) == 0 || errno == EPERM;
}

struct count {
  generation of;
  std::int64_t number = 0;
};

/// "GROUP:NUMBER:START"; nothing for anything else.
std::optional<count> read_count(const std::string& text) {
  count c;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (auto* const part : {&c.of.group, &c.number, &c.of.started}) {
    if (part != &c.of.group && (at == end || *at++ != ':')) return std::nullopt;
    const auto [next, error] = std::from_chars(at, end, *part);
    if (error != std::errc{}) return std::nullopt;
    at = next;
  }
  constexpr std::int64_t most = std::int64_t{1} << 53;
  if (c.number < 0 || c.number > most) return std::nullopt;
  return c;
}

void write_count(const open_file& file, const std::string& name, const count& c) {
  const auto text = std::to_string(c.of.group) + ':' + std::to_string(c.number) + ':' +
                    std::to_string(c.of.started);
  const auto size = static_cast<ssize_t>(text.size());
  const auto written = ::pwrite(file.get(), text.data(), text.size(), 0);
  if (written < 0) give_up("cannot write", name, errno);
  if (written != size) give_up("cannot write", name, ENOSPC);
  if (::ftruncate(file.get(), size) != 0) give_up("cannot write", name, errno);
}

std::string shared_name(const stable_names& n) {
  return n.hostname + "_" + n.processname;
}

/// A name is no path.
std::string flat(std::string name) {
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

}  // namespace

std::string counter_file(const stable_names& n) {
  return "/dev/shm/" + flat(shared_name(n)) + "_qmanager";
}

std::string lock_file(const stable_names& n, const std::string& folder) {
  return folder + "/oslo_read_shm_" + flat(shared_name(n));
}

std::string next_name(const stable_names& n) {
  static std::mutex one_at_a_time;
  // By counter file, which may vanish while we run: at a logout systemd empties /dev/shm of what
  // belongs to the user.
  static std::map<std::string, std::int64_t> given;
  const std::lock_guard only(one_at_a_time);
  std::error_code ignored;  // opening says what is wrong
  std::filesystem::create_directories(std::filesystem::path(n.lock).parent_path(), ignored);
  const open_file lock(n.lock, O_WRONLY);
  take_lock(lock, n.lock);  // until the file is closed
  const open_file counter(n.counter, O_RDWR);
  const auto us = ours();
  count c = read_count(beginning_of(counter.get())).value_or(count{us, 0});
  // Another process of that name that still runs is no restart: its numbers are in use. Python
  // would begin anew, and both would read the same queues.
  if (c.of != us && !lives(c.of)) c = {us, 0};
  auto& last = given[n.counter];
  c.number = std::max(c.number, last) + 1;
  write_count(counter, n.counter, c);
  last = c.number;
  return n.hostname + ":" + n.processname + ":" + std::to_string(c.number);
}

std::string unique_part(const std::optional<stable_names>& stable, const logger& log) {
  if (stable) {
    try {
      return next_name(*stable);
    } catch (const std::exception& e) {
      log(log_level::warning,
          std::string("use_queue_manager: a queue gets a random name, because this process ") +
              e.what() + ".");
    }
  }
  return unique_id();
}

}  // namespace oslo::messaging::rabbit
