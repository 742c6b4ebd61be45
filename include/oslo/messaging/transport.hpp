// A transport: one message bus as an application sees it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/detail/handle.hpp>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/health.hpp>
#include <oslo/messaging/tracing.hpp>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// What a transport is opened with.
struct transport_options {
  config conf{};  ///< all options of the library are read from it
  /// Default: warnings and errors to standard error. `logger{}` is silent.
  logger log = stderr_logger();
  /// Null: `oslo_metrics` when option metrics_enabled of [oslo_messaging_metrics] is on, else none.
  std::shared_ptr<metrics> meter{};
  /// Makes the spans of calls, casts and requests. Null: `log_tracer` when option tracing_enabled
  /// of [oslo_messaging_tracing] is on, else none.
  std::shared_ptr<messaging::tracer> tracer{};
  /// The loop that everything of the transport runs on. Null: the transport makes one with a thread
  /// of its own. `asio_scheduler` (asio.hpp) wraps an executor of the application.
  std::shared_ptr<scheduler> loop{};
  /// Names the connection to operators; default: program name and process id.
  std::string client_name{};
};

/// Owns a driver and its loop. Keeps itself connected; there is nothing to connect or reconnect.
/// Copies share one transport; the last one closes it. One that was moved from can be assigned to
/// and destroyed; all else throws `messaging_error` (`errc::invalid_argument`).
///
/// Thread safety: all members may be called from any thread.
class transport {
 public:
  /// Opens the bus of `url` (empty: option transport_url of `o.conf`, default "rabbit://").
  /// Returns before any connection is made. Throws `invalid_transport_url`,
  /// `driver_load_failure`, `configuration_error`.
  static transport open(std::string_view url, transport_options o, const driver_registry& drivers);

  /// Closes connections within `limit`. Pending calls end with `errc::closed`, and so does what is
  /// sent later. Called from the loop, or from the only thread that runs it, it does not wait.
  /// Idempotent. The last copy closes too (with the default limit) and ends the loop thread; a loop
  /// of the application is not waited for.
  void close(std::chrono::milliseconds limit = std::chrono::seconds(5));

  /// What state the connections are in, without asking the broker.
  transport_health health() const;
  /// Calls `changed` on the transport's loop, once with what `health()` is now and then with every
  /// new value, until the handle is destroyed. In a child process it is never called.
  health_watch watch_health(std::function<void(const transport_health&)> changed) const;
  /// Sends a message to this transport itself, over everything a call needs (publishing, the
  /// broker, the reply queue, consuming), and waits for it: a transport whose connections look
  /// well but that is deaf does not pass. Returns the time it took; throws `messaging_timeout` when
  /// nothing came within `limit`, or what a call would throw. Throws `messaging_error`
  /// (`errc::would_deadlock`) on the transport's loop.
  std::chrono::microseconds probe(std::chrono::milliseconds limit = std::chrono::seconds(5)) const;
  /// The same without waiting; `done` is called once on the loop.
  void async_probe(std::chrono::milliseconds limit,
                   unique_function<void(result<std::chrono::microseconds>)> done) const;

  /// Throws `messaging_error` (`errc::wrong_process`) in a child of the process that opened the
  /// transport, and so fails everything that sends or serves: threads do not survive a fork, and
  /// the sockets are the parent's. Such a transport can be destroyed, which touches nothing; open
  /// another one.
  messaging::driver& driver() const;
  /// True in such a child.
  bool inherited() const;
  /// The loop that everything of the transport runs on.
  scheduler& loop() const;
  /// The same, to be kept.
  std::shared_ptr<scheduler> shared_loop() const;
  /// What the options said, as all below, with the defaults filled in.
  const logger& log() const;
  /// Null: none.
  messaging::metrics* meter() const;
  /// The same, to be kept.
  const std::shared_ptr<metrics>& shared_meter() const;
  /// Null: none.
  const std::shared_ptr<messaging::tracer>& tracer() const;
  /// The configuration that it was opened with.
  const config& conf() const;
  /// The URL that it was opened with, credentials included.
  const transport_url& url() const;
  /// Values of [DEFAULT] (docs/options.md).
  const option_values& defaults() const;

 private:
  class impl;
  explicit transport(std::shared_ptr<impl> i) : impl_(std::move(i)) {}
  detail::handle<impl> impl_;
};

/// All drivers this library was built with: fake, rabbit (also as kombu), amqp, kafka.
const driver_registry& default_drivers();

/// `transport::open` with `default_drivers()`.
transport open_transport(std::string_view url = {}, transport_options o = {});

}  // namespace oslo::messaging

#pragma GCC visibility pop
