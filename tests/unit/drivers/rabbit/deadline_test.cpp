#include "drivers/rabbit/deadline.hpp"

#include <gtest/gtest.h>

#include <string>

namespace oslo::messaging::rabbit {
namespace {

wire::call_time sample(std::int64_t limit) {
  return {.limit_ms = limit, .sent_ms = 1'700'000, .sender = -7};
}

amqp091::properties sent(std::int64_t limit) {
  amqp091::properties p;
  set_call_time(p, sample(limit));
  return p;
}

TEST(rabbit_deadline, is_written_as_expiration_and_as_headers) {
  const auto p = sent(1500);
  EXPECT_EQ(p.expiration, "1500");
  EXPECT_EQ(*p.headers, (amqp091::field_table{{"oslo-timeout-ms", std::int64_t{1500}},
                                              {"oslo-steady-ms", std::int64_t{1'700'000}},
                                              {"oslo-sender", std::int64_t{-7}}}));
  EXPECT_EQ(call_time_of(p), sample(1500));
}

TEST(rabbit_deadline, a_python_caller_gives_an_expiration) {
  amqp091::properties p;
  EXPECT_EQ(call_time_of(p), wire::call_time{});
  p.expiration = "3000";
  EXPECT_EQ(call_time_of(p), wire::call_time{.limit_ms = 3000});
}

TEST(rabbit_deadline, what_is_no_number_is_not_there) {
  for (const char* text : {"", "soon", "12x", " 12", "99999999999999999999"}) {
    amqp091::properties p;
    p.expiration = text;
    EXPECT_EQ(call_time_of(p), wire::call_time{}) << text;
  }
  auto p = sent(1000);
  p.headers->set("oslo-steady-ms", "yesterday");
  p.headers->set("oslo-sender", true);
  EXPECT_EQ(call_time_of(p), wire::call_time{.limit_ms = 1000});
  p.headers->set("oslo-timeout-ms", "a while");
  p.expiration = "900";
  EXPECT_EQ(call_time_of(p), wire::call_time{.limit_ms = 900}) << "then the expiration counts";
}

TEST(rabbit_deadline, an_expiration_that_the_broker_refuses_is_left_out) {
  EXPECT_EQ(sent(4'294'967'295).expiration, "4294967295");
  const auto p = sent(4'294'967'296);
  EXPECT_EQ(p.expiration, std::nullopt);
  EXPECT_EQ(call_time_of(p).limit_ms, 4'294'967'296);
}

}  // namespace
}  // namespace oslo::messaging::rabbit
