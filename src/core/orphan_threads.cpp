#include "core/orphan_threads.hpp"

#include <mutex>
#include <utility>
#include <vector>

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
  std::vector<orphan> orphans_;
};

}  // namespace

void adopt_orphan(std::thread thread, std::function<bool()> has_ended) {
  orphanage::instance().adopt(std::move(thread), std::move(has_ended));
}

}  // namespace oslo::messaging
