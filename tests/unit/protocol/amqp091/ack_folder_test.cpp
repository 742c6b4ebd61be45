#include "protocol/amqp091/ack_folder.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "protocol/amqp091/codec.hpp"

using namespace amqp091;

namespace {

std::string flushed(ack_folder& f) {
  std::string text;
  f.flush([&](std::uint64_t tag, bool multiple) {
    text += (text.empty() ? "" : " ") + std::to_string(tag) + (multiple ? "*" : "");
  });
  return text;
}

ack_folder delivered(std::uint64_t n) {
  ack_folder f;
  for (std::uint64_t tag = 1; tag <= n; ++tag) f.delivered(tag);
  return f;
}

TEST(amqp_ack_folder, one_is_one) {
  ack_folder f = delivered(3);
  EXPECT_TRUE(f.ack(1));
  EXPECT_EQ(flushed(f), "1");
  EXPECT_EQ(flushed(f), "");
}

TEST(amqp_ack_folder, neighbours_are_folded_in_any_order) {
  ack_folder f = delivered(5);
  for (const std::uint64_t tag : {3u, 1u, 2u, 4u}) EXPECT_TRUE(f.ack(tag));
  EXPECT_EQ(flushed(f), "4*");
  EXPECT_TRUE(f.ack(5));
  EXPECT_EQ(flushed(f), "5");
}

TEST(amqp_ack_folder, behind_a_gap_each_is_alone) {
  ack_folder f = delivered(6);
  for (const std::uint64_t tag : {1u, 2u, 4u, 6u}) f.ack(tag);
  EXPECT_EQ(flushed(f), "2* 4 6");
  f.ack(5);
  EXPECT_EQ(flushed(f), "5");
  // The gap closes: what was settled behind it is covered, and the top still waits.
  f.ack(3);
  EXPECT_EQ(flushed(f), "3");
}

TEST(amqp_ack_folder, top_of_a_run_is_never_a_settled_tag) {
  ack_folder f = delivered(4);
  f.ack(3);
  EXPECT_EQ(flushed(f), "3");
  f.ack(1);
  f.ack(2);
  EXPECT_EQ(flushed(f), "2*");
}

TEST(amqp_ack_folder, rejected_tags_are_passed_over) {
  ack_folder f = delivered(4);
  EXPECT_TRUE(f.settle(2));
  f.ack(1);
  f.ack(3);
  EXPECT_EQ(flushed(f), "3*");
  EXPECT_TRUE(f.settle(4));
}

TEST(amqp_ack_folder, unknown_and_settled_tags_are_ignored) {
  ack_folder f = delivered(2);
  EXPECT_FALSE(f.ack(0));
  EXPECT_FALSE(f.ack(3));
  EXPECT_TRUE(f.ack(1));
  EXPECT_FALSE(f.ack(1));
  EXPECT_FALSE(f.settle(1));
  EXPECT_EQ(flushed(f), "1");
  EXPECT_FALSE(f.ack(1));
  EXPECT_FALSE(f.settle(1));
  EXPECT_FALSE(ack_folder{}.ack(1));
}

TEST(amqp_ack_folder, tags_may_leave_gaps) {
  ack_folder f;
  for (const std::uint64_t tag : {2u, 3u, 7u, 8u, 100u}) f.delivered(tag);
  EXPECT_FALSE(f.ack(5));
  for (const std::uint64_t tag : {2u, 3u, 7u, 100u}) EXPECT_TRUE(f.ack(tag)) << tag;
  EXPECT_EQ(flushed(f), "7* 100");
}

TEST(amqp_ack_folder, tags_must_rise) {
  ack_folder f = delivered(2);
  EXPECT_THROW(f.delivered(2), violation);
  EXPECT_THROW(f.delivered(1), violation);
  EXPECT_THROW(ack_folder{}.delivered(0), violation);
}

TEST(amqp_ack_folder, number_of_waiting_deliveries_is_bounded) {
  ack_folder f = delivered(ack_folder::max_unsettled);
  EXPECT_THROW(f.delivered(ack_folder::max_unsettled + 1), violation);
  f.ack(1);
  EXPECT_EQ(flushed(f), "1");
  f.delivered(ack_folder::max_unsettled + 1);
  // What is settled leaves at once.
  ack_folder rejected;
  for (std::uint64_t tag = 1; tag <= ack_folder::max_unsettled + 1; ++tag) {
    rejected.delivered(tag);
    ASSERT_TRUE(rejected.settle(tag));
  }
}

/// A broker's view of what is outstanding; an acknowledgement that it would answer with 406 fails.
TEST(amqp_ack_folder, broker_agrees_with_any_order) {
  std::mt19937 random{42};
  ack_folder f;
  std::set<std::uint64_t> waiting, broker;
  std::uint64_t next = 1;
  const auto settle_at_broker = [&](std::uint64_t tag, bool multiple) {
    ASSERT_TRUE(broker.contains(tag)) << tag;
    if (multiple)
      broker.erase(broker.begin(), broker.upper_bound(tag));
    else
      broker.erase(tag);
  };
  for (int step = 0; step < 20000; ++step) {
    const auto what = random() % 8;
    if (what < 3) {
      f.delivered(next);
      waiting.insert(next);
      broker.insert(next++);
    } else if (what < 7 && !waiting.empty()) {
      const auto at = std::next(
          waiting.begin(),
          static_cast<std::ptrdiff_t>(random() % std::min<std::size_t>(waiting.size(), 9)));
      if (what == 6) {
        ASSERT_TRUE(f.settle(*at));
        settle_at_broker(*at, false);
      } else {
        ASSERT_TRUE(f.ack(*at));
      }
      waiting.erase(at);
    } else {
      f.flush(settle_at_broker);
      ASSERT_EQ(broker, waiting);
    }
  }
}

}  // namespace
