// How operations that run at once have ended.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <oslo/messaging/error.hpp>
#include <ostream>
#include <string>
#include <vector>

namespace oslo::messaging::testing {

struct outcome {
  errc code{};  ///< 0: it succeeded
  std::string message;
  std::chrono::steady_clock::duration took{};

  bool ok() const noexcept { return code == errc{}; }
};

inline std::ostream& operator<<(std::ostream& out, const outcome& o) {
  return out << (o.ok() ? "ok" : make_error_code(o.code).message()) << " after "
             << std::chrono::duration_cast<std::chrono::milliseconds>(o.took).count()
             << " ms: " << o.message;
}

/// Thread safety: all members may be called from any thread; completions may outlive the object.
class outcomes {
 public:
  /// The completion of operation `id`, which begins now.
  auto completion(int id) {
    return [s = state_, id, begin = std::chrono::steady_clock::now()](const auto& r) {
      const std::lock_guard lock(s->mutex);
      auto& o = s->all[id];
      if (r.has_error()) {
        o.code = r.error().code();
        o.message = r.error().message();
      }
      o.took = std::chrono::steady_clock::now() - begin;
      s->changed.notify_all();
    };
  }
  /// Waits until so many have ended; false when they have not within `limit`.
  bool wait(std::size_t count, std::chrono::seconds limit) const {
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_for(lock, limit, [&] { return state_->all.size() >= count; });
  }
  /// The ids of those that have ended and failed.
  std::vector<int> failed() const {
    const std::lock_guard lock(state_->mutex);
    std::vector<int> ids;
    for (const auto& [id, o] : state_->all)
      if (!o.ok()) ids.push_back(id);
    return ids;
  }
  /// How that one ended.
  outcome of(int id) const {
    const std::lock_guard lock(state_->mutex);
    return state_->all.at(id);
  }
  /// In the order of the ids.
  std::vector<errc> codes() const {
    const std::lock_guard lock(state_->mutex);
    std::vector<errc> codes;
    for (const auto& [id, o] : state_->all) codes.push_back(o.code);
    return codes;
  }
  std::map<int, outcome> all() const {
    const std::lock_guard lock(state_->mutex);
    return state_->all;
  }

 private:
  struct state {
    std::mutex mutex;
    std::condition_variable changed;
    std::map<int, outcome> all;
  };
  std::shared_ptr<state> state_ = std::make_shared<state>();
};

/// How many ended, and the first failures among them.
inline std::ostream& operator<<(std::ostream& out, const outcomes& o) {
  out << o.all().size() << " ended";
  int shown = 0;
  for (const auto id : o.failed())
    if (++shown <= 3) out << "\n  " << id << ": " << o.of(id);
  return out;
}

}  // namespace oslo::messaging::testing
