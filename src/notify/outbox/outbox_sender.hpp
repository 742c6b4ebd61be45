// Drives the queue of an outbox: threads that post, the loop that sends, reports.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/notify/outbox.hpp>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/hidden.hpp"
#include "core/tasks/waiting.hpp"
#include "notify/notifier_core.hpp"
#include "notify/outbox/outbox_queue.hpp"

namespace oslo::messaging::notify {

/// Everything that is called from here into other code (drivers, reports, the log, measurements)
/// is called without the lock. What is handed to others holds the sender weakly: when the outbox is
/// gone every message has been reported.
///
/// Thread safety: all members from any thread.
class OSLO_HIDDEN outbox::sender : public std::enable_shared_from_this<outbox::sender> {
 public:
  using report_function = unique_function<void(const delivery_report&)>;
  using clock = std::chrono::steady_clock;

  using entry_ptr = outbox_queue::entry_ptr;

  sender(std::shared_ptr<const detail::notifier_core> core, outbox_options o);

  result<entry_ptr> make(notify::priority p, const context& ctxt, std::string_view event_type,
                         const result<std::string>& payload, report_function done);
  /// Takes it, waiting as the rule says.
  result<void> post(entry_ptr e);
  void async_post(entry_ptr e, unique_function<void(result<void>)> accepted);
  result<void> flush(std::chrono::milliseconds limit);
  void async_flush(std::chrono::milliseconds limit, unique_function<void(result<void>)> done);
  void close(std::chrono::milliseconds limit);
  outbox_counts counts() const;
  bool inherited() const noexcept { return core_->bus.inherited(); }
  const transport& bus() const noexcept { return core_->bus; }
  std::chrono::milliseconds linger() const noexcept { return o_.linger; }

 private:
  /// Calls into other code, for after the lock.
  using later = std::vector<unique_function<void()>>;
  /// A message that waits for room.
  struct parked {
    entry_ptr what;
    unique_function<void(result<void>)> accepted;
    scheduler::timer_id timer = scheduler::timer_id::none;
  };
  using parked_ptr = std::shared_ptr<parked>;
  struct flusher {
    std::uint64_t last;        ///< everything up to this number counts
    std::uint64_t unreported;  ///< of those
    unique_function<void(result<void>)> done;
    scheduler::timer_id timer = scheduler::timer_id::none;
  };
  using flusher_ptr = std::shared_ptr<flusher>;
  // With the lock held. The loop only takes work there, and runs none.
  outbox_queue::admission admit(const entry_ptr& e, later& todo);
  void accepted(const entry_ptr& e);
  void ended(outbox_queue::endings& all);
  void admit_parked(later& todo);
  void want_turn();
  void reported(const outbox_entry& e, later& todo);
  bool has_reader(const outbox_entry& e) const noexcept { return e.done || o_.on_report; }
  bool is_news(std::optional<clock::time_point>& last) const;
  void say(later& todo, log_level level, std::string text);
  void say_progress(const outbox_entry& e, const outbox_queue::progress& p, later& todo);
  void measure(later& todo);

  // Without it.
  void run(later& todo) const;
  unique_function<void()> to_self(void (sender::*member)());
  void turn();
  void deliver_reports();
  void call(const outbox_queue::ending& r);
  void send(const entry_ptr& e);
  void answered(const entry_ptr& e, std::optional<std::size_t> sink, const result<void>& r);
  void stop_waiting(const parked_ptr& p);
  void stop_flushing(const flusher_ptr& f);
  void give_up_the_rest();
  bool reporting_here() const;

  const std::shared_ptr<const detail::notifier_core> core_;
  const outbox_options o_;

  mutable std::mutex mutex_;
  outbox_queue queue_;
  std::list<parked_ptr> parked_;
  outbox_queue::endings reports_;
  std::list<flusher_ptr> flushers_;
  std::uint64_t unreported_ = 0;
  outbox_counts measured_;  ///< what the measurements say
  bool turn_wanted_ = false;
  std::optional<clock::time_point> hold_up_said_{};
  std::optional<clock::time_point> overflow_said_{};

  bool reporting_ = false;
  std::thread::id reporter_;
  std::vector<std::shared_ptr<waiter>> waiting_for_reporter_;

  std::stop_source cancel_;
};

}  // namespace oslo::messaging::notify
