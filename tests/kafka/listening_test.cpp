// Listeners of the cluster that librdkafka plays: offsets, requeues, groups.
#include <gmock/gmock.h>

#include "kafka_bus.hpp"

namespace oslo::messaging::kafka {
namespace {

using oslo::messaging::testing::kafka_mock_cluster;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A topic of one partition on a cluster of its own.
class kafka_listening : public ::testing::Test {
 protected:
  kafka_listening() { cluster.create_topic("t.info", 1); }
  void send(std::initializer_list<const char*> events) {
    for (const char* e : events) k.send("t.info", e, {.timeout = patience}).value();
  }

  kafka_mock_cluster cluster;
  kafka_bus k{cluster.url()};
};

TEST_F(kafka_listening, what_was_acknowledged_does_not_come_again) {
  send({"a", "b"});
  auto l = k.listen("t", "info", "g");
  for (auto& m : k.pull_all(*l, 2)) {
    EXPECT_FALSE(m->redelivered());
    m->acknowledge();
    m->acknowledge();  // once is enough, twice does no harm
  }
  k.leave(*l);
  l.reset();
  send({"c"});
  l = k.listen("t", "info", "g");
  EXPECT_THAT(events_of(k.pull_all(*l, 1)), ElementsAre("c"));
}

TEST_F(kafka_listening, what_was_not_acknowledged_comes_again_with_all_behind_it) {
  send({"a", "b", "c"});
  auto l = k.listen("t", "info", "g");
  auto got = k.pull_all(*l, 3);
  got[0]->acknowledge();
  got[2]->acknowledge();
  k.on_loop([&] { l->stop(); });
  got.clear();  // b is dropped
  k.leave(*l);
  l.reset();
  l = k.listen("t", "info", "g");
  EXPECT_THAT(events_of(k.pull_all(*l, 2)), ElementsAre("b", "c"));
}

TEST_F(kafka_listening, a_requeued_message_comes_before_all_others) {
  send({"a", "b", "c"});
  const auto l = k.listen("t", "info", "g");
  auto first = k.pull_all(*l, 1);
  first[0]->requeue();
  auto again = k.pull_all(*l, 3);
  EXPECT_THAT(events_of(again), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(again[0]->redelivered());
  EXPECT_FALSE(again[1]->redelivered());
  for (auto& m : again) m->acknowledge();
}

TEST_F(kafka_listening, a_message_dropped_without_a_word_comes_again) {
  send({"a"});
  const auto l = k.listen("t", "info", "g");
  k.pull_all(*l, 1).clear();
  auto again = k.pull_all(*l, 1);
  EXPECT_THAT(events_of(again), ElementsAre("a"));
  again[0]->acknowledge();
}

TEST_F(kafka_listening, a_pull_takes_no_more_than_it_asked_for) {
  send({"a", "b", "c", "d", "e"});
  const auto l = k.listen("t", "info", "g");
  std::size_t got = 0;
  while (got < 5) {
    auto batch = k.pull(*l, 2);
    ASSERT_GE(batch.size(), 1u);
    ASSERT_LE(batch.size(), 2u);
    got += batch.size();
    for (auto& m : batch) m->acknowledge();
  }
}

TEST_F(kafka_listening, stop_ends_a_pending_pull_and_later_ones_with_nothing) {
  const auto l = k.listen("t", "info", "g");
  waited<incoming_batch> w;
  k.on_loop([&] {
    l->next(10, w.setter());
    l->stop();
    l->stop();
  });
  EXPECT_TRUE(w.get().empty());
  EXPECT_TRUE(k.pull(*l, 10).empty());
  EXPECT_EQ(k.ready(*l).error().code(), errc::closed);
}

TEST_F(kafka_listening, two_groups_get_everything) {
  send({"a"});
  const auto one = k.listen("t", "info", "g1"), other = k.listen("t", "info", "g2");
  EXPECT_THAT(events_of(k.pull_all(*one, 1)), ElementsAre("a"));
  EXPECT_THAT(events_of(k.pull_all(*other, 1)), ElementsAre("a"));
}

TEST_F(kafka_listening, what_cannot_be_read_is_dropped_and_not_in_the_way) {
  cluster.produce("t.info", "no JSON");
  cluster.produce("t.info", "");
  send({"a"});
  auto l = k.listen("t", "info", "g");
  auto got = k.pull_all(*l, 1);
  EXPECT_THAT(events_of(got), ElementsAre("a"));
  got[0]->acknowledge();
  k.leave(*l);
  send({"b"});
  l = k.listen("t", "info", "g");
  EXPECT_THAT(events_of(k.pull_all(*l, 1)), ElementsAre("b"));
}

TEST_F(kafka_listening, headers_travel) {
  k.begin("t.info", "a", {}, {{"x-error", "broken"}, {"empty", ""}}).get().value();
  const auto l = k.listen("t", "info", "g");
  auto got = k.pull_all(*l, 1);
  const auto headers = got[0]->headers();
  EXPECT_THAT(std::vector<message_header>(headers.begin(), headers.end()),
              ElementsAre(message_header{"x-error", "broken"}, message_header{"empty", ""}));
  got[0]->acknowledge();
}

// ---- topics that do not exist -------------------------------------------------------------------

TEST_F(kafka_listening, a_topic_that_does_not_exist_is_waited_for_and_read_from_its_beginning) {
  const auto l = k.listen("later", "info", "g");
  EXPECT_TRUE(l->consuming());
  k.send("later.info", "a", {.timeout = patience}).value();
  auto got = k.pull_all(*l, 1);
  EXPECT_THAT(events_of(got), ElementsAre("a"));
  got[0]->acknowledge();
}

TEST_F(kafka_listening, with_latest_a_listener_that_is_ready_misses_nothing) {
  kafka_bus latest(cluster.url(), "&cpp_auto_offset_reset=latest");
  send({"before"});
  const auto l = latest.listen("t", "info", "new");
  send({"after"});
  auto got = latest.pull_all(*l, 1);
  EXPECT_THAT(events_of(got), ElementsAre("after"));
  got[0]->acknowledge();
}

TEST_F(kafka_listening, a_session_that_the_broker_does_not_take_is_an_error_at_once) {
  cluster.fail_join(1'000, 26);  // INVALID_SESSION_TIMEOUT
  const auto l = k.subscribe("t", "info", "g");
  const auto r = k.ready(*l);
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::invalid_config);
  EXPECT_THAT(r.error().message(), HasSubstr("cpp_rdkafka_consumer.session.timeout.ms has to lie"));
  EXPECT_FALSE(l->consuming());
}

// ---- rebalances ---------------------------------------------------------------------------------

TEST_F(kafka_listening, a_second_member_takes_over_where_the_first_one_left) {
  cluster.create_topic("two.info", 2);
  auto first = k.listen("two", "info", "g");
  kafka_bus other(cluster.url());
  const auto second = other.listen("two", "info", "g");
  k.leave(*first);
  first.reset();
  k.send("two.info", "a", {.timeout = patience}).value();
  auto got = other.pull_all(*second, 1);
  EXPECT_THAT(events_of(got), ElementsAre("a"));
  got[0]->acknowledge();
}

// ---- the end ------------------------------------------------------------------------------------

TEST_F(kafka_listening, close_stops_listeners_and_refuses_what_comes_later) {
  const auto l = k.listen("t", "info", "g");
  waited<incoming_batch> w;
  k.on_loop([&] { l->next(10, w.setter()); });
  k.bus.close(patience);
  EXPECT_TRUE(w.get().empty());
  const auto late = k.subscribe("t", "info", "g");
  EXPECT_EQ(k.ready(*late).error().code(), errc::closed);
}

TEST_F(kafka_listening, messages_may_outlive_their_transport) {
  send({"a"});
  incoming_batch got;
  {
    kafka_bus other(cluster.url());
    const auto l = other.listen("t", "info", "g");
    got = other.pull_all(*l, 1);
    other.bus.close(patience);
  }
  EXPECT_THAT(events_of(got), ElementsAre("a"));
  got[0]->acknowledge();
}

TEST(kafka_listening_nowhere, closing_takes_no_longer_than_it_may) {
  kafka_bus k("kafka://127.0.0.1:1/");
  const auto l = k.subscribe("t", "info", "g");
  waited<result<void>> w;
  k.on_loop([&] { l->ready(w.setter()); });
  EXPECT_FALSE(w.is_there());
  k.bus.close(100ms);
  EXPECT_EQ(w.get().error().code(), errc::closed);
}

}  // namespace
}  // namespace oslo::messaging::kafka
