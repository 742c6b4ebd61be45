// Tells whoever listens that something has happened.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/detail/handle.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/notify/context_rules.hpp>
#include <oslo/messaging/notify/detail/payload.hpp>
#include <oslo/messaging/notify/notification_driver.hpp>
#include <oslo/messaging/notify/priority.hpp>
#include <oslo/messaging/patch.hpp>
#include <oslo/messaging/serializer.hpp>
#include <oslo/messaging/transport.hpp>
#include <oslo/messaging/value.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging::blocking {
class notifier;
}

namespace oslo::messaging::notify {

namespace detail {
class notifier_core;
}

/// How a notifier sends (docs/notifications-sending.md). What is not given comes
/// from the options of [oslo_messaging_notifications].
struct notifier_options {
  /// Who tells, "compute.host1"; null in the message when not given.
  std::optional<std::string> publisher_id{};
  /// What is done with each message, all of them in turn:
  /// "messaging" (bare format 1.0), "messagingv2" (envelope 2.0), "log", "test", "noop", "routing"
  /// (those that the rules of a file choose for each message), or a name of `custom_drivers`. An
  /// unknown name is an error; twice the same counts once. Not given: option driver, whose default
  /// is none.
  std::optional<std::vector<std::string>> drivers{};
  /// Drivers of the application, for `drivers`, option driver and routing files to name. They may
  /// not have a name of the library's.
  notification_drivers custom_drivers{};
  /// The YAML file of driver "routing", read when the notifier is made. Not given: option
  /// routing_config.
  std::optional<std::string> routing_config{};
  /// Not given: option topics.
  std::optional<std::vector<std::string>> topics{};
  /// Attempts after the first while the bus cannot be reached; -1: for ever. Not given: option
  /// retry.
  std::optional<int> retry{};
  /// How long a message may wait for the bus. None: as long as `retry` lets it.
  std::optional<std::chrono::milliseconds> timeout{};
  /// Translates payloads and contexts. Null: none.
  std::shared_ptr<const messaging::serializer> serializer{};
  /// What of a context is sent. Null: `no_context`.
  context_rule redact{};
  /// The priority stands in the message as "info", as oslo-messaging-send-notification writes it;
  /// else as "INFO". Listeners read both.
  bool lower_case_priority = false;
};

/// What `notifier::prepare` changes. Every member may be left out, `std::nullopt` or a value.
struct notifier_changes {
  patch<std::string> publisher_id{};  ///< `std::nullopt`: none
  patch<int> retry{};                 ///< `std::nullopt`: option retry
};

/// Sends notifications: for each topic T a message with routing key "T.info" (by its priority), in
/// the exchange of option control_exchange. A message goes to every listener queue of its topic and
/// priority; whether anyone handles it is not known here.
///
/// As with oslo nothing throws. What could not be sent is written to the transport's log, and is
/// the delivery report (a `result<void>`: the first failure of any driver and topic) that each
/// function gives back, and that may be ignored. Success means that every driver has taken the
/// message: over a bus, that the bus took responsibility; of "noop", which takes everything, and of
/// "routing" whose rules want it nowhere, that nobody is to get it. A notifier without any driver,
/// or with no topic to send to, sends nothing, as oslo's; its reports are `errc::not_sent`, without
/// a line in the log for each.
///
/// The payload is turned into text before a function returns, so that nothing it refers to has to
/// live longer. Payloads are described structs, `value`, `raw_json`, or anything else `write_value`
/// takes. GCC 12: give a struct that holds strings a name before it goes into a co_await
/// expression.
///
/// Copies are cheap and share the transport, which they keep open. One that was moved from can be
/// assigned to and destroyed. Its reports are `errc::invalid_argument`; all else throws that.
/// Thread safety: const members may be called from any thread.
class notifier {
 public:
  /// The delivery report: success, or the first failure of any driver and topic.
  using report = result<void>;

  /// Throws `configuration_error` for options out of range, for a driver that does not exist (the
  /// text names it, the option or file and line that wants it, and those that do exist), and for
  /// rules of driver "routing" that cannot be read; `messaging_error` (`errc::not_supported`) when
  /// messages are to go over a transport whose driver has no notifications.
  explicit notifier(transport bus, notifier_options o = {});

