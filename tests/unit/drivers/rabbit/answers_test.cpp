// Answers of a server whose caller's queue is missing.
#include "drivers/rabbit/answers.hpp"

#include <gtest/gtest.h>

#include <oslo/messaging/asio.hpp>

#include "support/recording_metrics.hpp"
#include "support/scripted_broker.hpp"

namespace oslo::messaging::rabbit {
namespace {

using amqp091::method;
using amqp_script::confirm;
using amqp_script::scripted_broker;

class rabbit_answers : public ::testing::Test {
 protected:
  rabbit_answers()
      : broker(io),
        loop(std::dynamic_pointer_cast<net::asio_loop>(asio_scheduler(io.get_executor()))),
        out(std::make_shared<publisher>(io.get_executor(), broker.settings(), logger())),
        meter(std::make_shared<testing::recording_metrics>()) {
    o.missing_reply_queue_timeout = std::chrono::seconds(1);
    env.loop = loop;
    env.meter = meter;
    under_test = std::make_shared<answers>(o, env, loop, out);
  }
  ~rabbit_answers() override {
    bool shut = false;
    out->shut(std::chrono::seconds(5), [&] { shut = true; });
    broker.run_until([&] { return shut; }, "the end of the link");
  }

  void send(const std::string& queue) {
    verdict.reset();
    under_test->send({queue, "m1", "{}", true, nullptr, [this](result<void> r) { verdict = r; }});
  }
  /// The broker's answer to the next publish.
  void publish_arrives(bool routed) {
    const auto p = broker.next(method::basic_publish);
    ++published;
    if (!routed) broker.send(amqp_script::returned(p.channel, "", "reply_x", "{}"));
    broker.send(confirm(p.channel, method::basic_ack, published, false));
  }
  bool dropped() {
    const auto lines = meter->lines();
    return std::find(lines.begin(), lines.end(), "rpc_server_dropped_replies_total +1") !=
           lines.end();
  }

  boost::asio::io_context io;
  scripted_broker broker;
  options o;
  std::shared_ptr<net::asio_loop> loop;
  std::shared_ptr<publisher> out;
  std::shared_ptr<testing::recording_metrics> meter;
  driver_environment env;
  std::shared_ptr<answers> under_test;
  std::optional<result<void>> verdict;
  std::uint64_t published = 0;
};

TEST_F(rabbit_answers, a_queue_that_comes_back_gets_its_answer) {
  send("reply_x");
  publish_arrives(false);
  EXPECT_FALSE(verdict);
  publish_arrives(true);
  broker.run_until([&] { return verdict.has_value(); }, "the verdict");
  EXPECT_TRUE(verdict->has_value());
  EXPECT_FALSE(dropped());
}

TEST_F(rabbit_answers, a_queue_that_stays_away_is_given_up_and_remembered) {
  send("reply_x");
  while (!verdict) publish_arrives(false);
  EXPECT_EQ(verdict->error().code(), errc::undeliverable);
  EXPECT_TRUE(dropped());
  EXPECT_GE(published, 3u);

  // The next one for it is not even tried; one for another queue is.
  send("reply_x");
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->error().code(), errc::undeliverable);
  under_test->heartbeat("reply_x", "{}");
  for (const auto& r : broker.rest()) EXPECT_NE(r.what, method::basic_publish);
  send("reply_y");
  publish_arrives(true);
  broker.run_until([&] { return verdict.has_value(); }, "the verdict");
  EXPECT_TRUE(verdict->has_value());
}

TEST_F(rabbit_answers, closing_gives_up_what_waits_and_does_not_call_the_queue_dead) {
  send("reply_x");
  publish_arrives(false);
  broker.run_until([&] { return out->idle(); }, "the broker's word");
  EXPECT_FALSE(verdict);
  under_test->close();
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->error().code(), errc::closed);
}

}  // namespace
}  // namespace oslo::messaging::rabbit
