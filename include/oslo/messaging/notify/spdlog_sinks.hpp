// Log records of spdlog as notifications. Not part of notify.hpp; needs spdlog, and nothing of the
// library is built with it.
#pragma once

#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>

#include <algorithm>
#include <memory>
#include <oslo/messaging/logger.hpp>
#include <oslo/messaging/notify/log_notifier.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

namespace detail {

/// True while this thread writes a line of the library itself.
inline thread_local bool library_logs_here = false;

class library_line {
 public:
  library_line() noexcept : before_(std::exchange(library_logs_here, true)) {}
  ~library_line() { library_logs_here = before_; }
  library_line(const library_line&) = delete;
  library_line& operator=(const library_line&) = delete;

 private:
  bool before_;
};

inline std::string_view text_of(spdlog::string_view_t v) {
  return {v.data(), v.size()};
}

inline std::string_view text_of(const char* v) {
  return v == nullptr ? std::string_view() : std::string_view(v);
}

/// What both sinks share: which records they leave alone.
class guarded_sink : public spdlog::sinks::sink {
 public:
  /// Never waits for what was sent: `box().flush` of the sink does.
  void flush() final {}
  /// Notifications carry the text of a record without a pattern.
  void set_pattern(const std::string&) final {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) final {}

  void log(const spdlog::details::log_msg& m) final {
    if (library_logs_here) return;
    if (std::find(ignored_.begin(), ignored_.end(), text_of(m.logger_name)) != ignored_.end())
      return;
    const library_line guard;  // what the library logs about this record is not one
    emit(m);
  }

 protected:
  explicit guarded_sink(std::vector<std::string> ignored) : ignored_(std::move(ignored)) {}
  virtual void emit(const spdlog::details::log_msg& m) noexcept = 0;

 private:
  const std::vector<std::string> ignored_;
};

}  // namespace detail

/// A log of transports that writes to `to`. Its lines never become notifications by way of the
/// sinks below, which would feed on themselves while the bus is away. With an asynchronous logger
/// (which calls its sinks on another thread) give `to` the name "oslo.messaging", or tell the sinks
/// its name.
///
/// The application owns the logger; lines that come when it is gone are lost. (Its sinks own
/// outboxes and these a transport, which must not own the logger in turn.)
inline logger spdlog_logger(const std::shared_ptr<spdlog::logger>& to,
                            log_level level = log_level::warning) {
  return {level, [weak = std::weak_ptr(to)](log_level l, std::string_view text) {
            static constexpr spdlog::level::level_enum levels[] = {
                spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
                spdlog::level::warn,  spdlog::level::err,   spdlog::level::off};
            const auto app = weak.lock();
            if (!app) return;
            const detail::library_line guard;
            app->log(levels[static_cast<std::size_t>(l)],
                     spdlog::string_view_t(text.data(), text.size()));
          }};
}

/// Sends every record as oslo's LoggingNotificationHandler does; see `log_notifier`. Level trace,
/// which Python does not have, is left out. Records of loggers in `ignored` are, too.
///
/// Never throws, never waits (its destructor may: `outbox_options::linger`).
/// Thread safety: all members from any thread; it needs no lock of spdlog.
class notification_sink final : public detail::guarded_sink {
 public:
  /// Throws `configuration_error` for rule `wait`.
  explicit notification_sink(notifier through, outbox_options o = log_outbox(),
                             std::vector<std::string> ignored = {"oslo.messaging"})
      : guarded_sink(std::move(ignored)), notifier_(std::move(through), std::move(o)) {}
  /// Where what was told waits: to count, flush and close.
  outbox& box() noexcept { return notifier_.box(); }

 private:
  void emit(const spdlog::details::log_msg& m) noexcept override {
    log_record r;
    switch (m.level) {
      case spdlog::level::debug: r.level = record_level::debug; break;
      case spdlog::level::info: r.level = record_level::info; break;
      case spdlog::level::warn: r.level = record_level::warning; break;
      case spdlog::level::err: r.level = record_level::error; break;
      case spdlog::level::critical: r.level = record_level::critical; break;
      default: return;
    }
    r.name = detail::text_of(m.logger_name);
    r.text = detail::text_of(m.payload);
    r.file = detail::text_of(m.source.filename);
    r.line = m.source.line;
    r.function = detail::text_of(m.source.funcname);
    r.thread = m.thread_id;
    notifier_.emit(r);
  }

  log_notifier notifier_;
};

/// Sends the text of every record from level `err` on (or as `set_level` says) as oslo's
/// LoggingErrorNotificationHandler does; see `error_notifier`.
class error_notification_sink final : public detail::guarded_sink {
 public:
  /// Throws `configuration_error` for rule `wait`.
  explicit error_notification_sink(const notifier& through, outbox_options o = log_outbox(),
                                   std::vector<std::string> ignored = {"oslo.messaging"})
      : guarded_sink(std::move(ignored)), notifier_(through, std::move(o)) {
    set_level(spdlog::level::err);
  }
  /// Where what was told waits: to count, flush and close.
  outbox& box() noexcept { return notifier_.box(); }

 private:
  void emit(const spdlog::details::log_msg& m) noexcept override {
    notifier_.emit(detail::text_of(m.payload));
  }

  error_notifier notifier_;
};

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
