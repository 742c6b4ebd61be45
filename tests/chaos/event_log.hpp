// What happened to each message, as lines that tests/chaos/total_queue.py reads.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstdio>
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
