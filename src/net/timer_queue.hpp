// Many timers over one Asio timer.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <oslo/messaging/scheduler.hpp>
#include <vector>

namespace oslo::messaging::net {

/// Deadlines in a heap, and one `steady_timer` that waits for the earliest. Adding and cancelling
/// touch Asio only when the earliest deadline moves forward, so a timer that never fires (nearly
/// all do not) costs a heap entry.
///
/// Work runs on the executor, without a lock. Thread safety: all members from any thread, except
/// that the last reference is dropped when no `add` is under way.
class timer_queue : public std::enable_shared_from_this<timer_queue> {
 public:
  using time_point = scheduler::time_point;
  using timer_id = scheduler::timer_id;

  /// `executor` runs one piece of work at a time.
  explicit timer_queue(const boost::asio::any_io_executor& executor) : timer_(executor) {}

  timer_id add(time_point when, unique_function<void()> work);
  void cancel(timer_id id);
  /// Drops all timers without running them, and accepts no more. Call on the executor.
  void shut_down();

 private:
  struct slot {
    std::uint32_t serial = 0;  // of the present owner; odd while in use
    std::uint32_t next_free = 0;
    unique_function<void()> work;
  };
  struct node {
    time_point when;
    std::uint64_t id;
  };
  struct comes_later {
    bool operator()(const node& a, const node& b) const noexcept {
      return a.when != b.when ? a.when > b.when : a.id > b.id;
    }
  };

  static std::uint64_t make_id(std::uint32_t index, std::uint32_t serial) noexcept {
    return std::uint64_t{serial} << 32 | index;
  }
  bool alive(std::uint64_t id) const noexcept;
  unique_function<void()> release(std::uint64_t id) noexcept;
  void drop_dead_nodes();
  void arm();
  void fire();

  std::mutex mutex_;
  std::vector<slot> slots_;
  std::uint32_t first_free_ = 0;  // index + 1
  std::vector<node> heap_;
  std::size_t live_ = 0;
  time_point armed_ = time_point::max();  // what `timer_` waits for, or is about to
  bool shut_ = false;
  boost::asio::steady_timer timer_;  // touched on the executor only
};

}  // namespace oslo::messaging::net
