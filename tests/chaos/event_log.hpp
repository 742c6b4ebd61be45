// What happened to each message, as lines that tests/chaos/total_queue.py reads.
#pragma once

#include <malloc.h>
#include <pthread.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <oslo/messaging/error.hpp>
#include <string>
#include <system_error>

namespace oslo::messaging::chaos {

/// One line an event: the monotonic clock in seconds, the event, the number of the message, and for
/// an error its text. A line is in the file before `write` returns: a process that is killed leaves
/// all it did.
///
/// Thread safety: any thread.
class event_log {
 public:
  /// Throws `std::system_error`.
  explicit event_log(const std::string& path) : file_(std::fopen(path.c_str(), "w")) {
    if (!file_) throw std::system_error(errno, std::generic_category(), path);
    std::setvbuf(file_.get(), nullptr, _IOLBF, 1 << 16);
  }
  void write(const char* event, long id, std::string text = {}) {
    for (auto& c : text)
      if (c == '\n') c = ' ';
    const std::chrono::duration<double> now = std::chrono::steady_clock::now().time_since_epoch();
    std::fprintf(file_.get(), "%.6f %s %ld %s\n", now.count(), event, id, text.c_str());
  }

 private:
  struct closer {
    void operator()(std::FILE* f) const noexcept { std::fclose(f); }
  };
  std::unique_ptr<std::FILE, closer> file_;
};

/// The signal on which a program gives back to the system what is free: what it has grown by since
/// the last time is then in use, and not the most that ever waited in an outage.
constexpr int trim_signal = SIGUSR2;

/// To be called before there is a second thread.
inline void block(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : signals) sigaddset(&set, s);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

inline void trim(event_log& log) {
  malloc_trim(0);
  log.write("trimmed", 0);
}

/// "unknown" when the message may have arrived all the same, else "error".
inline const char* event_of(const failure& f) {
  const auto& stage = f.detail().stage;
  switch (f.code()) {
    case errc::outcome_unknown:
    case errc::closed:
    case errc::cancelled: return "unknown";
    case errc::timed_out:
      // docs/delivery.md says which stages are definite.
      return stage == "connecting" || stage == "queued" || stage == "returned" || stage == "refused"
                 ? "error"
                 : "unknown";
    default: return "error";
  }
}

}  // namespace oslo::messaging::chaos
