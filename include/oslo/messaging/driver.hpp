// The driver SPI: all that rpc and notify know of a message bus, and all a driver has to do.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/doctor.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/health.hpp>
#include <oslo/messaging/logger.hpp>
#include <oslo/messaging/metrics.hpp>
#include <oslo/messaging/scheduler.hpp>
#include <oslo/messaging/target.hpp>
#include <oslo/messaging/transport_url.hpp>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// What the driver of a transport can do. Whatever needs more than that is refused with
/// `errc::not_supported` before the driver sees it.
struct capabilities {
  bool rpc = true;            ///< `send`, `listen`, `incoming_message::reply`
  bool notifications = true;  ///< `send_notification`, `listen_for_notifications`
  bool requeue = true;        ///< `incoming_message::requeue` brings another delivery
  bool fanout = true;         ///< `send` to a target with `fanout`
  bool pools = true;          ///< `listen_for_notifications` with a pool
};

// ---- sending ------------------------------------------------------------------------------------

/// A text beside the message, for people and tools. Peers ignore the names that they do not know.
struct message_header {
  std::string name;   ///< as in a header of HTTP: text without line breaks
  std::string value;  ///< any text
  bool operator==(const message_header&) const = default;
};

/// A message on its way out.
///
/// A relay may pass on the text of `incoming_message::body`, or one that it got elsewhere. Keys
/// `_context_K` in it travel as they are and are entries of the receiver's context, as if they were
/// in `ctxt`; an entry of `ctxt` with that name counts in their place. The transport's own keys
/// (`_msg_id`, `_reply_q`, `_timeout`, `_unique_id`) are left out and written anew where the
/// message needs them: nobody who writes a body has replies sent elsewhere, or poses as another
/// message.
struct outgoing_message {
  /// One JSON object, e.g. {"method": "add", "args": {"a": 1}}; of a notification any. What is none
  /// fails with `errc::serialization_failed`, and so does a bare notification with both keys of an
  /// envelope.
  std::string body;
  context ctxt;  ///< already serialized
  /// Of notifications only. A bus without headers drops them.
  std::vector<message_header> headers{};
  /// True: the sender has written `body` itself, as one object without any of the transport's own
  /// keys, and the driver need not look for them.
  bool plain_keys = false;
};

/// How a notification stands on the wire (docs/wire/notifications.md, NTF-3). Listeners read both.
enum class notification_format {
  bare,      ///< one JSON object: driver `messaging` of oslo, format 1.0
  envelope,  ///< its text inside another one: `messagingv2`, format 2.0
};

/// How one message is sent.
struct send_options {
  bool wait_for_reply = false;  ///< true: a call
  /// Total time from the send on; none = for ever. For a cast it bounds the wait for the broker.
  std::optional<std::chrono::milliseconds> timeout{};
  /// Ask the server for heartbeats and fail when none comes for that long. On the wire it is a
  /// number of seconds, with a fraction where it has one; servers send heartbeats every half of its
  /// whole seconds, and none below two.
  std::optional<std::chrono::milliseconds> call_monitor_timeout{};
  /// Attempts to reach a broker that this waits for, after the first. -1: all that there is time
  /// for. 0: the one under way counts; fails at once while the last one has failed.
  int retry = -1;
  bool at_least_once = false;  ///< fail with `errc::undeliverable` when no queue is bound
  /// A notification is kept for its readers whatever the configuration says: its queue exists when
  /// the send succeeds, and the message does not expire in it.
  bool keep = false;
  std::stop_token cancel{};  ///< completes with `errc::cancelled`; a late reply is dropped
};

/// What a call brought back.
struct reply {
  std::string result = "null";  ///< JSON text
};

/// Called exactly once, on the transport's loop, never before the send returned.
/// With `wait_for_reply`: the reply, or why there is none (a peer's exception is
/// `errc::remote_error`). Without: an empty reply once the broker took responsibility.
using send_completion = unique_function<void(result<reply>)>;

// ---- receiving ----------------------------------------------------------------------------------

/// One key of a message and its value: one valid JSON text. Views into the message.
struct message_field {
  std::string_view key;   ///< decoded
  std::string_view json;  ///< as it came
};

/// What a server sends back.
struct outgoing_reply {
  std::string result = "null";              ///< JSON text
  std::optional<remote_failure> failure{};  ///< set: this is sent and not the result
};

/// A message that arrived. Destroying it unacknowledged returns it to the bus when the bus can.
///
/// Thread safety: one thread at a time, any thread.
class incoming_message {
 public:
  virtual ~incoming_message() = default;

