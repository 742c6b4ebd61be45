// What passes over a test bus, and what a test makes of it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/testing.hpp>
#include <vector>

#include "drivers/inproc/bus.hpp"
#include "testing/manual_loop.hpp"

namespace oslo::messaging::testing {

/// Records every send and decides what becomes of it. All drivers of a bus share one.
///
/// Thread safety: `pass`, `lets_heartbeats_pass`, `online` and the records from any thread; the
/// rest on the loop.
class traffic final : public inproc::reply_gate, public std::enable_shared_from_this<traffic> {
 public:
  using forward = std::function<void(send_options, send_completion)>;

  explicit traffic(std::shared_ptr<manual_loop> loop) noexcept : loop_(std::move(loop)) {}

  /// Records the message; then `go` sends it, now or when the bus is online, unless it fails.
  void send(recorded_message m, const void* sender, send_options o, send_completion done,
            forward go);
  /// Ends what waits for a sender that closes.
  void abandon(const void* sender);

  void fail_sends(failure why, std::size_t count) { faults_.insert(faults_.end(), count, why); }
  void drop_replies(std::size_t count);
  void go_offline();
  void go_online();
  bool online() const noexcept { return online_; }
  /// Called whenever `online()` has changed.
  void watch(const void* sender, std::function<void()> changed);

  void pass(unique_function<void()> deliver) override;
  bool lets_heartbeats_pass() const override { return online_; }

  std::vector<recorded_message> sent() const;
  std::vector<recorded_message> wait_for_sent(std::size_t count,
                                              std::chrono::milliseconds limit) const;
  void forget();

 private:
  struct give_up {
    std::weak_ptr<traffic> where;
    std::uint64_t id;
    void operator()() const;
  };
  /// A send while the bus is offline.
  struct held {
    std::uint64_t id = 0;
    const void* sender = nullptr;
    send_options options{};
    send_completion done{};
    forward go{};
    std::string destination{};
    scheduler::time_point since{};
    scheduler::timer_id timer = scheduler::timer_id::none;
    std::unique_ptr<std::stop_callback<give_up>> on_cancel{};
  };

  void hold(const target& to, const void* sender, send_options o, send_completion done, forward go);
  void end(std::uint64_t id, const std::function<failure(const held&)>& why);
  void tell_watchers();
  void record(recorded_message m);

  const std::shared_ptr<manual_loop> loop_;
  std::deque<failure> faults_;                                           // loop
  std::list<held> held_;                                                 // loop
  std::uint64_t last_id_ = 0;                                            // loop
  std::vector<std::pair<const void*, std::function<void()>>> watchers_;  // loop
  std::atomic<bool> online_{true};

  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable changed_;
  std::size_t replies_to_drop_ = 0;
  std::vector<unique_function<void()>> held_replies_;
  std::vector<recorded_message> records_;
};

}  // namespace oslo::messaging::testing
