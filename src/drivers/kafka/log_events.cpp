#include "drivers/kafka/log_events.hpp"

#include <syslog.h>

#include <string>

#include "core/utf8.hpp"

namespace oslo::messaging::kafka {

void log_event(const logger& log, rd_kafka_event_t& e) {
  const char* facility = nullptr;
  const char* text = nullptr;
  int level = 0;
  if (rd_kafka_event_log(&e, &facility, &text, &level) != 0 || text == nullptr) return;
  // A connection that fails is tried again: no error yet.
  const auto shown = level < LOG_ERR        ? log_level::error
                     : level <= LOG_WARNING ? log_level::warning
                     : level <= LOG_INFO    ? log_level::info
                                            : log_level::debug;
  log(shown, "librdkafka: " + to_valid_utf8(text));
}

}  // namespace oslo::messaging::kafka
