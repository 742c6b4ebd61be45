// Notifications on their way to the cluster that librdkafka plays, and to none.
#include <gmock/gmock.h>

#include <oslo/messaging/rpc.hpp>

#include "kafka_bus.hpp"

namespace oslo::messaging::kafka {
namespace {

using oslo::messaging::testing::kafka_mock_cluster;
using oslo::messaging::testing::mock_kafka;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Nobody listens on the port of a service that multiplexes others.
constexpr auto nobody = "kafka://127.0.0.1:1/";

// ---- what it can do -----------------------------------------------------------------------------

TEST(kafka_sending, calls_are_refused_by_name) {
  kafka_bus k(nobody);
  EXPECT_FALSE(k.bus.driver().caps().rpc);
  EXPECT_TRUE(k.bus.driver().caps().notifications);
  EXPECT_TRUE(k.bus.driver().caps().requeue);
  EXPECT_EQ(k.bus.driver().system(), "kafka");
  try {
    rpc::client{k.bus, {.topic = "t"}};
    FAIL() << "not refused";
  } catch (const messaging_error& e) {
    EXPECT_EQ(e.failure().code(), errc::not_supported);
    EXPECT_STREQ(e.what(), "The driver of kafka:// cannot carry RPC.");
  }
  waited<result<reply>> w;
  k.bus.driver().send({.topic = "t"}, {"{}", {}}, {}, w.setter());
  EXPECT_EQ(w.get().error().code(), errc::not_supported);
}

TEST(kafka_sending, a_name_that_is_no_topic_is_refused_before_anything_is_sent) {
  kafka_bus k(nobody);
  EXPECT_EQ(k.send("not a topic", "e").error().code(), errc::invalid_argument);
  EXPECT_THROW(k.subscribe("not a topic", "info", "g"), messaging_error);
}

// ---- delivery reports ---------------------------------------------------------------------------

TEST(kafka_sending, a_notification_is_done_when_the_broker_has_it) {
  kafka_bus k(mock_kafka().url());
  EXPECT_TRUE(k.send("reports.info", "e", {.timeout = patience}).has_value());
  EXPECT_EQ(k.bus.health().publishing, link_state::connected);
  EXPECT_EQ(k.bus.health().consuming, link_state::idle);
}

TEST(kafka_sending, what_the_broker_refuses_is_the_outcome) {
  kafka_mock_cluster cluster;
  kafka_bus k(cluster.url());
  ASSERT_TRUE(k.send("refusals.info", "first").has_value());
  cluster.fail_produce(1, 44);  // POLICY_VIOLATION
  const auto r = k.send("refusals.info", "second", {.timeout = patience});
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::rejected);
  EXPECT_THAT(r.error().message(), StartsWith("Topic refusals.info has not taken the message: "));
  EXPECT_EQ(r.error().detail().destination, "refusals.info");
  const auto next = k.send("refusals.info", "third", {.timeout = patience});
  EXPECT_TRUE(next.has_value()) << next.error().message();
}

TEST(kafka_sending, a_topic_without_permission_is_refused_from_then_on) {
  kafka_mock_cluster cluster;
  kafka_bus k(cluster.url());
  ASSERT_TRUE(k.send("secret.info", "first").has_value());
  cluster.fail_produce(1, 29);  // TOPIC_AUTHORIZATION_FAILED
  // librdkafka remembers it until it asks for the topic again.
  for (const char* event : {"second", "third"}) {
    const auto r = k.send("secret.info", event, {.timeout = patience});
    ASSERT_TRUE(r.has_error());
    EXPECT_EQ(r.error().code(), errc::access_refused) << r.error().message();
  }
  EXPECT_TRUE(k.send("other.info", "fourth", {.timeout = patience}).has_value());
}

TEST(kafka_sending, what_may_pass_is_tried_again) {
  kafka_mock_cluster cluster;
  kafka_bus k(cluster.url());
  ASSERT_TRUE(k.send("retries.info", "first").has_value());
  cluster.fail_produce(2, 6);  // NOT_LEADER_FOR_PARTITION
  EXPECT_TRUE(k.send("retries.info", "second", {.timeout = patience}).has_value());
}

TEST(kafka_sending, a_message_that_is_too_large_is_refused_at_once) {
  kafka_bus k(mock_kafka().url());
  const auto r = k.send("large.info", std::string(2'000'000, 'x'), {.timeout = patience});
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::limit_exceeded);
  EXPECT_THAT(r.error().message(), HasSubstr("cpp_rdkafka_producer.message.max.bytes"));
}

TEST(kafka_sending, completions_run_on_the_loop_and_not_inside_the_send) {
  kafka_bus k(mock_kafka().url());
  waited<bool> on_loop;
  k.on_loop([&] {
    auto returned = std::make_shared<bool>(false);
    k.bus.driver().send_notification({.topic = "inside.info"}, {"{}", {}},
                                     notification_format::envelope, {},
                                     [&k, returned, set = on_loop.setter()](result<reply>) mutable {
                                       set(*returned && k.bus.loop().running_here());
                                     });
    *returned = true;
  });
  EXPECT_TRUE(on_loop.get());
}

// ---- no broker ----------------------------------------------------------------------------------

TEST(kafka_sending, without_a_broker_a_timeout_bounds_the_wait) {
  kafka_bus k(nobody);
  const auto r = k.send("t.info", "e", {.timeout = 300ms});
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::timed_out);
  EXPECT_EQ(r.error().detail().stage, "connecting");
  EXPECT_GE(r.error().detail().elapsed, 300ms);
}