  /// A notifier with some values changed, which shares everything else. Throws
  /// `configuration_error` for a `retry` below -1.
  notifier prepare(const notifier_changes& changes) const;
  /// False when its only driver is "noop", so that an expensive payload need not be made.
  bool is_enabled() const;

  /// Who the messages are from; none: nobody said.
  const std::optional<std::string>& publisher_id() const;
  /// The topics that it sends to.
  const std::vector<std::string>& topics() const;
  /// The drivers that it has.
  const std::vector<std::string>& drivers() const;
  /// Attempts after the first while the bus is away; -1: for ever.
  int retry() const;
  /// How long a message may wait for the bus; none: as long as `retry` lets it.
  std::optional<std::chrono::milliseconds> timeout() const;
  /// What it sends over.
  const transport& bus() const;

  /// Sends, and completes with the delivery report once every driver is done with it. The message
  /// goes out when the awaitable is awaited; the coroutine resumes on its own executor. Cancelling
  /// it ends the wait with `errc::cancelled`.
  template <class P>
  [[nodiscard]] boost::asio::awaitable<report> notify(notify::priority p, context ctxt,
                                                      std::string_view event_type,
                                                      P&& payload) const {
    detail::refuse_broken_temporary<P>();
    return notify_text(p, std::move(ctxt), event_type, detail::payload_text(payload));
  }
  /// `notify` with priority audit.
  template <class P>
  [[nodiscard]] auto audit(context ctxt, std::string_view event_type, P&& payload) const {
    return notify(priority::audit, std::move(ctxt), event_type, std::forward<P>(payload));
  }
  /// `notify` with priority debug.
  template <class P>
  [[nodiscard]] auto debug(context ctxt, std::string_view event_type, P&& payload) const {
    return notify(priority::debug, std::move(ctxt), event_type, std::forward<P>(payload));
  }
  /// `notify` with priority info.
  template <class P>
  [[nodiscard]] auto info(context ctxt, std::string_view event_type, P&& payload) const {
    return notify(priority::info, std::move(ctxt), event_type, std::forward<P>(payload));
  }
  /// `notify` with priority warn.
  template <class P>
  [[nodiscard]] auto warn(context ctxt, std::string_view event_type, P&& payload) const {
    return notify(priority::warn, std::move(ctxt), event_type, std::forward<P>(payload));
  }
  /// `notify` with priority error.
  template <class P>
  [[nodiscard]] auto error(context ctxt, std::string_view event_type, P&& payload) const {
    return notify(priority::error, std::move(ctxt), event_type, std::forward<P>(payload));
  }
  /// `notify` with priority critical.
  template <class P>
  [[nodiscard]] auto critical(context ctxt, std::string_view event_type, P&& payload) const {
    return notify(priority::critical, std::move(ctxt), event_type, std::forward<P>(payload));
  }
  /// `notify` with priority sample.
  template <class P>
  [[nodiscard]] auto sample(context ctxt, std::string_view event_type, P&& payload) const {
    return notify(priority::sample, std::move(ctxt), event_type, std::forward<P>(payload));
  }

  /// Sends without anybody waiting: returns at once, whatever state the bus is in. `done` (may be
  /// empty) gets the delivery report, once, on the transport's loop, or before this returns when
  /// that is `errc::wrong_process` (a child of the process that opened the transport has no loop),
  /// and when the notifier was moved from.
  /// The transport bounds what waits for its bus; beyond that a message fails with
  /// `errc::limit_exceeded`.
  template <class P>
  void post(notify::priority p, context ctxt, std::string_view event_type, const P& payload,
            unique_function<void(report)> done = {}) const {
    send_text(p, ctxt, event_type, detail::payload_text(payload), {}, std::move(done));
  }

 private:
  friend class outbox;
  friend class blocking::notifier;
  explicit notifier(std::shared_ptr<const detail::notifier_core> core) noexcept
      : core_(std::move(core)) {}

  boost::asio::awaitable<report> notify_text(notify::priority p, context ctxt,
                                             std::string_view event_type,
                                             result<std::string> payload) const;

  void send_text(notify::priority p, const context& ctxt, std::string_view event_type,
                 const result<std::string>& payload, std::stop_token cancel,
                 unique_function<void(report)> done) const;

  messaging::detail::handle<const detail::notifier_core> core_;
};

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
