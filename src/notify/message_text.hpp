// The message of a notification (docs/wire/notifications.md, NTF-1).
#pragma once

#include <chrono>
#include <optional>
#include <oslo/messaging/notify/priority.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::notify {

/// "2026-01-02 03:04:05.000006" in UTC; the fraction is missing when it is zero, as Python prints
/// it.
std::string timestamp_text(std::chrono::system_clock::time_point when);

struct message_facts {
  std::string_view message_id;
  const std::optional<std::string>& publisher_id;  ///< none: null
  std::string_view event_type;
  notify::priority priority;
  std::string_view payload_json;
  std::string_view timestamp;
  bool lower_case_priority = false;
};

/// The inner message, keys in oslo's order. Throws `messaging_error` (`errc::serialization_failed`)
/// for text that is not UTF-8.
std::string message_text(const message_facts& facts);

}  // namespace oslo::messaging::notify