TEST(kafka_sending, without_a_retry_a_send_fails_with_the_first_attempt) {
  kafka_bus k(nobody);
  for (int i = 0; i < 2; ++i) {
    const auto r = k.send("t.info", "e", {.retry = 0});
    ASSERT_TRUE(r.has_error());
    EXPECT_EQ(r.error().code(), errc::unreachable) << r.error().message();
    EXPECT_EQ(r.error().detail().stage, "connecting");
    EXPECT_EQ(r.error().detail().broker, "127.0.0.1:1");
  }
  EXPECT_EQ(k.bus.health().publishing, link_state::connecting);
  EXPECT_NE(k.bus.health().reason, "");
}

TEST(kafka_sending, some_attempts_take_their_time) {
  kafka_bus k(nobody);
  const auto r = k.send("t.info", "e", {.retry = 2});
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::unreachable);
  EXPECT_GE(r.error().detail().elapsed, 300ms);
}

TEST(kafka_sending, no_time_at_all_is_not_enough) {
  kafka_bus k(mock_kafka().url());
  EXPECT_EQ(k.send("t.info", "e", {.timeout = 0ms}).error().code(), errc::timed_out);
}

TEST(kafka_sending, a_send_can_be_cancelled) {
  kafka_bus k(nobody);
  std::stop_source stop;
  auto w = k.begin("t.info", "e", {.cancel = stop.get_token()});
  EXPECT_FALSE(w.is_there());
  stop.request_stop();
  EXPECT_EQ(w.get().error().code(), errc::cancelled);
  EXPECT_EQ(k.send("t.info", "e", {.cancel = stop.get_token()}).error().code(), errc::cancelled);
}

TEST(kafka_sending, closing_ends_what_waits) {
  kafka_bus k(nobody);
  auto w = k.begin("t.info", "e");
  k.bus.close(100ms);
  EXPECT_EQ(w.get().error().code(), errc::closed);
  EXPECT_EQ(k.send("t.info", "e").error().code(), errc::closed);
  EXPECT_EQ(k.bus.health().publishing, link_state::closed);
  k.bus.close(100ms);
}

TEST(kafka_sending, closing_waits_for_reports_that_come) {
  kafka_bus k(mock_kafka().url());
  std::vector<waited<result<reply>>> all;
  for (int i = 0; i < 500; ++i) all.push_back(k.begin("closing.info", "e"));
  k.bus.close(patience);
  for (auto& w : all) EXPECT_TRUE(w.get().has_value());
}

TEST(kafka_sending, a_broker_that_comes_back_gets_what_waited) {
  kafka_mock_cluster cluster;
  kafka_bus k(cluster.url());
  ASSERT_TRUE(k.send("back.info", "first").has_value());
  cluster.set_down(true);
  auto waiting = k.begin("back.info", "second");
  // Of one that librdkafka got before it knew, nobody can tell.
  const auto third = k.send("back.info", "third", {.retry = 1}).error().code();
  EXPECT_THAT(third, ::testing::AnyOf(errc::unreachable, errc::outcome_unknown));
  EXPECT_EQ(k.send("back.info", "fourth", {.retry = 0}).error().code(), errc::unreachable);
  EXPECT_FALSE(waiting.is_there());
  cluster.set_down(false);
  EXPECT_TRUE(waiting.get().has_value());
  EXPECT_EQ(k.bus.health().publishing, link_state::connected);
}

TEST(kafka_sending, nothing_is_sent_later_for_those_who_have_given_up) {
  kafka_mock_cluster cluster;
  cluster.create_topic("later.info", 1);
  kafka_bus k(cluster.url());
  ASSERT_TRUE(k.send("later.info", "first").has_value());
  cluster.set_down(true);
  EXPECT_TRUE(k.send("later.info", "never", {.timeout = 2s}).has_error());
  cluster.set_down(false);
  EXPECT_TRUE(k.send("later.info", "last", {.timeout = patience}).has_value());
  const auto l = k.listen("later", "info", "g");
  auto got = k.pull_all(*l, 2);
  EXPECT_THAT(events_of(got), ::testing::ElementsAre("first", "last"));
}

TEST(kafka_sending, what_is_begun_without_a_broker_can_be_taken_back_alone) {
  kafka_mock_cluster cluster;
  cluster.create_topic("alone.info", 1);
  kafka_bus k(cluster.url());
  ASSERT_TRUE(k.send("alone.info", "first").has_value());
  cluster.set_down(true);
  while (k.send("alone.info", "none", {.retry = 0}).error().code() != errc::unreachable) {
  }
  auto waiting = k.begin("alone.info", "second");
  const auto over = k.send("alone.info", "never", {.timeout = 300ms});
  EXPECT_EQ(over.error().code(), errc::timed_out);
  EXPECT_EQ(over.error().detail().stage, "connecting");
  EXPECT_FALSE(waiting.is_there());
  cluster.set_down(false);
  EXPECT_TRUE(waiting.get().has_value());
  const auto l = k.listen("alone", "info", "g");
  const auto got = events_of(k.pull_all(*l, 2));
  EXPECT_THAT(got, ::testing::Contains("second"));
  EXPECT_THAT(got, ::testing::Not(::testing::Contains("never")));
}

}  // namespace
}  // namespace oslo::messaging::kafka
