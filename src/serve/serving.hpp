// The life of whatever takes messages from a subscription: RPC servers, notification listeners.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/executor.hpp>
#include <oslo/messaging/serving.hpp>
#include <oslo/messaging/transport.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/tasks/default_executor.hpp"
#include "core/tasks/task_scope.hpp"
#include "core/tasks/watchers.hpp"
#include "serve/marked_executor.hpp"
#include "serve/task_call.hpp"

namespace oslo::messaging::serve {

/// How errors and the log speak of it, and how long it waits.
struct serving_options {
  const char* kind = "server";    ///< "server", "listener"
  const char* piece = "request";  ///< what it takes
  std::size_t max_running = 0;    ///< 0: what the executor can run
  std::size_t pool_size = 0;      ///< where no executor is given
  std::optional<std::chrono::milliseconds> start_timeout{};
  std::chrono::milliseconds drain_timeout{};
};

/// Start, stop and wait in the order of oslo's ordered tasks (docs/rpc.md), the pulls while it
/// listens, and the count of what was taken. What is done with a message is up to the class that
/// derives from it.
///
/// A round lasts from one `start` to the next one after a `stop`. Each call belongs to the round
/// that is current when it is made, whatever comes to the loop first.
///
/// Members marked "loop" are touched on the transport's loop only.
class serving : public std::enable_shared_from_this<serving> {
 public:
  virtual ~serving() = default;
  serving(const serving&) = delete;
  serving& operator=(const serving&) = delete;

  // ---- any thread -------------------------------------------------------------------------------

  /// Begins a start, stop or wait. `done` is called on the loop. `pool_size`: of a start; 0 is the
  /// usual one. Throws in a child process, where no loop would answer, and `configuration_error`
  /// for a size that cannot be.
  std::shared_ptr<task_call> begin(task_call::kind what, unique_function<void(result<void>)> done,
                                   std::size_t pool_size = 0);
  /// True before `start` was called for the first time.
  bool is_fresh() const noexcept { return asked_.load().what == asked::nothing; }
  /// What the call waits for, as a sentence of the log: "stop is waiting for start to complete".
  std::string waits_for(const task_call& call) const;
  /// Calls `done` on the loop once it has stopped, everything is settled and the bus has nothing of
  /// it left.
  void async_drain(unique_function<void()> done);
  /// The time of a drain is over.
  virtual void hurry() {}
  serving_health health() const;
  health_watch watch_health(std::function<void(const serving_health&)> changed);
  /// Ends everything without waiting for a start, and refuses those that come later.
  void shut_down();
  /// True before the first start and after a stop, once everything is settled: then nothing is left
  /// to wait for, whether the loop still runs or not.
  bool at_rest() const noexcept;
  /// The same, and the bus has nothing of it left.
  bool has_left() const noexcept { return at_rest() && leaving_ == 0; }
  /// True on the loop, on the only thread that runs it, and in a handler of this one.
  bool waiting_would_deadlock() const;
  /// What has been taken and has no reply or outcome yet.
  virtual std::size_t running() const noexcept = 0;
  std::size_t unsettled() const noexcept { return open_.load(); }
  /// Gives the executor away, so that it ends on the thread that destroys the server and not on one
  /// of its own. Precondition: at rest, and never started again.
  std::shared_ptr<messaging::executor> retire();

  transport bus;
  const serving_options how;

 protected:
  /// `given`: null for a thread pool, made by the first start.
  serving(transport b, serving_options o, std::shared_ptr<messaging::executor> given);
  /// By what the public options of servers and listeners have in common.
  template <class Options>
  serving(const transport& b, const char* kind, const char* piece, const Options& o)
      : serving(b,
                {.kind = kind,
                 .piece = piece,
                 .max_running = o.max_running,
                 .pool_size = o.executor ? 0 : default_pool_size(b.defaults()),
                 .start_timeout = o.start_timeout,
                 .drain_timeout = o.drain_timeout},
                o.executor) {}

  // ---- what the derived class does: all on the loop ---------------------------------------------

  /// Makes a subscription, or throws.
  virtual std::shared_ptr<listener> subscribe() = 0;
  /// Where, for errors.
  virtual std::string place() const = 0;
  /// How many messages the next pull may bring. 0: it calls `pull` when that has changed.
  virtual std::size_t wanted() = 0;
  /// Messages, at least one.
  virtual void take(incoming_batch batch) = 0;
  /// The bus has confirmed the subscription.
  virtual void begun() {}
  /// Nothing more comes. Before anybody sees it stopped.
  virtual void ended() {}
  /// There is room again after `free_places` was 0.
  virtual void room_again() { pull(); }

