#include "wire/deadline.hpp"

#include <gtest/gtest.h>

#include <string>

namespace oslo::messaging::wire {
namespace {

using namespace std::chrono_literals;

const std::chrono::steady_clock::time_point boot{};
const std::chrono::system_clock::time_point noon{1'700'000'000s};

TEST(time_stamp, names_limit_moment_and_sender) {
  time_stamp stamp{~std::uint64_t{6}};
  EXPECT_EQ(stamp.of(1500ms, boot + 9999us, noon),
            (call_time{.limit_ms = 1500, .sent_ms = 9, .sender = -7}));
  EXPECT_EQ(stamp.of(1s, boot + 1h, noon + 1h),
            (call_time{.limit_ms = 1000, .sent_ms = 3'600'000, .sender = -7}));
}

TEST(time_stamp, takes_a_new_name_when_the_clocks_have_moved_apart) {
  time_stamp stamp{1};
  const auto name = [&](auto steady, auto wall) {
    return *stamp.of(1s, boot + steady, noon + wall).sender;
  };
  const auto first = name(0s, 0s);
  EXPECT_EQ(name(10s, 10s + 50ms), first) << "they are not read at the same moment";
  EXPECT_EQ(name(20s, 20s - 50ms), first);
  const auto second = name(21s, 24s);
  EXPECT_NE(second, first) << "three seconds of sleep";
  EXPECT_EQ(name(22s, 25s), second);
  const auto third = name(22s, -30 * 365 * 24h);
  EXPECT_NE(third, second);
  EXPECT_NE(third, first);
}

TEST(time_stamp, names_of_headers_need_no_allocation) {
  for (const char* name : {limit_header, sent_header, sender_header})
    EXPECT_LE(std::string(name).size(), std::string().capacity()) << name;
}

}  // namespace
}  // namespace oslo::messaging::wire
