// The life of one listener.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/notify/listener.hpp>
#include <utility>
#include <vector>

#include "notify/dispatcher.hpp"

namespace oslo::messaging::notify::detail {

/// Pulls from its subscription on the loop, hands work (a message, or a batch) to the executor, and
/// keeps count of it. What it does not pull stays with the bus.
///
/// Members marked "loop" are touched on the transport's loop only.
class listener_state : public std::enable_shared_from_this<listener_state> {
 public:
  listener_state(transport b, std::vector<target> targets,
                 std::vector<std::shared_ptr<endpoint>> endpoints, listener_options o);

  // Each may be called from any thread and happens on the loop, in the order of the calls.
  void async_start(unique_function<void(result<void>)> done);
  void async_stop();
  void async_wait(unique_function<void()> done);
  /// Stops, also what was never started.
  void shut_down();

  /// True on the loop and inside a handler of this listener.
  bool waiting_would_deadlock() const noexcept;
  /// Gives the executor away, so that it does not end on a thread of its own. Precondition: nothing
  /// is running, and it is never started again.
  std::shared_ptr<messaging::executor> retire() { return std::move(executor_); }

  transport bus;
  const listener_options options;
  std::atomic<std::size_t> open{0};  ///< messages that are not settled

 private:
  enum class phase { fresh, starting, listening, stopping, stopped };

  void subscribe();  // loop, as all that follow
  void subscribed(result<void> verdict);
  void stop_listening();
  void ended();
  void tell_waiters();
  void pull();
  void take(incoming_batch arrived);
  void collect(incoming_batch arrived);
  std::optional<scheduler::time_point> end_of_batch();
  void hand_out_batch();
  void submit(incoming_batch work);

  void work_on(incoming_batch work);    // on the executor
  void finished(std::size_t messages);  // any thread

  const std::vector<target> targets_;
  const dispatcher dispatcher_;
  std::shared_ptr<messaging::executor> executor_;
  const std::size_t limit_;                                      ///< pieces of work at once
  phase phase_ = phase::fresh;                                   // loop
  std::unique_ptr<messaging::listener> subscription_;            // loop
  unsigned round_ = 0;                                           // loop; counts subscriptions
  scheduler::timer_id start_timer_ = scheduler::timer_id::none;  // loop
  std::vector<unique_function<void(result<void>)>> starts_;      // loop
  std::vector<unique_function<void()>> waits_;                   // loop
  bool pulling_ = false;                                         // loop
  bool taking_ = false;                                          // loop
  incoming_batch collected_;                                     // loop; a batch that is not due
  scheduler::timer_id batch_timer_ = scheduler::timer_id::none;  // loop
  scheduler::time_point window_start_{};  // loop; the end of the last batch, or the start
  bool due_ = false;                      // loop; the batch waits for the executor only
  std::atomic<std::size_t> busy_{0};      // pieces of work under way
  std::atomic<bool> starved_{false};      // somebody waits for `busy_` to become less
  std::atomic<bool> draining_{false};     // somebody waits for `open` to become 0
};

}  // namespace oslo::messaging::notify::detail
