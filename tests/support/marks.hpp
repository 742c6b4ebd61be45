// What arrives at a consumer: numbered marks, told by casts or notifications.
#pragma once

#include <boost/describe/class.hpp>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

namespace oslo::messaging::testing {

struct mark {
  int id = 0;
  std::string text{};  ///< only makes it large
};
BOOST_DESCRIBE_STRUCT(mark, (), (id, text))

/// `mark` as JSON.
inline std::string mark_json(int id, std::size_t size = 0) {
  return "{\"id\": " + std::to_string(id) + ", \"text\": \"" + std::string(size, 'x') + "\"}";
}

/// Thread safety: all members may be called from any thread.
class marks {
 public:
  void add(int id) {
    const std::lock_guard lock(mutex_);
    ++seen_[id];
    changed_.notify_all();
  }
  /// Waits until so many different ones were seen; false when they were not within `limit`.
  bool wait(std::size_t count, std::chrono::seconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return seen_.size() >= count; });
  }
  /// How often each was seen.
  std::map<int, int> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int, int> seen_;
};

}  // namespace oslo::messaging::testing
