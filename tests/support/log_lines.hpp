// Collects what a transport logs.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <oslo/messaging/logger.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace oslo::messaging::testing {

class log_lines {
 public:
  logger into(log_level level = log_level::debug) {
    return {level, [this](log_level l, std::string_view text) {
              const std::lock_guard lock(mutex_);
              lines_.emplace_back(l, text);
              changed_.notify_all();
            }};
  }
  /// How many lines of that level hold `part`.
  int count(log_level level, std::string_view part) {
    const std::lock_guard lock(mutex_);
    return count_locked(level, part);
  }
  /// Waits until there is such a line; false when none comes.
  bool wait_for(log_level level, std::string_view part) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20),
                             [&] { return count_locked(level, part) > 0; });
  }
  /// The lines that hold `part`, without their level.
  std::vector<std::string> with(std::string_view part) {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [l, text] : lines_)
      if (text.find(part) != std::string::npos) out.push_back(text);
    return out;
  }

 private:
  int count_locked(log_level level, std::string_view part) const {
    int n = 0;
    for (const auto& [l, text] : lines_) n += l == level && text.find(part) != std::string::npos;
    return n;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<log_level, std::string>> lines_;
};

}  // namespace oslo::messaging::testing
