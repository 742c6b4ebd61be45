// Serves the methods of endpoints on a topic.
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
#include <oslo/messaging/health.hpp>
#include <oslo/messaging/rpc/access_policy.hpp>
#include <oslo/messaging/rpc/endpoint.hpp>
#include <oslo/messaging/rpc/exception_table.hpp>
#include <oslo/messaging/rpc/remote_exception.hpp>
#include <oslo/messaging/serializer.hpp>
#include <oslo/messaging/serving.hpp>
#include <oslo/messaging/target.hpp>
#include <oslo/messaging/transport.hpp>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc {

namespace detail {
class server_state;
}

/// How a server takes and answers requests.
struct server_options {
  /// Where handlers run. Null: `thread_pool` with option executor_thread_pool_size (64) threads,
  /// made by the first `start`.
  std::shared_ptr<messaging::executor> executor{};
  /// Translates arguments, results and contexts. Null: none.
  std::shared_ptr<const messaging::serializer> serializer{};
  /// Null: `default_access_policy()`.
  std::shared_ptr<const rpc::access_policy> access_policy{};
  /// Classes that exceptions of the application travel as. Null: none of its own.
  std::shared_ptr<const rpc::exception_table> exceptions{};
  /// What callers see of the place of an exception.
  tracebacks traceback = tracebacks::brief;
  /// Answer `oslo_rpc_server_ping` with "pong"; also on with option rpc_ping_enabled.
  bool ping = false;
  /// Requests that may be running or unanswered at once. 0: the executor's concurrency, or 1,000
  /// with an inline executor (only coroutines and deferred answers outlast their handler there).
  std::size_t max_running = 0;
  /// Messages the transport may hold ready beyond those running; 0: the driver's default.
  /// `listen_options::unlimited` (driver.hpp): all that there are.
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
/// `running`: requests being handled or waiting for their answer.
using server_health = serving_health;

/// Takes requests from the bus, runs the handlers of its endpoints and sends their answers
/// (docs/rpc.md). It takes only what its executor can run; the rest stays with the bus.
/// A request is acknowledged right before its handler runs (at most once), or after it where the
/// binding says so (`acknowledge_when`). One whose caller does not wait any more is dropped.
///
/// Endpoints are asked in order: the first one whose namespace and version fit and that has the
/// method answers.
///
/// `start`, `stop` and `wait` keep their order whatever threads they are called from: `stop` waits
/// for a `start`, `wait` for a `stop`. Each happens once; calling it again does nothing until the
/// next `start` after a `stop`, which begins anew. A call belongs to the round in which it was
/// made: a `stop` that comes late does not end the next round. The destructor stops and waits
/// (`drain_timeout`), except on the transport's loop or in one of the server's own handlers, where
/// it only stops, and where it has stopped before and every request is settled: then it returns at
/// once, also when the transport's loop runs no more.
///
/// One that was moved from can be assigned to and destroyed; all else throws `messaging_error`
/// (`errc::invalid_argument`).
///
/// Thread safety: all members may be called from any thread.
class server {
 public:
  /// Throws `invalid_target` when topic or server is missing (`A server's target must have topic
  /// and server names specified:<Target …>`), `configuration_error` for options out of range, and
  /// `messaging_error` (`errc::not_supported`) when the transport's driver has no RPC, or cannot
  /// give back what a method acknowledges after its handler.
  server(transport bus, target on, std::vector<std::shared_ptr<endpoint>> endpoints,
         server_options o = {});
  server(server&&) noexcept;
  server& operator=(server&&) noexcept;
  ~server();

  /// Subscribes and returns once the bus has confirmed it. Throws `server_listen_error`, after
  /// which the server may be started again; `task_timeout` (the start itself goes on); and
  /// `messaging_error` (`errc::would_deadlock`) on the transport's loop and in a handler of
  /// the server.
  void start(const start_options& o = {});
  template <std::same_as<task_options> O>
  void start(const O& o) {
    start(start_options{.timeout = o.timeout, .log_after = o.log_after});
  }
  /// The same without waiting; `done` is called once on the transport's loop.
  void async_start(unique_function<void(result<void>)> done, std::size_t override_pool_size = 0);

  /// Takes nothing more from the bus; what was taken is still served. Before the first `start` it
  /// waits for that (except on the transport's loop and in a handler of the server, where it
  /// is remembered); otherwise it does not wait. A start that is under way ends with
  /// `errc::closed`. Throws `task_timeout`.
  void stop(const task_options& o = {});
  template <class Rep, class Period>
  void stop(std::chrono::duration<Rep, Period> limit) {
    stop(task_options{.timeout = std::chrono::ceil<std::chrono::milliseconds>(limit)});
  }
  /// The same without ever waiting; `done` is called once on the transport's loop, when nothing
  /// more will be taken.
  void async_stop(unique_function<void()> done);

  /// Waits until the server has stopped taking messages, and every request it took is answered and
  /// the bus has the answer. Throws `task_timeout`, and `messaging_error` (`errc::would_deadlock`)
  /// on the transport's loop and in a handler of the server.
  void wait(const task_options& o = {});
  template <class Rep, class Period>
  void wait(std::chrono::duration<Rep, Period> limit) {
    wait(task_options{.timeout = std::chrono::ceil<std::chrono::milliseconds>(limit)});
  }
  /// The same without waiting; `done` is called once on the transport's loop.
  void async_wait(unique_function<void()> done);

  /// Stops, and waits at most `limit` for all of it: no new request is taken, running handlers
  /// finish, the bus has their answers, and the queues that only this server used are deleted. True
  /// when that is done. False when it is not: then the handlers that listen to
  /// `request_info::cancellation` are asked to end, and what is still running goes on (the
  /// destructor waits for it, `drain_timeout`). True at once where nothing is left to wait for: on
  /// a server that was not started, or has drained. Throws `messaging_error`
  /// (`errc::would_deadlock`) as `wait` does.
  bool drain(std::chrono::milliseconds limit);
  /// The same without waiting; `done` is called once on the transport's loop.
  void async_drain(std::chrono::milliseconds limit, unique_function<void(bool)> done);

  /// Whether requests arrive; costs no round trip. `transport::probe` finds a deaf connection.
  server_health health() const;
  /// Calls `changed` on the transport's loop, once with what `health()` is now and then whenever
  /// the server starts, stops, loses or regains its consumers, or the health of the transport
  /// changes; until the handle is destroyed.
  health_watch watch_health(std::function<void(const server_health&)> changed) const;

  /// What it was made with.
  const target& where() const;
  /// Requests being handled or waiting for their answer.
  std::size_t running() const;

 private:
  messaging::detail::handle<detail::server_state> state_;
};

}  // namespace oslo::messaging::rpc

#pragma GCC visibility pop
