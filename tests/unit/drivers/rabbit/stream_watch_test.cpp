#include "drivers/rabbit/stream_watch.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::rabbit {
namespace {

using namespace std::chrono_literals;

const stream_watch::instant start{1h};

stream_watch begun() {
  stream_watch w;
  w.begin(start, {});
  return w;
}

TEST(rabbit_stream_watch, asks_every_ten_seconds_until_something_comes) {
  stream_watch w;
  EXPECT_FALSE(w.is_on());
  w = begun();
  EXPECT_EQ(w.due(), start + 10s);
  w.asked(start + 11s);
  EXPECT_EQ(w.due(), start + 21s);
  w.end();
  EXPECT_EQ(w.due(), stream_watch::instant::max());
}

TEST(rabbit_stream_watch, more_messages_of_which_none_comes_are_those_of_another_stream) {
  auto w = begun();
  EXPECT_FALSE(w.answered(0));
  EXPECT_FALSE(w.answered(0));
  EXPECT_FALSE(w.answered(1)) << "it may be on its way";
  EXPECT_TRUE(w.answered(1));
  w.begin(start, {});
  EXPECT_FALSE(w.answered(7));
  EXPECT_FALSE(w.answered(8));
}

/// Time ends messages.
TEST(rabbit_stream_watch, fewer_messages_say_nothing) {
  auto w = begun();
  for (const auto n : {1000u, 1000u, 10u, 10u, 0u}) EXPECT_FALSE(w.answered(n));
}

}  // namespace
}  // namespace oslo::messaging::rabbit
