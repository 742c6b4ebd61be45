// Log records as notifications, for any logging library. spdlog_sinks.hpp has them for spdlog.
#pragma once

#include <cstdint>
#include <memory>
#include <oslo/messaging/notify/notifier.hpp>
#include <oslo/messaging/notify/outbox.hpp>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

/// Levels of Python's logging that have a priority of their own.
enum class record_level : std::uint8_t {
  debug = 10,
  info = 20,
  warning = 30,
  error = 40,
  critical = 50
};

/// One line of a log.
struct log_record {
  record_level level = record_level::info;  ///< decides the priority
  std::string_view name{};                  ///< of the logger
  std::string_view text{};                  ///< formatted; bytes that are not UTF-8 are replaced
  std::string_view file{};                  ///< path of the source; empty: not known
  int line = 0;                             ///< 0: not known
  std::string_view function{};              ///< empty: not known
  std::uint64_t thread = 0;                 ///< number of the thread
};

/// What takes log records must never wait, nor fill the memory when the bus is away.
inline outbox_options log_outbox() {
  outbox_options o;
  o.name = "log";
  o.rule = when_full::drop_oldest;
  o.linger = std::chrono::seconds(1);
  return o;
}

/// Sends each record as oslo's LoggingNotificationHandler does (docs/notifications-sending.md):
/// event type "logrecord", priority by level, no context, payload {"name", "levelno", "levelname",
/// "exc_info", "pathname", "lineno", "msg", "funcName", "thread", "processName", "process",
/// "extra"}.
///
/// Sends nothing, with a warning, when the notifier has driver "log", whose lines would come back
/// as records for ever.
///
/// Nothing throws, except the constructor; nothing waits, except the destructor (`linger`).
/// Thread safety: all members from any thread.
class log_notifier {
 public:
  /// Throws `configuration_error` for rule `wait`.
  explicit log_notifier(notifier through, outbox_options o = log_outbox());
  /// Sends the record, or drops it as `outbox_options::rule` says; never waits.
  void emit(const log_record& r) noexcept;
  /// Where what was told waits: to count, flush and close.
  outbox& box() noexcept { return box_; }

 private:
  bool enabled_;
  outbox box_;
};

/// Sends the text of errors as oslo's LoggingErrorNotificationHandler does: publisher
/// "error.publisher" whatever the notifier says, event type "error_notification", priority error,
/// payload {"error": text}. The rest is as with `log_notifier`.
class error_notifier {
 public:
  /// Throws `configuration_error` for rule `wait`.
  explicit error_notifier(const notifier& through, outbox_options o = log_outbox());
  /// Sends the text, or drops it as `outbox_options::rule` says; never waits.
  void emit(std::string_view text) noexcept;
  /// Where what was told waits: to count, flush and close.
  outbox& box() noexcept { return box_; }

 private:
  bool enabled_;
  outbox box_;
};

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
