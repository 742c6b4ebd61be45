#include "core/tasks/orphan_threads.hpp"

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/tasks/fork_guard.hpp"

namespace oslo::messaging {
namespace {

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

  void adopt(std::thread thread, std::function<bool()> has_ended) {
    const std::lock_guard lock{mutex_};
    forget_parent();
    if (exiting_) {
      thread.detach();  // nobody is left to join it
      return;
    }
    std::erase_if(orphans_, [](orphan& o) {
      if (!o.has_ended()) return false;
      o.thread.join();
      return true;
    });
    orphans_.push_back({std::move(thread), std::move(has_ended)});
  }

 private:
  struct orphan {
    std::thread thread;
    std::function<bool()> has_ended;
  };

  void join_all() {
    std::vector<orphan> all;
    {
      const std::lock_guard lock{mutex_};
      forget_parent();
      exiting_ = true;
      all.swap(orphans_);
    }
    for (auto& o : all) {
      if (o.thread.get_id() == std::this_thread::get_id())
        o.thread.detach();  // it called exit() itself, and will never come back to be joined
      else
        o.thread.join();
    }
  }

  std::mutex mutex_;
  bool exiting_ = false;
  /// In a child the threads are gone and cannot be joined.
  void forget_parent() {
    if (!born_.in_child()) return;
    leave_to_parent(std::make_shared<std::vector<orphan>>(std::move(orphans_)));
    orphans_.clear();
    born_ = {};
  }

  std::vector<orphan> orphans_;
  fork_guard born_;
};

}  // namespace

void adopt_orphan(std::thread thread, std::function<bool()> has_ended) {
  orphanage::instance().adopt(std::move(thread), std::move(has_ended));
}

}  // namespace oslo::messaging
