// Answers of a server whose caller's queue is missing, or that the broker will not take.
#include "drivers/rabbit/reply_sender.hpp"

#include <gtest/gtest.h>

#include <oslo/messaging/asio.hpp>

#include "drivers/rabbit/engine.hpp"
#include "support/recording_metrics.hpp"
#include "support/scripted_broker.hpp"

namespace oslo::messaging::rabbit {
namespace {

using amqp091::method;
using amqp_script::confirm;
using amqp_script::scripted_broker;

class rabbit_replies : public ::testing::Test {
 protected:
  rabbit_replies() : broker(io), meter(std::make_shared<testing::recording_metrics>()) {
    options o;
    o.missing_reply_queue_timeout = std::chrono::seconds(1);
    o.link = broker.settings();
    driver_environment env;
    env.loop = asio_scheduler(io.get_executor());
    env.meter = meter;
    driver = std::make_shared<engine>(std::move(o), env,
                                      std::dynamic_pointer_cast<net::asio_loop>(env.loop));
    driver->start();
  }
  ~rabbit_replies() override { close(); }

  void close() {
    bool closed = false;
    driver->close(std::chrono::seconds(5), [&] { closed = true; });
    broker.run_until([&] { return closed; }, "the end of the driver");
  }
  void send(const std::string& queue) {
    outcome.reset();
    driver->replies().send(
        {queue, "m1", true, "{}", true, nullptr, [this](result<void> r) { outcome = r; }});
  }
  /// The broker's answer to the next publish.
  void publish_arrives(bool routed) {
    const auto p = broker.next(method::basic_publish);
    ++published;
    if (!routed) broker.send(amqp_script::returned(p.channel, "", "reply_x", p.body));
    broker.send(confirm(p.channel, method::basic_ack, published, false));
  }
  bool dropped() {
    const auto lines = meter->lines();
    return std::find(lines.begin(), lines.end(), "rpc_server_dropped_replies_total +1") !=
           lines.end();
  }

  boost::asio::io_context io;
  scripted_broker broker;
  std::shared_ptr<testing::recording_metrics> meter;
  std::shared_ptr<engine> driver;
  std::optional<result<void>> outcome;
  std::uint64_t published = 0;
};

TEST_F(rabbit_replies, a_queue_that_comes_back_gets_its_answer) {
  send("reply_x");
  publish_arrives(false);
  EXPECT_FALSE(outcome);
  publish_arrives(true);
  broker.run_until([&] { return outcome.has_value(); }, "the outcome");
  EXPECT_TRUE(outcome->has_value());
  EXPECT_FALSE(dropped());
}

TEST_F(rabbit_replies, a_queue_that_stays_away_is_given_up_and_remembered) {
  send("reply_x");
  while (!outcome) {
    publish_arrives(false);
    broker.run_until([&] { return outcome || broker.has_requests(); }, "the next try");
  }
  EXPECT_EQ(outcome->error().code(), errc::undeliverable);
  EXPECT_TRUE(dropped());
  EXPECT_GE(published, 3u);

  // The next one for it is not even tried; one for another queue is.
  send("reply_x");
  broker.run_until([&] { return outcome.has_value(); }, "the outcome");
  EXPECT_EQ(outcome->error().code(), errc::undeliverable);
  std::optional<errc> verdict;
  driver->replies().heartbeat("reply_x", "{}",
                              [&](result<void> r) { verdict = r ? errc{} : r.error().code(); });
  EXPECT_EQ(verdict, errc::undeliverable);
  driver->replies().heartbeat("reply_x", "{}");
  for (const auto& r : broker.rest()) EXPECT_NE(r.what, method::basic_publish);
  send("reply_y");
  publish_arrives(true);
  broker.run_until([&] { return outcome.has_value(); }, "the outcome");
  EXPECT_TRUE(outcome->has_value());
}

TEST_F(rabbit_replies, a_heartbeat_is_sent_once_and_says_whether_it_arrived) {
  const auto beat = [&](const std::string& queue) {
    outcome.reset();
    driver->replies().heartbeat(queue, "{}", [this](result<void> r) { outcome = r; });
  };
  beat("reply_x");
  EXPECT_FALSE(outcome) << "the broker has not said anything yet";
  publish_arrives(true);
  broker.run_until([&] { return outcome.has_value(); }, "the verdict");
  EXPECT_TRUE(outcome->has_value());
  beat("reply_x");
  publish_arrives(false);
  broker.run_until([&] { return outcome.has_value(); }, "the verdict");
  EXPECT_EQ(outcome->error().code(), errc::undeliverable);
  driver->replies().heartbeat("reply_y", "{}");
  EXPECT_EQ(broker.next(method::basic_publish).body, "{}");
  broker.send(confirm(1, method::basic_ack, ++published, false));
  close();
  beat("reply_x");
  broker.run_until([&] { return outcome.has_value(); }, "the verdict");
  EXPECT_EQ(outcome->error().code(), errc::closed);
}

TEST_F(rabbit_replies, closing_gives_up_what_waits_and_does_not_call_the_queue_dead) {
  send("reply_x");
  publish_arrives(false);
  EXPECT_FALSE(outcome);
  close();
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->error().code(), errc::closed);
}

TEST_F(rabbit_replies, an_answer_that_was_refused_comes_again) {
  send("reply_x");
  const auto p = broker.next(method::basic_publish);
  broker.send(confirm(p.channel, method::basic_nack, 1, false));
  EXPECT_FALSE(outcome);
  ++published;
  publish_arrives(true);
  broker.run_until([&] { return outcome.has_value(); }, "the outcome");
  EXPECT_TRUE(outcome->has_value());
}

TEST_F(rabbit_replies, an_answer_that_the_broker_will_not_take_becomes_one_that_says_so) {
  send("reply_x");
  const auto p = broker.next(method::basic_publish);
  broker.send(amqp_script::close_frame(p.channel, 406, "PRECONDITION_FAILED - message size is \xff",
                                       method::basic_publish));
  const auto instead = broker.next(method::basic_publish);
  EXPECT_NE(instead.body.find("MessageDeliveryFailure"), std::string::npos) << instead.body;
  EXPECT_NE(instead.body.find("message size is"), std::string::npos) << instead.body;
  EXPECT_NE(instead.body.find("m1"), std::string::npos) << instead.body;
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->error().code(), errc::precondition_failed);
  EXPECT_TRUE(dropped());
  broker.send(confirm(instead.channel, method::basic_ack, 1, false));
}

}  // namespace
}  // namespace oslo::messaging::rabbit
