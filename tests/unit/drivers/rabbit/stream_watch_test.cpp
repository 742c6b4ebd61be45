#include "drivers/rabbit/stream_watch.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::rabbit {
namespace {

using namespace std::chrono_literals;

const stream_watch::instant start{1h};

/// From message 42 on.
stream_watch begun(std::uint32_t messages) {
  stream_watch w;
  w.declared(messages);
  w.begin(start, 42, {});
  return w;
}

TEST(rabbit_stream_watch, asks_every_ten_seconds_until_something_comes) {
  stream_watch w;
  EXPECT_FALSE(w.is_on());
  w = begun(0);
  EXPECT_EQ(w.due(), start + 10s);
  w.asked(start + 11s);
  EXPECT_EQ(w.due(), start + 21s);
  w.end();
  EXPECT_FALSE(w.is_on());
  EXPECT_EQ(w.due(), stream_watch::instant::max());
}

TEST(rabbit_stream_watch, more_messages_of_which_none_comes_are_those_of_another_stream) {
  auto w = begun(0);
  EXPECT_FALSE(w.answered(0));
  EXPECT_FALSE(w.answered(1)) << "it may be on its way";
  EXPECT_TRUE(w.answered(1));
  w.begin(start, 42, {});
  EXPECT_FALSE(w.answered(1));
}

/// RabbitMQ counts every few seconds: at first it may not know of the last ones.
TEST(rabbit_stream_watch, as_many_as_there_were_are_those_of_the_same) {
  auto w = begun(40);
  for (const auto n : {42u, 42u, 43u, 44u, 44u}) EXPECT_FALSE(w.answered(n)) << n;
}

/// Time ends messages.
TEST(rabbit_stream_watch, fewer_messages_say_nothing) {
  auto w = begun(30);
  for (const auto n : {30u, 10u, 10u, 0u}) EXPECT_FALSE(w.answered(n)) << n;
}

}  // namespace
}  // namespace oslo::messaging::rabbit
