#include <gtest/gtest.h>
#include <unistd.h>

#include <regex>

#include "core/log_line.hpp"

namespace oslo::messaging {
namespace {

using namespace std::chrono;

TEST(log_line, has_time_level_and_text) {
  const system_clock::time_point when =
      sys_days{2026y / January / 2} + 3h + 4min + 5s + 6ms + microseconds{999};
  EXPECT_EQ(log_line(when, log_level::warning, "text"), "2026-01-02T03:04:05.006Z WARNING text\n");
  EXPECT_EQ(log_line(sys_days{1970y / January / 1}, log_level::trace, ""),
            "1970-01-01T00:00:00.000Z TRACE \n");
}

TEST(log_line, text_cannot_forge_a_line) {
  const system_clock::time_point when{};
  const std::string stamp = "1970-01-01T00:00:00.000Z ";
  EXPECT_EQ(log_line(when, log_level::error, "a\nb\r\x1b[31m\tc\x7f\n\n"),
            stamp + "ERROR a\n    b\\x0d\\x1b[31m\tc\\x7f\n");
  EXPECT_EQ(log_line(when, log_level::info, std::string_view("a\0b", 3)), stamp + "INFO a\\x00b\n");
  EXPECT_EQ(log_line(when, log_level::debug, "\xc3\xa9"), stamp + "DEBUG \xc3\xa9\n");
  EXPECT_EQ(log_line(when, log_level::info,
                     "\xc2\x9b"
                     "31m\xc2\xa0"),
            stamp + "INFO \\xc2\\x9b31m\xc2\xa0\n");
  EXPECT_EQ(log_line(when, log_level::info, "no \xff text \xe2\x82"),
            stamp + "INFO no \\xff text \\xe2\\x82\n");
}

TEST(log_level, has_names) {
  EXPECT_EQ(to_string(log_level::trace), "TRACE");
  EXPECT_EQ(to_string(log_level::debug), "DEBUG");
  EXPECT_EQ(to_string(log_level::info), "INFO");
  EXPECT_EQ(to_string(log_level::warning), "WARNING");
  EXPECT_EQ(to_string(log_level::error), "ERROR");
  EXPECT_EQ(to_string(log_level::off), "OFF");
}

TEST(logger, keeps_what_its_sink_throws) {
  int calls = 0;
  const logger log{log_level::info, [&](log_level, std::string_view) { throw ++calls; }};
  EXPECT_NO_THROW(log(log_level::error, "text"));
  EXPECT_EQ(calls, 1);
}

TEST(logger, filters_by_level) {
  std::string seen;
  const logger log{log_level::warning, [&](log_level, std::string_view t) { seen += t; }};
  log(log_level::info, "a");
  log(log_level::warning, "b");
  log(log_level::error, "c");
  EXPECT_EQ(seen, "bc");
  EXPECT_FALSE(logger{}.enabled(log_level::error));
  logger off = log;
  off.level = log_level::off;
  EXPECT_FALSE(off.enabled(log_level::error));
  logger{}(log_level::error, "nobody listens");
}

TEST(stderr_logger, writes_whole_lines) {
  testing::internal::CaptureStderr();
  const auto log = stderr_logger(log_level::info);
  log(log_level::debug, "hidden");
  log(log_level::info, "one");
  log(log_level::error, "two");
  const std::string out = testing::internal::GetCapturedStderr();
  const std::string stamp = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z )";
  EXPECT_TRUE(std::regex_match(out, std::regex(stamp + "INFO one\n" + stamp + "ERROR two\n")))
      << out;
}

}  // namespace
}  // namespace oslo::messaging
