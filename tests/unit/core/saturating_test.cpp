#include "core/saturating.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

TEST(deadline_after, is_never_in_the_past_nor_beyond_the_end_of_time) {
  const auto now = clock::time_point(1h);
  EXPECT_EQ(deadline_after(now, 5ms), now + 5ms);
  EXPECT_EQ(deadline_after(now, 0ms), now);
  EXPECT_EQ(deadline_after(now, -1ms), now);
  EXPECT_EQ(deadline_after(now, -10'000'000'000'000ms), now);
  EXPECT_EQ(deadline_after(now, std::chrono::milliseconds::min()), now);
  EXPECT_EQ(deadline_after(now, std::chrono::milliseconds::max()), std::nullopt);
}

}  // namespace
}  // namespace oslo::messaging
