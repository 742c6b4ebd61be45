#include "protocol/backoff.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <oslo/messaging/error.hpp>

namespace oslo::messaging::protocol {
namespace {

using std::chrono::milliseconds;

TEST(backoff, first_attempt_comes_at_once) {
  backoff policy{{}, 1};
  EXPECT_EQ(policy.next(), milliseconds{0});
}

TEST(backoff, waits_stay_below_a_bound_that_doubles_up_to_the_cap) {
  const std::int64_t bounds[] = {100, 200, 400, 800, 1'000, 1'000, 1'000};
  std::int64_t largest[7] = {};
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    backoff policy{{milliseconds{100}, 2.0, milliseconds{1'000}}, seed};
    (void)policy.next();
    for (std::size_t i = 0; i < 7; ++i) {
      const auto delay = policy.next().count();
      ASSERT_GE(delay, 0);
      ASSERT_LE(delay, bounds[i]) << "wait " << i << " of seed " << seed;
      largest[i] = std::max(largest[i], delay);
    }
  }
  for (std::size_t i = 0; i < 7; ++i) EXPECT_GT(largest[i], bounds[i] * 95 / 100) << i;
}

TEST(backoff, with_a_step_the_bound_grows_by_that) {
  backoff_options o{milliseconds{1'000}, 2.0, milliseconds{6'000}};
  o.step = milliseconds{2'000};
  const std::int64_t bounds[] = {1'000, 3'000, 5'000, 6'000, 6'000};
  std::int64_t largest[5] = {};
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    backoff policy{o, seed};
    (void)policy.next();
    for (std::size_t i = 0; i < 5; ++i) {
      const auto delay = policy.next().count();
      ASSERT_LE(delay, bounds[i]) << "wait " << i << " of seed " << seed;
      largest[i] = std::max(largest[i], delay);
    }
  }
  for (std::size_t i = 0; i < 5; ++i) EXPECT_GT(largest[i], bounds[i] * 95 / 100) << i;
  o.step = milliseconds{0};
  backoff steady{o, 1};
  for (int i = 0; i < 100; ++i) EXPECT_LE(steady.next().count(), 1'000);
}

TEST(backoff, waits_stay_short_while_nobody_answers) {
  const backoff_options options{milliseconds{1'000}, 2.0, milliseconds{30'000},
                                milliseconds{1'500}};
  std::int64_t longest = 0, longest_after = 0;
  for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
    backoff policy{options, seed};
    for (int i = 0; i < 40; ++i) longest = std::max(longest, policy.next(false).count());
    // Somebody answers and throws us out: the pauses grow as they always do.
    for (int i = 0; i < 20; ++i) longest_after = std::max(longest_after, policy.next().count());
  }
  EXPECT_LE(longest, 1'500);
  EXPECT_GT(longest, 1'400);
  EXPECT_LE(longest_after, 30'000);
  EXPECT_GT(longest_after, 28'000);
}

TEST(backoff, the_cap_holds_while_nobody_answers_too) {
  backoff policy{{milliseconds{100}, 2.0, milliseconds{300}, milliseconds{1'500}}, 7};
  for (int i = 0; i < 100; ++i) EXPECT_LE(policy.next(false), milliseconds{300});
}

TEST(backoff, jitter_is_even) {
  std::int64_t sum = 0;
  for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
    backoff policy{{milliseconds{1'000}, 2.0, milliseconds{1'000}}, seed};
    (void)policy.next();
    sum += policy.next().count();
  }
  EXPECT_NEAR(static_cast<double>(sum) / 10'000, 500.0, 15.0);
}

TEST(backoff, after_a_reset_the_next_try_comes_at_once) {
  backoff policy{{}, 5};
  for (int i = 0; i < 3; ++i) (void)policy.next();
  policy.reset();
  EXPECT_EQ(policy.next(), milliseconds{0});
}

TEST(backoff, reset_shrinks_the_bound_again) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    backoff policy{{milliseconds{10}, 10.0, milliseconds{100'000}}, seed};
    for (int i = 0; i < 5; ++i) (void)policy.next();
    policy.reset();
    (void)policy.next();
    EXPECT_LE(policy.next(), milliseconds{10});
  }
}

TEST(backoff, survives_extreme_options) {
  backoff policy{{milliseconds{0}, 1e300, milliseconds{std::int64_t{1} << 40}}, 3};
  for (int i = 0; i < 50; ++i) EXPECT_EQ(policy.next(), milliseconds{0});
  backoff steep{{milliseconds{1}, 1e300, milliseconds{std::int64_t{1} << 40}}, 3};
  for (int i = 0; i < 50; ++i) EXPECT_LE(steep.next().count(), std::int64_t{1} << 40);
}

TEST(backoff, initial_above_the_cap_is_the_cap) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    backoff policy{{milliseconds{500}, 2.0, milliseconds{20}}, seed};
    (void)policy.next();
    EXPECT_LE(policy.next(), milliseconds{20});
  }
}

TEST(backoff, refuses_what_it_cannot_do) {
  EXPECT_THROW((backoff{{milliseconds{-1}, 2.0, milliseconds{1}}, 1}), configuration_error);
  EXPECT_THROW((backoff{{milliseconds{1}, 2.0, milliseconds{-1}}, 1}), configuration_error);
  EXPECT_THROW((backoff{{milliseconds{1}, 0.5, milliseconds{1}}, 1}), configuration_error);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW((backoff{{milliseconds{1}, nan, milliseconds{1}}, 1}), configuration_error);
}

}  // namespace
}  // namespace oslo::messaging::protocol
