// What the copies of a notifier share, and how it makes a message.
#pragma once

#include <memory>
#include <oslo/messaging/notify/notifier.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/hidden.hpp"
#include "notify/drivers.hpp"

namespace oslo::messaging::notify::detail {

/// Thread safety: immutable once it is made.
class OSLO_HIDDEN notifier_core {
 public:
  static constexpr const char* handle_name = "notifier";

  /// Throws `configuration_error`.
  notifier_core(transport b, notifier_options opts);

  /// The message, or why there is none. Nothing throws.
  result<outgoing_notification> make(notify::priority p, const context& ctxt,
                                     std::string_view event_type, std::string_view payload) const;

  /// The erased core of all that sends: `payload` is one JSON value as text, or why there is none.
  /// `done` (may be empty) is called once on the transport's loop, never before this returned;
  /// before it returns in a child of the process that opened the transport.
  void send(notify::priority p, const context& ctxt, std::string_view event_type,
            const result<std::string>& payload, std::stop_token cancel,
            unique_function<void(result<void>)> done) const;

  transport bus;
  notifier_options o;  ///< complete
  /// Each may fail and be repeated without the others.
  notification_sinks sinks;

 private:
  void refuse(std::string_view event_type, const failure& why,
              unique_function<void(result<void>)> done) const;
};

/// The report on every message of a notifier without sinks.
failure no_taker();

/// `retry` as it stands in options and in `prepare`. Throws `configuration_error`.
int checked_retry(int retry);
/// Option retry. Throws `configuration_error`.
int configured_retry(const config& conf);

}  // namespace oslo::messaging::notify::detail
