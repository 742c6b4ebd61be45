#include "drivers/rabbit/deadline.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::rabbit {
namespace {

using namespace std::chrono_literals;

const wall_time noon{1'700'000'000'000ms};

amqp091::properties sent(milliseconds limit, wall_time when = noon) {
  amqp091::properties p;
  set_time_left(p, limit, when);
  return p;
}

TEST(rabbit_deadline, is_written_as_expiration_and_as_headers) {
  const auto p = sent(1500ms);
  EXPECT_EQ(p.expiration, "1500");
  EXPECT_EQ(*p.headers, (amqp091::field_table{{"oslo-timeout-ms", std::int64_t{1500}},
                                              {"oslo-sent-ms", std::int64_t{1'700'000'000'000}}}));
}

TEST(rabbit_deadline, time_in_the_queue_counts) {
  EXPECT_EQ(time_left(sent(60s), noon), 60s);
  EXPECT_EQ(time_left(sent(60s), noon + 20s), 40s);
  EXPECT_EQ(time_left(sent(60s), noon + 60s), 0s);
}

TEST(rabbit_deadline, a_clock_that_is_wrong_shortens_nothing) {
  EXPECT_EQ(time_left(sent(60s), noon - 1s), 60s) << "the sender's clock is ahead";
  EXPECT_EQ(time_left(sent(60s), noon + 1h), 60s) << "the sender's clock is behind";
}

TEST(rabbit_deadline, the_expiration_of_a_python_caller_counts_from_the_arrival) {
  amqp091::properties p;
  EXPECT_EQ(time_left(p, noon), std::nullopt);
  p.expiration = "3000";
  EXPECT_EQ(time_left(p, noon), 3s);
}

TEST(rabbit_deadline, nonsense_is_no_limit) {
  for (const char* text : {"", "soon", "12x", "-1", " 12", "99999999999999999999"}) {
    amqp091::properties p;
    p.expiration = text;
    EXPECT_EQ(time_left(p, noon), std::nullopt) << text;
  }
  EXPECT_EQ(time_left(sent(-1ms), noon), std::nullopt);
  EXPECT_EQ(time_left(sent(milliseconds::max()), noon), std::nullopt);
  auto p = sent(1s);
  p.headers->set("oslo-sent-ms", std::int64_t{-5});
  EXPECT_EQ(time_left(p, noon), 1s);
  p.headers->set("oslo-sent-ms", "yesterday");
  EXPECT_EQ(time_left(p, noon), 1s);
  p.headers->set("oslo-timeout-ms", "a while");
  EXPECT_EQ(time_left(p, noon), 1s) << "then the expiration counts";
}

TEST(rabbit_deadline, an_expiration_that_the_broker_refuses_is_left_out) {
  EXPECT_EQ(sent(milliseconds(4'294'967'295)).expiration, "4294967295");
  const auto p = sent(milliseconds(4'294'967'296));
  EXPECT_EQ(p.expiration, std::nullopt);
  EXPECT_EQ(time_left(p, noon), milliseconds(4'294'967'296));
}

}  // namespace
}  // namespace oslo::messaging::rabbit
