// The life of one listener.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/notify/listener.hpp>
#include <utility>
#include <vector>

#include "core/tasks/watchers.hpp"
#include "notify/dead_letters.hpp"
#include "notify/delivery.hpp"

namespace oslo::messaging::notify::detail {

/// Pulls from its subscription on the loop, hands work (a message, or a batch) to the executor, and
/// keeps count of it. What it does not pull stays with the bus.
///
/// Members marked "loop" are touched on the transport's loop only.
class listener_state final : public delivery_owner,
                             public std::enable_shared_from_this<listener_state> {
 public:
  listener_state(transport b, std::vector<target> where,
                 std::vector<std::shared_ptr<endpoint>> endpoints, listener_options o);

  // Each may be called from any thread and happens on the loop, in the order of the calls. Throws
  // in a child process, where no loop would answer.
  void async_start(unique_function<void(result<void>)> done);
  void async_stop();
  void async_wait(unique_function<void()> done);
  /// Calls `done` once it has stopped, every message is settled and the bus has nothing of it left.
  void async_drain(unique_function<void()> done);
  /// Stops for ever, also what was never started.
  void shut_down();

  listener_health health() const;
  std::shared_ptr<void> watch_health(std::function<void(const listener_health&)> changed);

  /// True on the loop and inside a plain handler of this listener.
  bool waiting_would_deadlock() const noexcept;
  /// True before the first start and after a stop, once every message is settled: then nothing is
  /// left to wait for, whether the loop still runs or not.
  bool at_rest() const noexcept {
    const auto p = phase_.load();
    return (p == phase::fresh || p == phase::stopped) && asked_to_start_ == 0 && open == 0;
  }
  /// The same, and the bus has nothing of it left.
  bool has_left() const noexcept { return at_rest() && leaving_ == 0; }
  /// Gives the executor away, so that it does not end on a thread of its own. Precondition: nothing
  /// is running, and it is never started again.
  std::shared_ptr<messaging::executor> retire() {
    coroutines_ = {};
    return std::move(executor_);
  }

  transport bus;
  const std::vector<target> targets;
  const listener_options options;
  std::atomic<std::size_t> open{0};  ///< messages that are not settled

 private:
  enum class phase { fresh, starting, listening, stopping, stopped };

  void subscribe();  // loop, as all that follow
  void subscribed(result<void> verdict);
  void stop_listening();
  void ended();
  void drop_subscription(bool told);
  void refuse_starts();
  void tell_waiters();
  void tell_departed();
  void tell_health();
  void pull();
  void take(incoming_batch arrived);
  void collect(incoming_batch arrived);
  std::optional<scheduler::time_point> end_of_batch();
  void hand_out_batch();
  void submit(incoming_batch work);

  // Any thread.
  void run(boost::asio::awaitable<outcome> handler,
           unique_function<void(std::exception_ptr, outcome)> done) override;
  void resume(unique_function<void()> work) override;
  void done(incoming_batch work, std::vector<verdict> verdicts) noexcept override;
  void settle(incoming_message& m, const verdict& v) noexcept;
  /// How many deliveries have failed, when this one was the last; else none.
  std::optional<std::size_t> is_hopeless(const incoming_message& m, const verdict& v);
  /// Sends it to the dead letters. `open` ends when it is settled.
  void bury(std::shared_ptr<incoming_message> m, const verdict& v, std::size_t failures,
            std::shared_ptr<void> open) noexcept;
  void finished(std::size_t messages);

  const dispatcher dispatcher_;
  std::shared_ptr<messaging::executor> executor_;
  boost::asio::any_io_executor coroutines_;                      ///< the same, for coroutines
  const std::size_t limit_;                                      ///< pieces of work at once
  std::atomic<phase> phase_{phase::fresh};                       // written on the loop
  std::shared_ptr<messaging::listener> subscription_;            // loop
  unsigned round_ = 0;                                           // loop; counts subscriptions
  scheduler::timer_id start_timer_ = scheduler::timer_id::none;  // loop
  std::vector<unique_function<void(result<void>)>> starts_;      // loop
  std::vector<unique_function<void()>> waits_;                   // loop
  std::vector<unique_function<void()>> departed_;                // loop
  bool shut_down_ = false;                                       // loop; nothing starts any more
  bool pulling_ = false;                                         // loop
  bool taking_ = false;                                          // loop
  incoming_batch collected_;                                     // loop; a batch that is not due
  scheduler::timer_id batch_timer_ = scheduler::timer_id::none;  // loop
  scheduler::time_point window_start_{};        // loop; the end of the last batch, or the start
  bool due_ = false;                            // loop; the batch waits for the executor only
  std::atomic<std::size_t> asked_to_start_{0};  // starts that the loop has not come to
  std::atomic<std::size_t> leaving_{0};  // subscriptions of which the bus still has something
  std::atomic<std::size_t> busy_{0};     // pieces of work under way
  std::atomic<bool> starved_{false};     // somebody waits for `busy_` to become less
  std::atomic<bool> draining_{false};    // somebody waits for `open` to become 0
  std::atomic<bool> consuming_{false};
  requeue_counter requeues_;
  std::mutex mutex_;  // guards what follows
  std::shared_ptr<void> bus_watch_;
  messaging::watchers<listener_health> watchers_;
};

}  // namespace oslo::messaging::notify::detail
