#include "notify/message_text.hpp"

#include <gtest/gtest.h>

#include <oslo/messaging/error.hpp>

namespace oslo::messaging::notify {
namespace {

using namespace std::chrono;

TEST(notification_time, is_printed_as_python_prints_it) {
  const auto day = sys_days{year{2026} / 1 / 2} + 3h + 4min + 5s;
  EXPECT_EQ(timestamp_text(day + 6us), "2026-01-02 03:04:05.000006");
  EXPECT_EQ(timestamp_text(day + 123'456us), "2026-01-02 03:04:05.123456");
  EXPECT_EQ(timestamp_text(day), "2026-01-02 03:04:05");
  EXPECT_EQ(timestamp_text(day + 999ns), "2026-01-02 03:04:05");
  EXPECT_EQ(timestamp_text(sys_days{year{1969} / 12 / 31} + 23h + 59min + 59s + 500ms),
            "1969-12-31 23:59:59.500000");
}

TEST(notification_text, has_exactly_these_bytes) {
  EXPECT_EQ(message_text({"aaaaaaaa-0000-4000-8000-000000000009", "compute.h1", "ev",
                          priority::info, R"({"x": 1})", "2026-01-02 03:04:05.000006"}),
            R"({"message_id": "aaaaaaaa-0000-4000-8000-000000000009", "publisher_id": )"
            R"("compute.h1", "event_type": "ev", "priority": "INFO", "payload": {"x": 1}, )"
            R"("timestamp": "2026-01-02 03:04:05.000006"})");
  EXPECT_EQ(message_text({"i", std::nullopt, "\xc3\xa4", priority::critical, "null", "t"}),
            R"({"message_id": "i", "publisher_id": null, "event_type": "\u00e4", "priority": )"
            R"("CRITICAL", "payload": null, "timestamp": "t"})");
  EXPECT_EQ(message_text({"i", std::nullopt, "e", priority::warn, "null", "t", true}),
            R"({"message_id": "i", "publisher_id": null, "event_type": "e", "priority": "warn", )"
            R"("payload": null, "timestamp": "t"})");
  EXPECT_THROW(message_text({"i", std::nullopt, "\xff", priority::info, "1", "t"}),
               messaging_error);
}

}  // namespace
}  // namespace oslo::messaging::notify
