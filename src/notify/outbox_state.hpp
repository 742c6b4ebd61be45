// The queue of an outbox and what becomes of its messages.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/notify/outbox.hpp>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/tasks/waiting.hpp"
#include "notify/notifier_core.hpp"

namespace oslo::messaging::notify {

/// Everything that is called from here into other code (drivers, reports, the log, measurements)
/// is called without the lock. What is handed to others holds the state weakly: when the outbox is
/// gone every message has been reported.
///
/// Thread safety: all members from any thread.
class outbox::state : public std::enable_shared_from_this<outbox::state> {
 public:
  using report_function = unique_function<void(const delivery_report&)>;
  using clock = std::chrono::steady_clock;

  /// A message from `admit` to its report.
  struct entry {
    outgoing_notification message;
    report_function done;
    std::size_t bytes = 0;
    std::uint64_t number = 0;
    std::optional<clock::time_point> deadline{};
    std::vector<std::size_t> left{};   ///< sinks that have not taken it
    std::size_t under_way = 0;         ///< sinks that have not answered
    std::optional<failure> passing{};  ///< the last one
    bool try_later = false;            ///< the attempt under way has failed with that
    std::optional<failure> for_good{};
    bool alone = false;  ///< is sent by itself, to find out whether it is the one that is refused
    bool settled = false;
  };
  using entry_ptr = std::shared_ptr<entry>;

  state(std::shared_ptr<const detail::notifier_core> core, outbox_options o);

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
  struct report {
    entry_ptr of;
    delivery what;
    failure why;
  };
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
  enum class verdict { taken, refused, must_wait };

  // With the lock held. The loop only takes work there, and runs none.
  verdict admit(const entry_ptr& e, failure& why, later& todo);
  bool fits(const entry& e) const noexcept;
  void number(const entry_ptr& e);
  void take_in(const entry_ptr& e);
  bool drop_for(const entry& e);
  void drop(const entry_ptr& e);
  bool may_report() const noexcept;
  void admit_parked(later& todo);
  void want_turn();
  bool can_send() const;
  void settle(const entry_ptr& e, delivery what, failure why);
  void release(const entry& e);
  void end_attempt(const entry_ptr& e, later& todo);
  void hold_up(const failure& why, later& todo);
  void reported(const entry& e, later& todo);
  bool is_news(std::optional<clock::time_point>& last) const;
  void say(later& todo, log_level level, std::string text);
  void measure(later& todo);
  failure full() const;

  // Without it.
  void run(later& todo) const;
  unique_function<void()> to_self(void (state::*member)());
  void turn();
  void deliver_reports();
  void call(const report& r);
  void send(const entry_ptr& e);
  void answered(const entry_ptr& e, std::optional<std::size_t> sink, const result<void>& r);
  void stop_waiting(const parked_ptr& p);
  void stop_flushing(const flusher_ptr& f);
  void give_up_the_rest();
  bool reporting_here() const;

  const std::shared_ptr<const detail::notifier_core> core_;
  const outbox_options o_;

  mutable std::mutex mutex_;
  std::map<std::uint64_t, entry_ptr> queue_;
  std::map<std::uint64_t, entry_ptr> on_the_way_;
  std::list<parked_ptr> parked_;
  std::vector<report> reports_;
  std::list<flusher_ptr> flushers_;
  std::size_t queued_bytes_ = 0;
  std::size_t bytes_ = 0;  ///< of queue_ and on_the_way_
  std::uint64_t last_number_ = 0;
  std::uint64_t unreported_ = 0;
  outbox_counts counts_;
  outbox_counts measured_;  ///< what the measurements say
  bool turn_wanted_ = false;
  bool closing_ = false;
  bool given_up_ = false;
  bool held_up_ = false;
  std::optional<clock::time_point> hold_up_said_{};
  std::optional<clock::time_point> overflow_said_{};
  clock::time_point paused_until_ = clock::time_point::min();
  std::chrono::milliseconds pause_{0};

  bool reporting_ = false;
  std::thread::id reporter_;
  std::vector<std::shared_ptr<waiter>> waiting_for_reporter_;

  std::stop_source cancel_;
};

}  // namespace oslo::messaging::notify
