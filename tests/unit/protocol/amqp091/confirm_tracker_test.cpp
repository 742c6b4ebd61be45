#include "protocol/amqp091/confirm_tracker.hpp"

#include <gtest/gtest.h>

#include <string>

using namespace amqp091;

namespace {

constexpr std::uint64_t plain = confirm_tracker::not_mandatory;

TEST(ConfirmTracker, CountsFromOne) {
  confirm_tracker t{100};
  EXPECT_EQ(t.last(), 0u);
  EXPECT_EQ(t.oldest(), 0u);
  EXPECT_EQ(t.add(plain), 1u);
  EXPECT_EQ(t.add(plain), 2u);
  EXPECT_EQ(t.last(), 2u);
  EXPECT_EQ(t.oldest(), 1u);
  EXPECT_EQ(t.unsettled(), 2u);
}

TEST(ConfirmTracker, SettlesInAnyOrderOnce) {
  confirm_tracker t{100};
  for (int i = 0; i < 4; ++i) t.add(plain);
  EXPECT_TRUE(t.settle(3));
  EXPECT_FALSE(t.settle(3));
  EXPECT_EQ(t.oldest(), 1u);
  EXPECT_TRUE(t.settle(1));
  EXPECT_EQ(t.oldest(), 2u);
  EXPECT_TRUE(t.settle(2));
  EXPECT_EQ(t.oldest(), 4u);
  EXPECT_FALSE(t.settle(2));
  EXPECT_FALSE(t.settle(5));
  EXPECT_TRUE(t.settle(4));
  EXPECT_EQ(t.oldest(), 0u);
  EXPECT_EQ(t.last(), 4u);
  EXPECT_EQ(t.add(plain), 5u);
}

TEST(ConfirmTracker, IsFullWhenTheOldestHoldsItUp) {
  confirm_tracker t{3};
  for (int i = 0; i < 3; ++i) t.add(plain);
  EXPECT_TRUE(t.full());
  t.settle(2);
  EXPECT_TRUE(t.full());
  t.settle(1);
  EXPECT_FALSE(t.full());
}

TEST(ConfirmTracker, KeepsItsPlaceOverManyRounds) {
  confirm_tracker t{1000};
  for (std::uint64_t i = 1; i <= 100000; ++i) {
    ASSERT_EQ(t.add(plain), i);
    if (i > 90) {
      ASSERT_TRUE(t.settle(i - 90));
    }
  }
  EXPECT_EQ(t.unsettled(), 90u);
}

TEST(ConfirmTracker, ReturnsFindTheirPublish) {
  const auto a = return_fingerprint("", "gone", "", "a");
  const auto b = return_fingerprint("", "gone", "", "b");
  confirm_tracker t{100};
  t.add(a);      // 1
  t.add(plain);  // 2
  t.add(b);      // 3
  t.add(a);      // 4
  EXPECT_EQ(t.match_return(b), 3u);
  EXPECT_EQ(t.match_return(a), 4u) << "returns come in the order of publishing";
  EXPECT_EQ(t.match_return(a), 1u) << "unless the broker does otherwise";
  EXPECT_EQ(t.match_return(a), 0u) << "each is matched once";
  EXPECT_EQ(t.match_return(return_fingerprint("x", "gone", "", "a")), 0u);
  EXPECT_TRUE(t.settle(3)) << "a returned publish is still confirmed";
}

TEST(ConfirmTracker, ConfirmedPublishIsNotReturned) {
  const auto a = return_fingerprint("", "q", "", "same");
  confirm_tracker t{100};
  t.add(a);
  t.add(a);
  t.settle(1);
  EXPECT_EQ(t.match_return(a), 2u);
  EXPECT_EQ(confirm_tracker{1}.match_return(a), 0u);
}

TEST(ConfirmTracker, FingerprintSeesEveryPart) {
  const auto base = return_fingerprint("e", "k", "id", "body");
  EXPECT_EQ(base, return_fingerprint("e", "k", "id", "body"));
  EXPECT_NE(base, return_fingerprint("f", "k", "id", "body"));
  EXPECT_NE(base, return_fingerprint("e", "l", "id", "body"));
  EXPECT_NE(base, return_fingerprint("e", "k", "ie", "body"));
  EXPECT_NE(base, return_fingerprint("e", "k", "id", "bodz"));
  EXPECT_NE(base, return_fingerprint("ek", "", "id", "body"));
  std::string large(100000, 'x');
  const auto of_large = return_fingerprint("e", "k", "", large);
  large.back() = 'y';
  EXPECT_NE(of_large, return_fingerprint("e", "k", "", large));
  large.back() = 'x';
  large += 'x';
  EXPECT_NE(of_large, return_fingerprint("e", "k", "", large));
}

}  // namespace
