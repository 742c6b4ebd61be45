#include "core/tasks/orphan_threads.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/tasks/fork_guard.hpp"

namespace oslo::messaging {
namespace {

struct orphan {
  std::thread thread;
  std::function<bool()> has_ended;
  std::function<void()> stop;
  bool may_be_left = false;
};

class orphanage {
 public:
  /// Never destroyed: a thread may come while the program exits.
  static orphanage& instance() {
    static orphanage& one = *new orphanage;
    static const struct at_exit {
      ~at_exit() { one.join_all(); }
    } join_at_exit;
    return one;
  }

  void adopt(orphan o) {
    join_ended();
    const std::lock_guard lock{mutex_};
    forget_parent();
    if (exiting_) o.thread.detach();  // nobody is left to join it
    orphans_.push_back(std::move(o));
  }

  void join_ended() {
    // What an orphan holds may own others' threads: it goes after the lock.
    std::vector<orphan> ended;
    {
      const std::lock_guard lock{mutex_};
      forget_parent();
      if (exiting_) return;
      const auto first = std::stable_partition(orphans_.begin(), orphans_.end(),
                                               [](const orphan& o) { return !o.has_ended(); });
      ended.assign(std::move_iterator(first), std::move_iterator(orphans_.end()));
      orphans_.erase(first, orphans_.end());
    }
    for (auto& o : ended) join(o);
  }

  /// Those that come later are left to themselves.
  void join_all() {
    std::vector<orphan> all;
    {
      const std::lock_guard lock{mutex_};
      forget_parent();
      if (std::exchange(exiting_, true)) return;
      all.swap(orphans_);
    }
    for (auto& o : all) {
      if (o.stop) o.stop();
      if (o.may_be_left && !o.has_ended())
        o.thread.detach();
      else
        join(o);
    }
  }

 private:
  static void join(orphan& o) {
    if (o.thread.get_id() == std::this_thread::get_id())
      o.thread.detach();  // it called exit() itself, and will never come back to be joined
    else
      o.thread.join();
  }

  /// In a child the threads are gone and cannot be joined.
  void forget_parent() {
    if (!born_.in_child()) return;
    leave_to_parent(std::make_shared<std::vector<orphan>>(std::move(orphans_)));
    orphans_.clear();
    born_ = {};
  }

  std::mutex mutex_;
  bool exiting_ = false;
  std::vector<orphan> orphans_;
  fork_guard born_;
};

}  // namespace

void adopt_orphan(std::thread thread, std::function<bool()> has_ended, std::function<void()> stop) {
  orphanage::instance().adopt({std::move(thread), std::move(has_ended), std::move(stop), false});
}

void adopt_stuck_orphan(std::thread thread, std::function<bool()> has_ended) {
  orphanage::instance().adopt({std::move(thread), std::move(has_ended), {}, true});
}

void join_ended_orphans() {
  orphanage::instance().join_ended();
}

void end_orphans() {
  orphanage::instance().join_all();
}

}  // namespace oslo::messaging
