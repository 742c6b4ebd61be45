// What a server shares with the requests it has taken.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <oslo/messaging/rpc/server.hpp>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/tasks/waiting.hpp"
#include "core/tasks/watchers.hpp"
#include "rpc/dispatcher.hpp"

namespace oslo::messaging::rpc::detail {

/// A call of start, stop or wait, until it is done. Whoever waits for it may give up.
struct task_call {
  enum class kind { start, stop, wait };
  kind what;
  std::uint64_t round = 0;
  unique_function<void(result<void>)> done;  ///< loop; may be empty
  std::atomic<bool> given_up{false};
  std::atomic<bool> leads{false};  ///< the one `start` that subscribes
  bool early = false;              ///< made before the `start` of its round

  void finish(result<void> r) {
    if (done) std::exchange(done, {})(std::move(r));
  }
};

/// The life of one server: pulls from its listener on the loop, hands requests to the executor and
/// keeps count of them.
///
/// Members marked "loop" are touched on the transport's loop only.
class server_state : public std::enable_shared_from_this<server_state> {
 public:
  server_state(transport bus, target on, std::vector<std::shared_ptr<endpoint>> endpoints,
               server_options o);

  /// Begins a start, stop or wait, in the round that is current now. `done` is called on the loop.
  std::shared_ptr<task_call> begin(task_call::kind what, unique_function<void(result<void>)> done);
  /// True before `start` was called in this round.
  bool is_fresh() const noexcept { return life_.load().now == phase::fresh; }
  /// What the call waits for, as a sentence of the log: "stop is waiting for start to complete".
  std::string waits_for(const task_call& call) const;
  /// Calls `done` on the loop once the server has stopped, every request is settled and the bus has
  /// nothing of it left.
  void async_drain(unique_function<void()> done);
  /// Asks the handlers that listen to it to end.
  void hurry();
  std::stop_token hurry_token() const;
  server_health health() const;
  std::shared_ptr<void> watch_health(std::function<void(const server_health&)> changed);
  /// Ends everything without waiting for a start, and refuses those that come later.
  void shut_down();
  /// True before the first start and after a stop, once every request is settled: then nothing is
  /// left to wait for, whether the loop still runs or not.
  bool at_rest() const noexcept {
    const auto p = now();
    return (p == phase::fresh || p == phase::stopped) && open == 0;
  }
  /// The same, and the bus has nothing of it left.
  bool has_left() const noexcept { return at_rest() && leaving_ == 0; }
  /// True on the loop and inside a plain handler of this server.
  bool waiting_would_deadlock() const noexcept;

  /// Gives the executor away, so that it ends on the thread that destroys the server and not on one
  /// of its own. Precondition: drained, and never started again.
  std::shared_ptr<messaging::executor> retire() {
    coroutines = {};
    return std::move(executor);
  }

  // For requests, from any thread.
  /// The handler of a request has ended: there is room for another.
  void made_room();
  /// The bus has the answer of a request, or will never have it.
  void settled();

  transport bus;
  const target on;
  const server_options options;
  std::shared_ptr<messaging::executor> executor;
  boost::asio::any_io_executor coroutines;  ///< the same, for coroutine handlers
  const dispatcher endpoints;
  std::atomic<std::size_t> running{0};  ///< requests without an answer
  std::atomic<std::size_t> open{0};     ///< requests whose answer the bus has not confirmed

 private:
  /// fresh: `start` was not called yet. called: it was, but the loop has not come to it.
  enum class phase : std::uint32_t { fresh, called, starting, listening, stopping, stopped };
  /// A round lasts from one `start` after a `stop` to the next. Left by any thread from `fresh` and
  /// `stopped`, by the loop from the other phases.
  struct life {
    std::uint32_t round = 0;
    phase now = phase::fresh;
  };

  /// Gives the call its round; a start may begin one.
  void enter(task_call& call) noexcept;
  phase now() const noexcept { return life_.load().now; }
  void set(phase p) noexcept { life_.store({life_.load().round, p}); }

  void start_on_loop(std::shared_ptr<task_call> call);
  void stop_on_loop(std::shared_ptr<task_call> call);
  void wait_on_loop(std::shared_ptr<task_call> call);
  std::size_t prefetch() const noexcept;
  void subscribe();
  void listening(result<void> verdict);
  void stop_listening();
  void pull();
  void take(incoming_batch batch);
  void ended();
  void drop_listener();
  void tell_departed();
  void tell_health();
  void tell_waiters();

  const std::size_t limit_;
  std::atomic<life> life_{life{}};
  std::shared_ptr<listener> listener_;                           // loop
  scheduler::timer_id start_timer_ = scheduler::timer_id::none;  // loop
  using calls = std::vector<std::shared_ptr<task_call>>;
  calls starts_;  // loop; wait for the subscription, or for the end of the last round
  calls stops_;   // loop; wait for the start, or for the end of the last pull
  calls waits_;   // loop
  std::vector<unique_function<void()>> departed_;  // loop; wait until the bus has forgotten us
  std::atomic<std::size_t> leaving_{0};            // listeners of which the bus still has something
  bool shut_down_ = false;                         // loop; nothing starts any more
  bool taking_ = false;                            // loop
  bool pulling_ = false;                           // loop
  std::atomic<bool> starved_{false};               // `pull` found no room
  std::atomic<bool> draining_{false};              // somebody waits for `open` to become 0
  std::atomic<bool> consuming_{false};
  mutable std::mutex mutex_;  // guards what follows
  std::stop_source hurry_;
  std::shared_ptr<void> bus_watch_;
  messaging::watchers<server_health> watchers_;
};

}  // namespace oslo::messaging::rpc::detail
