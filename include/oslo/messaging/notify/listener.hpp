// Takes notifications from the bus.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <oslo/messaging/detail/handle.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/executor.hpp>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/health.hpp>
#include <oslo/messaging/notify/endpoint.hpp>
#include <oslo/messaging/serializer.hpp>
#include <oslo/messaging/serving.hpp>
#include <oslo/messaging/target.hpp>
#include <oslo/messaging/transport.hpp>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

namespace detail {
class listener_state;
}

/// From when on the timeout of a batch counts.
enum class batch_clock {
  first_message,  ///< from the first message of the batch: none waits longer
  /// From the last batch, or since then from one timeout to the next, whether messages come or not,
  /// as with oslo: a message after a quiet time is handed out sooner, alone or in a small batch.
  last_batch,
};

/// When a batch is handed out: when it is full, or when its time is over.
struct batch_options {
  std::size_t size = 100;  ///< 1 to 10,000
  /// At least 1. None: only full batches are handed out, and what is left when the listener stops.
  std::optional<std::chrono::milliseconds> timeout{1'000};
  batch_clock counts_from = batch_clock::first_message;  ///< where the timeout begins
};

/// What becomes of a message whose handlers fail again and again ("poison").
struct dead_letter_options {
  /// Deliveries that may end in a requeue; the last of them is not given back any more, but goes to
  /// `to`. At least 1.
  std::size_t after = 5;
  /// Topic, and exchange, of the dead letters, which are notifications of the priority they had,
  /// for any listener: queue "TOPIC.info" and so on, which is made. Not a topic of the listener's
  /// own targets, in whatever exchange: over RabbitMQ these would share their queue.
  target to{};
};

/// How a listener takes and hands out notifications.
struct listener_options {
  /// Where handlers run. Null: `thread_pool` with option executor_thread_pool_size (64) threads,
  /// made by the first `start`.
  /// With more than one thread handlers overlap, and messages may overtake each other.
  std::shared_ptr<messaging::executor> executor{};
  /// Translates payloads and contexts. Null: none.
  std::shared_ptr<const messaging::serializer> serializer{};
  /// Whether `outcome::requeue` gives a message back to the bus; else it is acknowledged.
  bool allow_requeue = false;
  /// Not given: what fails is given back for ever. Needs `allow_requeue`. The message is
  /// acknowledged once the bus has confirmed its copy among the dead letters; when that fails it is
  /// given back. The copy has the headers `dead_letter_error` and `dead_letter_requeues`.
  std::optional<dead_letter_options> dead_letters{};
  /// Listeners with the same pool name share one queue, which gets a copy of every message.
  std::optional<std::string> pool{};
  /// Handlers of batches are called (`bind_batch`); not given: handlers of single messages.
  std::optional<batch_options> batch{};
  /// Notifications, or batches, that may be in work at once. 0: the executor's concurrency, or
  /// 1,000 with an inline executor (only coroutines and deferred outcomes outlast their handler
  /// there).
  std::size_t max_running = 0;
  /// Messages the transport may hold ready; 0: the driver's default, or twice
  /// `max_running` or the size of a batch if that is more. A broker-wide limit below the size of a
  /// batch makes batches that small. `listen_options::unlimited` (driver.hpp): all that there are.
  std::size_t prefetch = 0;
  /// How long the bus may take to confirm the subscription, before the start fails with
  /// `errc::timed_out` and names the broker and its last failure. None: for ever, as with oslo, so
  /// that a service may be started before its broker. What the broker refuses fails at once.
  std::optional<std::chrono::milliseconds> start_timeout{};
  /// How long the destructor waits for running handlers.
  std::chrono::milliseconds drain_timeout{30'000};
};

using messaging::start_options;
using messaging::task_options;
/// `running`: messages in work, or waiting for their batch.
using listener_health = serving_health;

/// Subscribes to every target × every priority that an endpoint has a handler for, and calls the
/// handlers (docs/notifications-listening.md).
/// Each endpoint whose filter lets a message through gets it, in
/// order; the first that answers `outcome::requeue` (or throws) ends that. Then the message is
/// given back, with `allow_requeue`, or else acknowledged, so that without it a failing handler
/// loses the message, as with oslo. A message of unknown priority is acknowledged with a warning.
///
/// Of a batch each endpoint gets what its filter lets through, one span a priority; one that
/// answers `outcome::requeue` gives all messages of that priority in the batch back.
///
/// A message is settled after its handlers: a process that ends in between gets it again.
///
/// `start`, `stop` and `wait` keep their order whatever threads they are called from: `stop` waits
/// for a `start`, `wait` for a `stop`. Each happens once; calling it again does nothing until the
/// next `start` after a `stop`, which begins anew. A call belongs to the round in which it was
/// made: a `stop` that comes late does not end the next round. The destructor stops and waits
/// (`drain_timeout`), except on the transport's loop or in one of the listener's own handlers,
/// where it only stops, and where it has stopped before and every message is settled: then it
/// returns at once, also when the transport's loop runs no more.
///
/// One that was moved from can be assigned to and destroyed; all else throws `messaging_error`
/// (`errc::invalid_argument`).
///
/// Thread safety: all members may be called from any thread.
class listener {
 public:
  /// Throws `invalid_target` for a target without a topic or no target at all,
  /// `configuration_error` when no endpoint has a handler of the kind that is wanted, or for
  /// options out of range; `messaging_error` (`errc::not_supported`) when the transport's driver
  /// has no notifications, or cannot requeue and is to.
  listener(transport bus, std::vector<target> targets,
           std::vector<std::shared_ptr<endpoint>> endpoints, listener_options o = {});
  listener(listener&&) noexcept;
  listener& operator=(listener&&) noexcept;
  ~listener();

