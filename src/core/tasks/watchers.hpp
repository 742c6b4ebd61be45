// A list of callbacks that end with the handles their owners keep.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/health.hpp>
#include <utility>
#include <vector>

#include "core/tasks/guarded.hpp"

namespace oslo::messaging {

/// Thread safety: all members from any thread.
template <class Value>
class watchers {
 public:
  using callback = std::function<void(const Value&)>;

  /// Calls `c` on the loop, first with the present value, which is what `now` returns or what was
  /// told since.
  template <class Now>
  health_watch add(const std::shared_ptr<scheduler>& loop, callback c, const Now& now) {
    auto added = std::make_shared<watcher>(watcher{std::move(c)});
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(all_, [](const auto& weak) { return weak.expired(); });
      all_.push_back(added);
    }
    // From here on it misses nothing.
    loop->post(
        [weak_loop = std::weak_ptr(loop), weak = std::weak_ptr(added), present = Value(now())] {
          const auto here = weak_loop.lock();
          const auto w = weak.lock();
          if (!here || !w) return;
          w->greeted = true;
          call_guarded(*here, w->call, w->newer ? *std::exchange(w->newer, std::nullopt) : present);
        });
    return health_watch(std::move(added));
  }

  /// On the loop. A watcher may add and remove watchers.
  void tell(scheduler& loop, const Value& now) {
    std::vector<std::weak_ptr<watcher>> all;
    {
      const std::lock_guard lock(mutex_);
      all = all_;
    }
    for (const auto& weak : all) {
      const auto w = weak.lock();
      if (!w) continue;
      if (w->greeted)
        call_guarded(loop, w->call, now);
      else
        w->newer = now;
    }
  }

 private:
  struct watcher {
    callback call;
    bool greeted = false;          // loop
    std::optional<Value> newer{};  // loop; came before the first call
  };

  std::mutex mutex_;
  std::vector<std::weak_ptr<watcher>> all_;
};

}  // namespace oslo::messaging