  /// The keys of the message without the transport's own and without the context. Keys are
  /// decoded; a key that stood twice appears once, with its last value.
  virtual std::span<const message_field> fields() const noexcept = 0;
  /// The context of the message, not yet deserialized.
  virtual const context& ctxt() const noexcept = 0;
  /// The whole inner message as JSON text: all that `fields` and `ctxt` show, and the transport's
  /// own keys. A view into the message. Empty: the driver does not keep it.
  virtual std::string_view body() const noexcept { return {}; }
  /// The sender's message id, or empty for a cast or a notification.
  virtual std::string_view message_id() const noexcept = 0;
  /// Seconds between heartbeats that the caller accepts (its call_monitor_timeout), if it asked.
  virtual std::optional<double> client_timeout() const noexcept { return std::nullopt; }
  /// True when the bus says that it may have delivered it before.
  virtual bool redelivered() const noexcept { return false; }
  /// How often `requeue` gave it back before, whoever did so; none when the bus does not count.
  virtual std::optional<std::size_t> requeues() const noexcept { return std::nullopt; }
  /// What the sender put beside the message.
  virtual std::span<const message_header> headers() const noexcept { return {}; }
  /// When the sender stops waiting for an answer, on this process's clock; none: it did not say.
  virtual std::optional<scheduler::time_point> deadline() const noexcept { return std::nullopt; }

  /// Tells the bus that it can forget the message. Idempotent. When it throws, and
  /// `acknowledge_later` was not called before, the message is not worked on.
  virtual void acknowledge() = 0;
  /// To be called before the work on a message that is only acknowledged after it: a second copy
  /// that arrives meanwhile (after a lost connection) is settled with this one and not handed out.
  virtual void acknowledge_later() {}
  /// Gives the message back, for another delivery.
  virtual void requeue() = 0;
  /// Answers a call; does nothing for a cast. `done` (may be empty) gets the broker's verdict.
  /// Throws `messaging_error` (`errc::serialization_failed`) for a failure whose `json` is not one
  /// JSON object, and may do so for a result that is no JSON; the call can still be answered then.
  virtual void reply(outgoing_reply r, unique_function<void(result<void>)> done = {}) = 0;
  /// Tells the caller that the call is still being worked on; does nothing for a cast. `done` (may
  /// be empty) gets the broker's verdict: `errc::undeliverable` when the caller's queue is gone.
  virtual void heartbeat(unique_function<void(result<void>)> done = {}) = 0;

  /// The JSON text of a key, or an empty view.
  std::string_view field(std::string_view key) const noexcept {
    for (const auto& f : fields())
      if (f.key == key) return f.json;
    return {};
  }
};

/// What a pull brings: at least one message.
using incoming_batch = std::vector<std::unique_ptr<incoming_message>>;

/// A subscription. The owner pulls: what it does not ask for stays with the bus, up to `prefetch`.
///
/// Thread safety: on the transport's loop only, if a comment does not say otherwise.
class listener {
 public:
  virtual ~listener() = default;
  /// Completes with 1 to `max` messages as soon as there is one, perhaps before it returns, or with
  /// an empty batch after `stop()`. One pull at a time; `next` may be called again from `done`, and
  /// is a second after it has thrown.
  virtual void next(std::size_t max, unique_function<void(incoming_batch)> done) = 0;
  /// Takes nothing more from the bus. Messages handed out stay valid. Idempotent.
  virtual void stop() = 0;
  /// Completes once the bus has confirmed the subscription, or with why it never will; never
  /// before it returns.
  virtual void ready(unique_function<void(result<void>)> done) = 0;
  /// Completes once `stop` was called, every message is settled and nothing of the subscription is
  /// left on the bus (its private queues are deleted), or the bus is out of reach. The default is
  /// for a bus that keeps nothing.
  virtual void when_gone(unique_function<void()> done) { done(); }
  /// True while the bus delivers to it. Any thread.
  virtual bool consuming() const noexcept { return true; }
  /// `changed` is called whenever `consuming()` has changed; one watcher.
  virtual void watch(unique_function<void()> changed) { (void)changed; }
};

/// How a subscription takes its messages.
struct listen_options {
  /// As a `prefetch`: the bus sends all that it has. What waits takes the memory of this process,
  /// and other readers of a queue get nothing of it until this one has gone. Over RabbitMQ a
  /// million messages that are not settled cost the listener its channel: all of them come again.
  static constexpr std::size_t unlimited = static_cast<std::size_t>(-1);
  /// Messages the driver may hold beyond those asked for; 0 = the driver's default. A number above
  /// the largest that the bus knows counts as that one (RabbitMQ: 65,535), but for `unlimited`.
  /// What an operator has set for the bus (`rabbit_qos_prefetch_count`) counts before either.
  std::size_t prefetch = 0;
};

/// topic and priority of a notification subscription.
struct notification_topic {
  target where;          ///< exchange and topic
  std::string priority;  ///< "info" and so on; the end of the routing key
};

// ---- the driver ---------------------------------------------------------------------------------

