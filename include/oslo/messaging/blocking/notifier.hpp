// Synchronous face of the notifier, for programs without an event loop.
#pragma once

#include <oslo/messaging/notify/notifier.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::blocking {

/// Notifications that return with their delivery report, which may be ignored: nothing throws.
/// On the transport's loop nothing can be waited for: there the report is `errc::would_deadlock`,
/// and nothing is sent; `messaging::notify::notifier::post` works everywhere.
///
/// While the bus is away a call waits as long as `retry` and `timeout` of the options let it: for
/// ever, by default. On a fiber of `fiber_executor` it suspends the fiber and not its thread.
///
/// Copies are cheap and share the transport, which they keep open.
/// Thread safety: const members may be called from any thread, at once from several.
class notifier {
 public:
  /// The delivery report: success, or the first failure of any driver and topic.
  using report = messaging::notify::notifier::report;

  /// The blocking face of `n`.
  explicit notifier(messaging::notify::notifier n) noexcept : async_(std::move(n)) {}
  /// As the constructor of `messaging::notify::notifier`, which says what it throws.
  explicit notifier(transport bus, messaging::notify::notifier_options o = {})
      : async_(std::move(bus), std::move(o)) {}

  /// A notifier with some values changed; see `messaging::notify::notifier::prepare`.
  notifier prepare(const messaging::notify::notifier_changes& changes) const {
    return notifier(async_.prepare(changes));
  }
  /// As `messaging::notify::notifier::is_enabled`.
  bool is_enabled() const { return async_.is_enabled(); }
  /// The notifier behind it.
  const messaging::notify::notifier& async() const noexcept { return async_; }

  /// Sends and waits until every driver is done. A `cancel` stopped by another thread ends the wait
  /// with `errc::cancelled`.
  template <class P>
  report notify(messaging::notify::priority p, context ctxt, std::string_view event_type,
                const P& payload, std::stop_token cancel = {}) const {
    return send(p, std::move(ctxt), event_type, messaging::notify::detail::payload_text(payload),
                std::move(cancel));
  }
  /// `notify` with priority audit.
  template <class P>
  report audit(context ctxt, std::string_view event_type, const P& payload) const {
    return notify(messaging::notify::priority::audit, std::move(ctxt), event_type, payload);
  }
  /// `notify` with priority debug.
  template <class P>
  report debug(context ctxt, std::string_view event_type, const P& payload) const {
    return notify(messaging::notify::priority::debug, std::move(ctxt), event_type, payload);
  }
  /// `notify` with priority info.
  template <class P>
  report info(context ctxt, std::string_view event_type, const P& payload) const {
    return notify(messaging::notify::priority::info, std::move(ctxt), event_type, payload);
  }
  /// `notify` with priority warn.
  template <class P>
  report warn(context ctxt, std::string_view event_type, const P& payload) const {
    return notify(messaging::notify::priority::warn, std::move(ctxt), event_type, payload);
  }
  /// `notify` with priority error.
  template <class P>
  report error(context ctxt, std::string_view event_type, const P& payload) const {
    return notify(messaging::notify::priority::error, std::move(ctxt), event_type, payload);
  }
  /// `notify` with priority critical.
  template <class P>
  report critical(context ctxt, std::string_view event_type, const P& payload) const {
    return notify(messaging::notify::priority::critical, std::move(ctxt), event_type, payload);
  }
  /// `notify` with priority sample.
  template <class P>
  report sample(context ctxt, std::string_view event_type, const P& payload) const {
    return notify(messaging::notify::priority::sample, std::move(ctxt), event_type, payload);
  }

 private:
  report send(messaging::notify::priority p, context ctxt, std::string_view event_type,
              result<std::string> payload, std::stop_token cancel) const;

  messaging::notify::notifier async_;
};

}  // namespace oslo::messaging::blocking

#pragma GCC visibility pop
