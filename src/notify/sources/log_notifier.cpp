#include <unistd.h>

#include <algorithm>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify/log_notifier.hpp>
#include <utility>

#include "core/utf8.hpp"

namespace oslo::messaging::notify {
namespace {

/// Driver "log" would turn each record into another one.
bool may_emit(const notifier& n) {
  const auto& drivers = n.drivers();
  if (std::find(drivers.begin(), drivers.end(), "log") == drivers.end()) return true;
  n.bus().log()(log_level::warning,
                "Log records are not sent as notifications, because the notifier has driver "
                "\"log\", which would make each of them another record.");
  return false;
}

outbox_options without_waiting(outbox_options o) {
  if (o.rule == when_full::wait)
    throw configuration_error(
        {errc::invalid_argument, "An outbox for log records must not wait when it is full."});
  return o;
}

std::string_view name_of(record_level l) noexcept {
  switch (l) {
    case record_level::debug: return "DEBUG";
    case record_level::info: return "INFO";
    case record_level::warning: return "WARNING";
    case record_level::error: return "ERROR";
    case record_level::critical: return "CRITICAL";
  }
  return "NOTSET";
}

priority priority_of(record_level l) noexcept {
  switch (l) {
    case record_level::debug: return priority::debug;
    case record_level::info: return priority::info;
    case record_level::warning: return priority::warn;
    case record_level::error: return priority::error;
    case record_level::critical: return priority::critical;
  }
  return priority::info;
}

std::string payload_of(const log_record& r) {
  std::string out;
  const auto text = [&](std::string_view key, std::string_view v) {
    out += key;
    write_json(out, to_valid_utf8(v));
  };
  // What Python's logging says when it does not know where it was called.
  text("{\"name\": ", r.name);
  out += ", \"levelno\": " + std::to_string(static_cast<int>(r.level));
  text(", \"levelname\": ", name_of(r.level));
  out += ", \"exc_info\": null";
  text(", \"pathname\": ", r.file.empty() ? "(unknown file)" : r.file);
  out += ", \"lineno\": " + std::to_string(r.line);
  text(", \"msg\": ", r.text);
  text(", \"funcName\": ", r.function.empty() ? "(unknown function)" : r.function);
  out += ", \"thread\": " + std::to_string(r.thread);
  out += ", \"processName\": \"MainProcess\"";
  out += ", \"process\": " + std::to_string(::getpid());
  out += ", \"extra\": null}";
  return out;
}

}  // namespace

log_notifier::log_notifier(notifier through, outbox_options o)
    : enabled_(may_emit(through)), box_(std::move(through), without_waiting(std::move(o))) {}

void log_notifier::emit(const log_record& r) noexcept {
  if (!enabled_) return;
  try {
    (void)box_.post_json(priority_of(r.level), {}, "logrecord", payload_of(r));
  } catch (...) {  // a log must not end the program
  }
}

error_notifier::error_notifier(const notifier& through, outbox_options o)
    : enabled_(may_emit(through)),
      box_(through.prepare({.publisher_id = "error.publisher"}), without_waiting(std::move(o))) {}

void error_notifier::emit(std::string_view text) noexcept {
  if (!enabled_) return;
  try {
    std::string payload = "{\"error\": ";
    write_json(payload, to_valid_utf8(text));
    (void)box_.post_json(priority::error, {}, "error_notification", payload + "}");
  } catch (...) {  // a log must not end the program
  }
}

}  // namespace oslo::messaging::notify