  /// Subscribes and returns once the bus has confirmed it. Throws `server_listen_error`, after
  /// which the listener may be started again; `task_timeout` (the start itself goes on); and
  /// `messaging_error` (`errc::would_deadlock`) on the transport's loop and in a handler of the
  /// listener.
  void start(const start_options& o = {});
  template <std::same_as<task_options> O>
  void start(const O& o) {
    start(start_options{.timeout = o.timeout, .log_after = o.log_after});
  }
  /// The same without waiting; `done` is called once on the transport's loop.
  void async_start(unique_function<void(result<void>)> done, std::size_t override_pool_size = 0);

  /// Takes nothing more from the bus; what was taken is still handled. Before the first `start` it
  /// waits for that (except on the transport's loop and in a handler of the listener, where it is
  /// remembered); otherwise it does not wait. A start that is under way ends with `errc::closed`.
  /// Throws `task_timeout`.
  void stop(const task_options& o = {});
  template <class Rep, class Period>
  void stop(std::chrono::duration<Rep, Period> limit) {
    stop(task_options{.timeout = std::chrono::ceil<std::chrono::milliseconds>(limit)});
  }
  /// The same without ever waiting; `done` is called once on the transport's loop, when nothing
  /// more will be taken.
  void async_stop(unique_function<void()> done);

  /// Waits until the listener has stopped taking messages, and every message that it took is
  /// settled. Throws `task_timeout`, and `messaging_error` (`errc::would_deadlock`) on the
  /// transport's loop and in a handler of the listener.
  void wait(const task_options& o = {});
  template <class Rep, class Period>
  void wait(std::chrono::duration<Rep, Period> limit) {
    wait(task_options{.timeout = std::chrono::ceil<std::chrono::milliseconds>(limit)});
  }
  /// The same without waiting; `done` is called once on the transport's loop.
  void async_wait(unique_function<void()> done);

  /// Stops, and waits at most `limit` for all of it: nothing new is taken, a collected batch is
  /// handed out, running handlers finish, their messages are settled, and the bus has nothing left
  /// of the subscription. False when that is not done; what is still running goes on. True at once
  /// where nothing is left to wait for. Throws `messaging_error` (`errc::would_deadlock`) as `wait`
  /// does.
  bool drain(std::chrono::milliseconds limit);
  /// The same without waiting; `done` is called once on the transport's loop.
  void async_drain(std::chrono::milliseconds limit, unique_function<void(bool)> done);

  /// Whether notifications arrive; costs no round trip. `transport::probe` finds a deaf connection.
  listener_health health() const;
  /// Calls `changed` on the transport's loop, once with what `health()` is now and then whenever
  /// the listener starts, stops, loses or regains its consumers, or the health of the transport
  /// changes; until the handle is destroyed.
  health_watch watch_health(std::function<void(const listener_health&)> changed) const;

  /// Messages being handled, or waiting for their batch.
  std::size_t running() const;

 private:
  messaging::detail::handle<detail::listener_state> state_;
};

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
