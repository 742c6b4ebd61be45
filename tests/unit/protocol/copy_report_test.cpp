#include "protocol/copy_report.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::protocol {
namespace {

using namespace std::chrono_literals;
using std::nullopt;

const copy_report::instant t0{1h};
constexpr auto never = copy_report::instant::max();

TEST(copy_report, the_first_copy_is_a_line_and_the_others_are_a_number) {
  copy_report r;
  EXPECT_EQ(r.ignored("u1", t0), "Ignoring duplicate message u1.");
  EXPECT_EQ(r.next_deadline(), never);
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(r.ignored("u", t0 + 1s), nullopt);
  EXPECT_EQ(r.next_deadline(), t0 + 30s);
  EXPECT_EQ(r.on_tick(t0 + 29s), nullopt);
  EXPECT_EQ(r.on_tick(t0 + 30s), "Ignored 1000 more duplicate messages within 30 s.");
  EXPECT_EQ(r.next_deadline(), never);
}

TEST(copy_report, while_copies_go_on_there_is_a_line_in_thirty_seconds) {
  copy_report r;
  (void)r.ignored("u", t0);
  int lines = 0;
  for (auto now = t0; now < t0 + 5min; now += 1s) {
    lines += r.ignored("u", now).has_value();
    lines += r.on_tick(now).has_value();
  }
  EXPECT_EQ(lines, 9);
}

TEST(copy_report, a_copy_after_a_quiet_time_is_a_line_again) {
  copy_report r;
  (void)r.ignored("u1", t0);
  EXPECT_EQ(r.ignored("u2", t0 + 30s), "Ignoring duplicate message u2.");
  EXPECT_EQ(r.ignored("u3", t0 + 59s), nullopt);
  EXPECT_EQ(r.on_tick(t0 + 60s), "Ignored 1 more duplicate message within 30 s.");
}

TEST(copy_report, nothing_is_said_of_no_copies) {
  copy_report r;
  EXPECT_EQ(r.on_tick(t0), nullopt);
  (void)r.ignored("u", t0);
  EXPECT_EQ(r.on_tick(t0 + 1h), nullopt);
}

}  // namespace
}  // namespace oslo::messaging::protocol
