#include "protocol/backoff.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <oslo/messaging/error.hpp>
#include <set>

namespace oslo::messaging::protocol {
namespace {

using std::chrono::milliseconds;

TEST(backoff, first_attempt_comes_at_once) {
  backoff policy{1, {}, 1};
  EXPECT_EQ(policy.next(), (backoff::attempt{0, milliseconds{0}}));
  EXPECT_EQ(policy.attempts(), 1u);
}

TEST(backoff, waits_stay_below_a_bound_that_doubles_up_to_the_cap) {
  const std::int64_t bounds[] = {100, 200, 400, 800, 1'000, 1'000, 1'000};
  std::int64_t largest[7] = {};
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    backoff policy{1, {milliseconds{100}, 2.0, milliseconds{1'000}}, seed};
    (void)policy.next();
    for (std::size_t i = 0; i < 7; ++i) {
      const auto delay = policy.next().delay.count();
      ASSERT_GE(delay, 0);
      ASSERT_LE(delay, bounds[i]) << "wait " << i << " of seed " << seed;
      largest[i] = std::max(largest[i], delay);
    }
  }
  for (std::size_t i = 0; i < 7; ++i) EXPECT_GT(largest[i], bounds[i] * 95 / 100) << i;
}

TEST(backoff, waits_stay_short_while_nobody_answers) {
  const backoff_options options{milliseconds{1'000}, 2.0, milliseconds{30'000},
                                milliseconds{1'500}};
  std::int64_t longest = 0, longest_after = 0;
  for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
    backoff policy{2, options, seed};
    for (int i = 0; i < 40; ++i) longest = std::max(longest, policy.next(false).delay.count());
    // Somebody answers and throws us out: the pauses grow as they always do.
    for (int i = 0; i < 20; ++i)
      longest_after = std::max(longest_after, policy.next(i % 2 == 0).delay.count());
  }
  EXPECT_LE(longest, 1'500);
  EXPECT_GT(longest, 1'400);
  EXPECT_LE(longest_after, 30'000);
  EXPECT_GT(longest_after, 28'000);
}

TEST(backoff, the_cap_holds_while_nobody_answers_too) {
  backoff policy{1, {milliseconds{100}, 2.0, milliseconds{300}, milliseconds{1'500}}, 7};
  for (int i = 0; i < 100; ++i) EXPECT_LE(policy.next(false).delay, milliseconds{300});
}

TEST(backoff, jitter_is_even) {
  std::int64_t sum = 0;
  for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
    backoff policy{1, {milliseconds{1'000}, 2.0, milliseconds{1'000}}, seed};
    (void)policy.next();
    sum += policy.next().delay.count();
  }
  EXPECT_NEAR(static_cast<double>(sum) / 10'000, 500.0, 15.0);
}

TEST(backoff, a_round_tries_each_host_once_without_a_wait) {
  backoff policy{3, {milliseconds{1'000}, 2.0, milliseconds{30'000}}, 42};
  std::set<std::size_t> first, second;
  for (int i = 0; i < 3; ++i) {
    const auto a = policy.next();
    EXPECT_EQ(a.delay, milliseconds{0});
    first.insert(a.host);
  }
  for (int i = 0; i < 3; ++i) {
    const auto a = policy.next();
    if (i != 0) {
      EXPECT_EQ(a.delay, milliseconds{0});
    }
    second.insert(a.host);
  }
  EXPECT_EQ(first, (std::set<std::size_t>{0, 1, 2}));
  EXPECT_EQ(second, first);
}

TEST(backoff, the_shuffle_starts_with_every_host_about_equally_often) {
  int starts[3] = {};
  for (std::uint64_t seed = 0; seed < 3'000; ++seed) ++starts[backoff{3, {}, seed}.next().host];
  for (const int count : starts) EXPECT_NEAR(count, 1'000, 120);
}

TEST(backoff, reset_goes_on_with_the_next_host_at_once) {
  backoff policy{3, {}, 5};
  const auto a = policy.next().host;
  policy.reset();
  EXPECT_EQ(policy.attempts(), 0u);
  const auto b = policy.next();
  EXPECT_EQ(b.delay, milliseconds{0});
  EXPECT_NE(b.host, a);
}

TEST(backoff, reset_shrinks_the_bound_again) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    backoff policy{1, {milliseconds{10}, 10.0, milliseconds{100'000}}, seed};
    for (int i = 0; i < 5; ++i) (void)policy.next();
    policy.reset();
    (void)policy.next();
    EXPECT_LE(policy.next().delay, milliseconds{10});
  }
}

TEST(backoff, survives_extreme_options) {
  backoff policy{1, {milliseconds{0}, 1e300, milliseconds{std::int64_t{1} << 40}}, 3};
  for (int i = 0; i < 50; ++i) EXPECT_EQ(policy.next().delay, milliseconds{0});
  backoff steep{1, {milliseconds{1}, 1e300, milliseconds{std::int64_t{1} << 40}}, 3};
  for (int i = 0; i < 50; ++i) EXPECT_LE(steep.next().delay.count(), std::int64_t{1} << 40);
}

TEST(backoff, initial_above_the_cap_is_the_cap) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    backoff policy{1, {milliseconds{500}, 2.0, milliseconds{20}}, seed};
    (void)policy.next();
    EXPECT_LE(policy.next().delay, milliseconds{20});
  }
}

TEST(backoff, refuses_what_it_cannot_do) {
  EXPECT_THROW((backoff{0, {}, 1}), configuration_error);
  EXPECT_THROW((backoff{1, {milliseconds{-1}, 2.0, milliseconds{1}}, 1}), configuration_error);
  EXPECT_THROW((backoff{1, {milliseconds{1}, 2.0, milliseconds{-1}}, 1}), configuration_error);
  EXPECT_THROW((backoff{1, {milliseconds{1}, 0.5, milliseconds{1}}, 1}), configuration_error);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW((backoff{1, {milliseconds{1}, nan, milliseconds{1}}, 1}), configuration_error);
}

}  // namespace
}  // namespace oslo::messaging::protocol
