#include <algorithm>
#include <exception>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/fibers.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/tasks/fork_guard.hpp"
#include "core/tasks/orphan_threads.hpp"
#include "fibers/fiber_thread.hpp"

namespace oslo::messaging {
namespace {

constexpr std::size_t smallest_stack = std::size_t{32} << 10;

void check(const fiber_options& o) {
  if (o.threads == 0)
    throw_failure({errc::invalid_argument, "A fiber executor needs at least one thread."});
  if (o.max_fibers < o.threads)
    throw_failure({errc::invalid_argument,
                   "A fiber executor needs at least one fiber a thread: max_fibers is " +
                       std::to_string(o.max_fibers) + ", threads is " + std::to_string(o.threads) +
                       "."});
  if (o.stack_bytes < smallest_stack)
    throw_failure({errc::invalid_argument, "The stack of a fiber needs at least " +
                                               std::to_string(smallest_stack) + " bytes, not " +
                                               std::to_string(o.stack_bytes) + "."});
}

class fiber_executor_impl final : public executor {
 public:
  explicit fiber_executor_impl(const fiber_options& o) : max_fibers_(o.max_fibers) {
    members_.reserve(o.threads);
    try {
      for (std::size_t i = 0; i < o.threads; ++i) {
        // The first ones take what the division leaves over.
        const auto share = o.max_fibers / o.threads + (i < o.max_fibers % o.threads ? 1 : 0);
        auto fibers = std::make_shared<fibers::fiber_thread>(share, o.stack_bytes);
        std::thread thread([fibers] { fibers->run(); });
        members_.push_back({std::move(fibers), std::move(thread)});
      }
    } catch (const std::exception& e) {
      const auto started = members_.size();
      close();
      throw_failure({errc::limit_exceeded,
                     "Thread " + std::to_string(started + 1) + " of " + std::to_string(o.threads) +
                         " of a fiber executor could not be started: " + e.what()});
    }
  }
  ~fiber_executor_impl() override { close(); }
  fiber_executor_impl(const fiber_executor_impl&) = delete;
  fiber_executor_impl& operator=(const fiber_executor_impl&) = delete;

  void execute(unique_function<void()> work) override {
    const auto idlest = std::min_element(
        members_.begin(), members_.end(),
        [](const member& a, const member& b) { return a.fibers->load() < b.fibers->load(); });
    if (idlest->fibers->submit(work)) return;
    // Only while the executor is being destroyed: that thread had nothing left to do. The one that
    // runs the caller has.
    for (auto& m : members_)
      if (m.fibers->submit(work)) return;
  }
  std::size_t concurrency() const noexcept override { return max_fibers_; }

 private:
  struct member {
    std::shared_ptr<fibers::fiber_thread> fibers;
    std::thread thread;
  };

  void close() {
    if (born_.in_child()) {
      leave_to_parent(std::make_shared<std::vector<member>>(std::move(members_)));
      return;
    }
    for (auto& m : members_) m.fibers->stop();
    const bool on_own_thread = std::any_of(members_.begin(), members_.end(), [](const member& m) {
      return m.thread.get_id() == std::this_thread::get_id();
    });
    for (auto& m : members_) {
      // A join would stop all fibers of this thread, and the other threads may wait for one.
      if (on_own_thread)
        adopt_orphan(std::move(m.thread), [fibers = m.fibers] { return fibers->has_ended(); });
      else
        m.thread.join();
    }
  }

  const std::size_t max_fibers_;
  std::vector<member> members_;
  const fork_guard born_;
};

}  // namespace

std::shared_ptr<executor> fiber_executor(fiber_options o) {
  check(o);
  return std::make_shared<fiber_executor_impl>(o);
}

}  // namespace oslo::messaging