/// A message bus. Keeps itself connected from the first use until `close`.
///
/// A member that throws, here or of a listener or message, or destroys its completion, or keeps
/// that of a send a second beyond its timeout, harms nobody: a transport reports that as the
/// outcome of what was begun, once, or in the log. A `messaging_error` keeps its failure. What a
/// send throws otherwise is `errc::outcome_unknown`, since the message may have left before; all
/// else is `errc::broker_error`. `transport::driver` is the guard that does this, not the driver.
///
/// Thread safety: from any thread, except for the two members that listen.
class driver {
 public:
  virtual ~driver() = default;
  /// What it can do; always the same.
  virtual capabilities caps() const noexcept = 0;
  /// The bus as OpenTelemetry names it in traces (`messaging.system`), "rabbitmq"; empty: the
  /// scheme of the URL says it.
  virtual std::string_view system() const noexcept { return {}; }
  /// Precondition: `to.topic` is set.
  virtual void send(target to, outgoing_message m, send_options o, send_completion done) = 0;
  /// Precondition: `to.topic` is set.
  virtual void send_notification(target to, outgoing_message m, notification_format f,
                                 send_options o, send_completion done) = 0;
  /// On the loop. Precondition: topic and server are set.
  ///
  /// Who lets go of the listener stops it, on whatever thread: the loop may not run any more.
  virtual std::shared_ptr<listener> listen(target on, listen_options o) = 0;
  /// Likewise. Precondition: each topic is set.
  virtual std::shared_ptr<listener> listen_for_notifications(std::vector<notification_topic> topics,
                                                             std::optional<std::string> pool,
                                                             listen_options o) = 0;
  /// Any thread. The default is for a bus without connections.
  virtual transport_health health() const {
    return {link_state::connected, link_state::connected, {}, {}};
  }
  /// `changed` is called on the loop with every new value of `health()`; one watcher.
  virtual void watch_health(unique_function<void(const transport_health&)> changed) {
    (void)changed;
  }
  /// Sends a message to itself over everything a call needs and waits for it, at most `limit`.
  /// Completes on the loop with the time it took, or with `errc::timed_out`: connected but deaf.
  /// The default fails with `errc::not_supported`, before it returns.
  virtual void probe(std::chrono::milliseconds limit,
                     unique_function<void(result<std::chrono::microseconds>)> done) {
    (void)limit;
    done(failure(errc::not_supported, "This driver cannot probe its bus."));
  }
  /// Completes pending sends with `errc::closed`, stops listeners, closes connections within
  /// `limit`, then calls `done` on the loop. Idempotent.
  virtual void close(std::chrono::milliseconds limit, unique_function<void()> done) = 0;
};

/// What a driver is built from.
struct driver_environment {
  std::shared_ptr<scheduler> loop;             ///< where all of the driver runs; never null
  config conf;                                 ///< what the options of the driver are read from
  std::string default_exchange = "openstack";  ///< for targets without one
  std::string client_name;                     ///< what the broker's operator sees
  logger log;                                  ///< what an operator should read
  std::shared_ptr<metrics> meter;              ///< may be null
};

/// What `examine` (doctor.hpp) wants a driver to look at.
struct examination {
  std::vector<target> topics;                     ///< of RPC; each topic is set
  std::vector<notification_topic> notifications;  ///< each topic is set
  std::vector<bus_role> roles;                    ///< what the program is
  std::chrono::milliseconds timeout{};            ///< of all of it

  /// True when `r` is one of the roles.
  bool has(bus_role r) const noexcept {
    for (const auto each : roles)
      if (each == r) return true;
    return false;
  }
};

/// Whether a driver comes behind a guard: what it throws ends in the completion of the call, or in
/// the log, and each completion is called once, on the loop, also one that the driver forgets. That
/// costs about two allocations a message.
enum class driver_trust {
  guarded,
  /// It keeps all that this header asks of it. The library's own drivers are added so.
  trusted
};

/// Scheme of a URL to driver. Explicit: an application lists what it wants, or takes
/// `default_drivers()`.
class driver_registry {
 public:
  /// Makes the driver of one transport; `transport::open` throws what it throws as
  /// `driver_load_failure`.
  using factory = std::function<std::unique_ptr<driver>(const transport_url&, driver_environment)>;
  /// Looks at a bus and changes nothing there. It blocks: `loop`, `log` and `meter` of the
  /// environment are empty. What it throws becomes a finding.
  using examiner = std::function<std::vector<finding>(
      const transport_url&, const driver_environment&, const examination&)>;
  /// `options`: the section of a configuration file that the driver reads; without a name: none.
  /// `look`: what `examine` calls; empty: it says that there is nothing to look at.
  /// Throws `configuration_error` when the scheme is already taken.
  void add(std::string scheme, factory make, option_group options = {}, examiner look = {},
           driver_trust trust = driver_trust::guarded);
  /// Throws `driver_load_failure` for an unknown scheme, and what the factory throws: of one that
  /// is guarded only its `messaging_error`, and all else as `driver_load_failure`.
  std::unique_ptr<driver> make(const transport_url& url, driver_environment env) const;
  /// Throws `driver_load_failure` for an unknown scheme, and what the examiner throws.
  std::vector<finding> examine(const transport_url& url, const driver_environment& env,
                               const examination& what) const;
  /// The sections that its drivers read, in the order of `add`.
  const std::vector<option_group>& options() const noexcept { return options_; }

 private:
  struct entry {
    factory make;
    examiner look;
    driver_trust trust;
  };
  const entry& find(const transport_url& url) const;

  std::map<std::string, entry, std::less<>> entries_;
  std::vector<option_group> options_;
};

}  // namespace oslo::messaging

#pragma GCC visibility pop
