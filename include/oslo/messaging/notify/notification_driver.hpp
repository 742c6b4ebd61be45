// What a notifier does with its messages. An application may have drivers of its own.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/notify/priority.hpp>
#include <stop_token>
#include <string>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

/// A message on its way into the drivers.
struct outgoing_notification {
  context ctxt{};      ///< what `notifier_options::redact` and the serializer have made of it
  std::string body{};  ///< one JSON object as oslo writes it (docs/wire/notifications.md, NTF-1)
  std::string message_id{};                            ///< as in the body
  std::string event_type{};                            ///< as in the body
  notify::priority priority = notify::priority::info;  ///< names the queue
  int retry = -1;  ///< attempts after the first while the bus is away; -1: for ever
  std::optional<std::chrono::milliseconds> timeout{};  ///< none: as long as `retry` says
  std::stop_token cancel{};                            ///< nobody waits for the report any more
  bool quiet = false;                                  ///< whoever sends logs what fails
};

/// Takes the messages of notifiers: `notifier_options::custom_drivers` gives it a name, by which
/// the options and routing files choose it, as they choose those of the library.
///
/// Thread safety: `notify` is called from any thread, at once from several.
class notification_driver {
 public:
  virtual ~notification_driver() = default;

  /// `done` is to be called once, from any thread, before or after this returns: with success once
  /// the driver has taken responsibility for the message. An exception, or a `done` that is
  /// destroyed without a call, counts as `errc::not_sent`. An outbox tries again what fails with a
  /// code for which `is_retryable` is true. `n` is valid until this returns. Must not wait.
  ///
  /// A driver may keep `done`. When `n.timeout` is over, or `n.cancel` is stopped, the report is
  /// `errc::timed_out` or `cancelled` without it; while 200,000 messages of a notifier have no
  /// answer the next ones are `errc::limit_exceeded`.
  virtual void notify(const outgoing_notification& n,
                      unique_function<void(result<void>)> done) const = 0;
};

/// Drivers by name.
using notification_drivers = std::map<std::string, std::shared_ptr<const notification_driver>>;

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
