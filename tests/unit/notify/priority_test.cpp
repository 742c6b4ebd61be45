#include <gtest/gtest.h>

#include <oslo/messaging/notify/priority.hpp>

namespace oslo::messaging::notify {
namespace {

TEST(priorities, have_two_forms_and_are_read_from_either) {
  const std::pair<priority, std::pair<const char*, const char*>> table[] = {
      {priority::audit, {"audit", "AUDIT"}},   {priority::debug, {"debug", "DEBUG"}},
      {priority::info, {"info", "INFO"}},      {priority::warn, {"warn", "WARN"}},
      {priority::error, {"error", "ERROR"}},   {priority::critical, {"critical", "CRITICAL"}},
      {priority::sample, {"sample", "SAMPLE"}}};
  for (const auto& [p, names] : table) {
    EXPECT_EQ(to_string(p), names.first);
    EXPECT_EQ(wire_name(p), names.second);
    EXPECT_EQ(parse_priority(names.first), p);
    EXPECT_EQ(parse_priority(names.second), p);
  }
  EXPECT_EQ(parse_priority("Info"), priority::info);
  for (const char* text : {"", "warning", "inf", "infos", " info", "INFO\n"})
    EXPECT_EQ(parse_priority(text), std::nullopt) << text;
}

}  // namespace
}  // namespace oslo::messaging::notify
