// A list of callbacks that end with the handles their owners keep.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/tasks/guarded.hpp"

namespace oslo::messaging {

/// Thread safety: all members from any thread.
template <class Value>
class watchers {
 public:
  using watcher = std::function<void(const Value&)>;

  std::shared_ptr<void> add(watcher w) {
    auto added = std::make_shared<watcher>(std::move(w));
    const std::lock_guard lock(mutex_);
    std::erase_if(all_, [](const auto& weak) { return weak.expired(); });
    all_.push_back(added);
    return added;
  }

  /// On the loop. A watcher may add and remove watchers.
  void tell(scheduler& loop, const Value& now) {
    std::vector<std::weak_ptr<watcher>> all;
    {
      const std::lock_guard lock(mutex_);
      all = all_;
    }
    for (const auto& weak : all)
      if (const auto w = weak.lock()) call_guarded(loop, *w, now);
  }

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<watcher>> all_;
};

}  // namespace oslo::messaging