  void pull();
  /// How many pieces of work may begin. At 0, `room_again` follows.
  std::size_t free_places();
  /// Pieces of work at once. Loop.
  std::size_t limit() const noexcept { return limit_; }
  std::size_t under_way() const noexcept { return busy_.load(); }

  // ---- for work, from any thread ----------------------------------------------------------------

  /// Messages were taken, and settled: the bus has the reply, or will never have it.
  void opened(std::size_t messages) noexcept { open_ += messages; }
  void settled(std::size_t messages = 1);
  /// A piece of work begins; it has ended, and there is room for another.
  void enter() noexcept { ++busy_; }
  void leave();

  bool runs_inline() const noexcept { return inline_; }
  /// Runs `f` where handlers run, as work of this one. Throws what the executor throws.
  template <class F>
  void execute(F f) {
    workplace_now().run->execute([this, f = std::move(f)]() mutable {
      const task_scope here(this);
      F once = std::move(f);  // what it holds ends in the scope, too
      once();
    });
  }
  /// Runs a coroutine there. `done` keeps this alive.
  template <class T, class Done>
  void spawn(boost::asio::awaitable<T> handler, Done done) {
    const auto h = std::make_shared<running_handler>(this);
    boost::asio::co_spawn(
        boost::asio::any_io_executor(marked_executor(workplace_now().coroutines, h)),
        std::move(handler), [h, done = std::move(done)](std::exception_ptr error, T value) mutable {
          h->ended = true;
          done(std::move(error), std::move(value));
        });
  }

 private:
  enum class phase : std::uint32_t { fresh, starting, listening, stopping, stopped };
  /// How far the loop has come.
  struct progress {
    std::uint32_t round = 0;
    phase now = phase::fresh;
  };
  /// What the callers want.
  enum class asked : std::uint32_t { nothing, start, stop };
  struct wish {
    std::uint32_t round = 0;
    asked what = asked::nothing;
  };
  using calls = std::vector<std::shared_ptr<task_call>>;

  /// Where handlers run.
  struct workplace {
    std::shared_ptr<messaging::executor> run;
    boost::asio::any_io_executor coroutines;
  };

  void join_round(task_call& call) noexcept;
  void check_pool_size(std::size_t threads) const;
  void bring_pool(task_call& call, std::size_t threads) noexcept;
  void use(std::shared_ptr<messaging::executor> e);
  workplace workplace_now() const;
  std::string trouble() const;
  phase now() const noexcept { return progress_.load().now; }
  bool is_over(const task_call& call) const noexcept;
  calls take_current(calls& all) const;

  // All on the loop.
  void set(phase p) noexcept { progress_.store({progress_.load().round, p}); }
  void no_more_wanted() noexcept;
  void start_on_loop(std::shared_ptr<task_call> call);
  void stop_on_loop(std::shared_ptr<task_call> call);
  void wait_on_loop(std::shared_ptr<task_call> call);
  void begin_next();
  void listen();
  void listening(result<void> verdict);
  void stop_listening();
  void arrived(incoming_batch batch);
  void stopped();
  void drop_subscription();
  void tell_waiters();
  void tell_departed();
  void tell_health();

  const bool has_own_pool_;
  const bool inline_;
  std::size_t limit_;  // loop
  std::atomic<wish> asked_{wish{}};
  std::atomic<bool> used_{false};                                // a call was made
  std::atomic<progress> progress_{progress{}};                   // written on the loop
  std::shared_ptr<listener> subscription_;                       // loop
  scheduler::timer_id start_timer_ = scheduler::timer_id::none;  // loop
  calls starts_;  // loop; wait for the subscription, or for the end of the last round
  calls stops_;   // loop; wait for the start, or for the end of the last pull
  calls waits_;   // loop
  std::vector<unique_function<void()>> departed_;  // loop; wait until the bus has forgotten us
  result<void> outcome_;                           // loop; of the last start
  bool shut_down_ = false;                         // loop; nothing starts any more
  bool telling_ = false;                           // loop; the last subscription does not know yet
  bool taking_ = false;                            // loop
  bool pulling_ = false;                           // loop
  std::atomic<std::size_t> leaving_{0};  // subscriptions of which the bus still has something
  std::atomic<std::size_t> busy_{0};     // pieces of work under way
  std::atomic<std::size_t> open_{0};     // messages that are not settled
  std::atomic<bool> starved_{false};     // `free_places` was 0
  std::atomic<bool> draining_{false};    // somebody waits for `open_` to become 0
  std::atomic<bool> consuming_{false};
  mutable std::mutex mutex_;  // guards what follows
  workplace place_;
  std::size_t promised_size_ = 0;  // of the pool that the last start has brought
  health_watch bus_watch_;
  messaging::watchers<serving_health> watchers_;
};

}  // namespace oslo::messaging::serve
