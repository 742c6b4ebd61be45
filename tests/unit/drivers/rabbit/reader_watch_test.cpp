#include "drivers/rabbit/reader_watch.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::rabbit {
namespace {

using namespace std::chrono_literals;
const reader_watch::time_point start{100h};

TEST(rabbit_reader_watch, asks_about_each_queue_once_a_period_and_only_when_it_is_fed) {
  reader_watch w(60s);
  w.feeds("a", start);
  w.feeds("b", start + 1s);
  EXPECT_FALSE(w.due("a", start + 59s));
  EXPECT_TRUE(w.due("a", start + 60s));
  EXPECT_FALSE(w.due("a", start + 61s));
  EXPECT_FALSE(w.due("a", start + 119s));
  EXPECT_TRUE(w.due("a", start + 120s));
  EXPECT_TRUE(w.due("b", start + 121s)) << "it was not fed in the round before";
  EXPECT_FALSE(w.due("b", start + 122s));
  EXPECT_FALSE(w.due("never declared", start + 200s));
}

TEST(rabbit_reader_watch, without_a_period_it_never_asks) {
  reader_watch off, zero(0s);
  for (auto* w : {&off, &zero}) {
    w->feeds("a", start);
    EXPECT_FALSE(w->due("a", start + 1000h));
    EXPECT_FALSE(w->answered("a", 5, 0, start));
  }
}

TEST(rabbit_reader_watch, a_service_that_restarts_is_no_news) {
  reader_watch w(60s);
  w.feeds("a", start);
  EXPECT_FALSE(w.answered("a", 1000, 0, start));
  EXPECT_FALSE(w.answered("a", 1000, 0, start + 29s));
  EXPECT_FALSE(w.answered("a", 10, 1, start + 60s));
  EXPECT_FALSE(w.answered("a", 1000, 0, start + 61s)) << "it was read in between";
}

TEST(rabbit_reader_watch, a_queue_that_stays_alone_is_told_once) {
  reader_watch w(60s);
  w.feeds("n.info", start);
  EXPECT_FALSE(w.answered("n.info", 0, 0, start)) << "nothing is in it";
  EXPECT_FALSE(w.answered("n.info", 1, 0, start + 60s));
  EXPECT_EQ(w.answered("n.info", 1, 0, start + 120s),
            "Queue n.info has no consumer and holds 1 message, and this program goes on to fill "
            "it.");
  EXPECT_FALSE(w.answered("n.info", 9, 0, start + 180s));
  EXPECT_FALSE(w.answered("n.info", 9, 2, start + 200s));
  EXPECT_FALSE(w.answered("n.info", 9, 0, start + 260s));
  EXPECT_FALSE(w.answered("n.info", 9, 0, start + 320s));
  EXPECT_EQ(w.answered("n.info", 20, 0, start + 12min),
            "Queue n.info still has no consumer and holds 20 messages, and this program goes on to "
            "fill it.");
  EXPECT_FALSE(w.answered("other", 9, 0, start));
}

}  // namespace
}  // namespace oslo::messaging::rabbit
