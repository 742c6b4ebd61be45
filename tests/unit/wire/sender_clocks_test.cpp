#include "wire/sender_clocks.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace oslo::messaging::wire {
namespace {

using namespace std::chrono_literals;
using instant = sender_clocks::instant;

constexpr auto least = std::numeric_limits<std::int64_t>::min();
constexpr auto most = std::numeric_limits<std::int64_t>::max();

/// A sender whose clock shows something else than ours, and may run faster or slower.
struct remote_clock {
  std::int64_t name = 1;
  std::chrono::nanoseconds ahead{0};
  double pace = 1.0;

  call_time stamp(milliseconds limit, instant now) const {
    const auto shown = std::chrono::duration<double, std::nano>(now.time_since_epoch()) * pace;
    return {.limit_ms = limit.count(),
            .sent_ms = std::chrono::floor<milliseconds>(
                           std::chrono::duration_cast<std::chrono::nanoseconds>(shown) + ahead)
                           .count(),
            .sender = name};
  }
};

class sender_time : public ::testing::Test {
 protected:
  /// What is left of a minute after `on_the_way`.
  milliseconds left(const remote_clock& from, std::chrono::nanoseconds on_the_way) {
    const auto message = from.stamp(60s, now);
    now += on_the_way;
    return clocks.time_left(message, now).value();
  }

  sender_clocks clocks;
  instant now{1000h};
};

TEST_F(sender_time, time_on_the_way_counts_once_a_sender_is_known) {
  for (const auto ahead : {0h, -1h, 1h, -900h, 100'000h}) {
    const remote_clock sender{.name = ahead.count(), .ahead = ahead};
    EXPECT_EQ(left(sender, 20s), 60s) << "nothing to compare with";
    EXPECT_EQ(left(sender, 0s), 60s);
    const auto rest = left(sender, 20s);
    EXPECT_GE(rest, 40s);
    EXPECT_LE(rest, 40s + 30ms);
    EXPECT_LE(left(sender, 59s), 1s + 100ms);
  }
}

TEST_F(sender_time, never_says_less_than_is_left) {
  for (const double pace : {1.0, 1.0 + 500e-6, 1.0 - 500e-6}) {
    const remote_clock sender{
        .name = static_cast<std::int64_t>(pace * 1e9), .ahead = -3s, .pace = pace};
    // Ways that are short and long by turns, over an hour; odd steps, so that roundings differ.
    for (int i = 0; i < 2000; ++i) {
      const auto way = std::chrono::microseconds((i * 7919 % 30'011) * (i % 3 == 0 ? 1000 : 1));
      const auto real = 60s - way;
      ASSERT_GE(left(sender, way), std::chrono::floor<milliseconds>(real)) << i << ' ' << pace;
      now += 1'234'567us;
    }
  }
}

TEST_F(sender_time, a_clock_that_stood_still_is_learnt_anew_when_it_shows) {
  remote_clock sender;
  EXPECT_EQ(left(sender, 0s), 60s);
  sender.ahead = -1h;
  EXPECT_EQ(left(sender, 0s), 60s) << "an hour on the way is impossible";
  EXPECT_LE(left(sender, 20s), 40s + 30ms) << "and from then on it counts again";
  sender.ahead = 0h;
  EXPECT_EQ(left(sender, 0s), 60s);
  EXPECT_LE(left(sender, 20s), 40s + 30ms);
}

TEST_F(sender_time, forgets_what_it_saw_ten_minutes_ago) {
  remote_clock sender;
  EXPECT_EQ(left(sender, 0s), 60s);
  sender.ahead = -10s;  // asleep for less than a call waits: not to be told from a queue
  EXPECT_LE(left(sender, 0s), 51s);
  for (int i = 0; i < 10; ++i) {
    now += 1min;
    left(sender, 0s);
  }
  EXPECT_EQ(left(sender, 0s), 60s);
  EXPECT_LE(left(sender, 20s), 41s);
}

TEST_F(sender_time, one_sender_says_nothing_about_another) {
  const remote_clock a{.name = 1, .ahead = 5s}, b{.name = 2, .ahead = -5s};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(left(a, 0s), 60s);
    EXPECT_EQ(left(b, 0s), 60s);
  }
}

TEST_F(sender_time, a_limit_alone_counts_from_the_arrival) {
  EXPECT_EQ(clocks.time_left({}, now), std::nullopt);
  EXPECT_EQ(clocks.time_left({.limit_ms = 3000}, now), 3s);
  EXPECT_EQ(clocks.time_left({.limit_ms = 3000, .sent_ms = 5}, now), 3s);
  EXPECT_EQ(clocks.time_left({.limit_ms = 3000, .sender = 5}, now), 3s);
  EXPECT_EQ(clocks.size(), 0u);
}

TEST_F(sender_time, nonsense_is_no_limit_and_no_clock) {
  for (const auto limit : {least, std::int64_t{-1}, std::int64_t{367} * 24 * 3600 * 1000, most})
    EXPECT_EQ(clocks.time_left({.limit_ms = limit, .sent_ms = 0, .sender = 1}, now), std::nullopt);
  for (const auto sender : {least, std::int64_t{-1}, std::int64_t{0}, most})
    for (const auto sent : {least, most, least + 1, std::int64_t{0}, most - 1, least, most})
      for (const auto limit : {std::int64_t{0}, std::int64_t{1000}}) {
        const auto rest = clocks.time_left({limit, sent, sender}, now);
        ASSERT_TRUE(rest);
        EXPECT_GE(rest->count(), 0);
        EXPECT_LE(rest->count(), limit);
      }
  EXPECT_EQ(clocks.time_left({.limit_ms = 1000, .sent_ms = most, .sender = 9}, instant::min()), 1s);
}

TEST_F(sender_time, remembers_a_bounded_number_of_senders) {
  const remote_clock regular{.name = -1};
  EXPECT_EQ(left(regular, 0s), 60s);
  for (std::int64_t i = 0; i < 1'000'000; ++i) {
    clocks.time_left({.limit_ms = 1000, .sent_ms = i, .sender = i << 32}, now);
    ASSERT_LE(clocks.size(), sender_clocks::most_senders);
    if (i % 1000 == 0) {
      ASSERT_LE(left(regular, 20s), 40s + 700ms) << "one that is heard again stays known";
      ASSERT_EQ(left(regular, 0s), 60s);
    }
  }
  for (std::int64_t i = 0; i < 1024; ++i)
    clocks.time_left({.limit_ms = 1000, .sent_ms = i, .sender = i << 32}, now);
  EXPECT_EQ(left(regular, 20s), 60s) << "one that was silent longest is new again";
}

}  // namespace
}  // namespace oslo::messaging::wire
