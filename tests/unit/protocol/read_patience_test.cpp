#include "protocol/read_patience.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::protocol {
namespace {

using namespace std::chrono_literals;
using std::nullopt;

const read_patience::instant t0{1h};
constexpr auto never = read_patience::instant::max();

TEST(read_patience, asks_only_for_what_is_new) {
  read_patience p;
  EXPECT_EQ(p.next_wake(), never);
  EXPECT_EQ(p.want(patience::none, t0), nullopt);
  EXPECT_EQ(p.want(patience::ample, t0), 1024);
  EXPECT_EQ(p.want(patience::ample, t0), nullopt);
  EXPECT_EQ(p.next_wake(), t0 + 20ms);
  EXPECT_EQ(p.want(patience::none, t0 + 1ms), 1);
}

TEST(read_patience, once_it_has_ended_nothing_lies_until_something_was_read) {
  read_patience p;
  EXPECT_EQ(p.want(patience::brief, t0), 210);
  EXPECT_EQ(p.on_tick(t0 + 999us), nullopt);
  EXPECT_EQ(p.on_tick(t0 + 1ms), 1);
  EXPECT_EQ(p.next_wake(), never);
  EXPECT_EQ(p.want(patience::ample, t0 + 1ms), nullopt);  // the wake-up would be lost
  p.on_input();
  EXPECT_EQ(p.want(patience::ample, t0 + 2ms), 1024);
  EXPECT_EQ(p.next_wake(), t0 + 22ms);
}

TEST(read_patience, a_wait_that_ends_sooner_serves_a_longer_one_too) {
  read_patience p;
  EXPECT_EQ(p.want(patience::brief, t0), 210);
  EXPECT_EQ(p.want(patience::ample, t0), 1024);
  EXPECT_EQ(p.next_wake(), t0 + 1ms);
}

TEST(read_patience, a_shorter_wait_ends_a_longer_one) {
  read_patience p;
  EXPECT_EQ(p.want(patience::ample, t0), 1024);
  EXPECT_EQ(p.want(patience::brief, t0 + 2ms), 210);
  EXPECT_EQ(p.next_wake(), t0 + 3ms);
}

TEST(read_patience, an_end_that_finds_nothing_lying_costs_no_patience) {
  read_patience p;
  (void)p.want(patience::ample, t0);
  EXPECT_EQ(p.want(patience::none, t0 + 1ms), 1);
  EXPECT_EQ(p.on_tick(t0 + 20ms), nullopt);
  EXPECT_EQ(p.want(patience::ample, t0 + 20ms), 1024);
}

TEST(read_patience, a_stream_that_cannot_do_it_is_left_alone) {
  read_patience p;
  EXPECT_EQ(p.want(patience::ample, t0), 1024);
  p.disable();
  EXPECT_EQ(p.next_wake(), never);
  EXPECT_EQ(p.want(patience::none, t0), nullopt);
  EXPECT_EQ(p.want(patience::brief, t0), nullopt);
  EXPECT_EQ(p.next_wake(), never);
}

}  // namespace
}  // namespace oslo::messaging::protocol
