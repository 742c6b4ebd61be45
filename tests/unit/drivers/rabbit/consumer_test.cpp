// The consuming connection against a broker that does exactly what the test says.
#include "drivers/rabbit/consumer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/scripted_broker.hpp"

namespace oslo::messaging::rabbit {
namespace {

using amqp091::method;
using amqp_script::scripted_broker;
using ::testing::ElementsAre;

class recording_subscription : public subscription {
 public:
  explicit recording_subscription(std::vector<source> sources, std::uint16_t prefetch = 10)
      : subscription(std::move(sources), prefetch) {}
  void on_ready() override { events.push_back("ready"); }
  void on_lost() override { events.push_back("lost"); }
  void on_removed() override { events.push_back("removed"); }
  void on_refused(const failure& why) override { events.push_back("refused: " + why.message()); }
  void on_unreachable(const failure&) override { events.push_back("unreachable"); }
  void on_delivery(const amqp091::delivery& d) override {
    last_tag = d.delivery_tag;
    events.push_back("delivery " + std::string(d.body));
  }
  std::vector<std::string> events;
  std::uint64_t last_tag = 0;
};

class rabbit_consumer : public ::testing::Test {
 protected:
  rabbit_consumer()
      : broker(io),
        in(std::make_shared<consumer>(
            io.get_executor(), broker.settings(), logger(), [] {}, [] {})) {}
  ~rabbit_consumer() override {
    bool shut = false;
    in->shut(std::chrono::seconds(5), [&] { shut = true; });
    broker.run_until([&] { return shut; }, "the end of the link");
  }

  std::shared_ptr<recording_subscription> add() {
    auto s = std::make_shared<recording_subscription>(
        server_sources({}, "openstack", "calc", "host1", "0123"));
    in->add(s);
    return s;
  }
  std::shared_ptr<recording_subscription> add_ready() {
    auto s = add();
    broker.run_until([&] { return s->is_ready(); }, "the consumers");
    s->events.clear();
    broker.rest();
    return s;
  }
  void deliver(const std::string& body, std::uint64_t tag, const std::string& consumer_tag) {
    broker.send(amqp_script::deliver_method(1, tag, consumer_tag) + amqp_script::content(1, body));
  }

  boost::asio::io_context io;
  scripted_broker broker;
  std::shared_ptr<consumer> in;
};

TEST_F(rabbit_consumer, declares_binds_and_consumes_every_queue_before_it_is_ready) {
  const auto s = add();
  EXPECT_EQ(scripted_broker::name_in(broker.next(method::exchange_declare)), "openstack");
  EXPECT_EQ(scripted_broker::name_in(broker.next(method::queue_declare)), "calc");
  EXPECT_EQ(scripted_broker::name_in(broker.next(method::queue_bind)), "calc");
  EXPECT_EQ(scripted_broker::name_in(broker.next(method::queue_declare)), "calc.host1");
  EXPECT_EQ(scripted_broker::name_in(broker.next(method::queue_declare)), "calc_fanout_0123");
  broker.next(method::basic_consume);
  broker.run_until([&] { return !s->events.empty(); }, "readiness");
  EXPECT_THAT(s->events, ElementsAre("ready"));
}

TEST_F(rabbit_consumer, is_not_ready_before_the_last_consumer_is) {
  broker.on(method::basic_consume, [](const scripted_broker::request& r) {
    return scripted_broker::name_in(r) == "calc"
               ? std::string()
               : amqp_script::consume_ok(r.channel, scripted_broker::tag_in(r));
  });
  const auto s = add();
  const auto first = broker.next(method::basic_consume);
  broker.next(method::basic_consume);
  broker.next(method::basic_consume);
  broker.rest();
  EXPECT_FALSE(s->is_ready());
  // RabbitMQ lets queues answer for themselves: the first may come last.
  broker.send(amqp_script::consume_ok(1, scripted_broker::tag_in(first)));
  broker.run_until([&] { return s->is_ready(); }, "readiness");
}

TEST_F(rabbit_consumer, sets_everything_up_again_and_settles_nothing_of_the_old_channel) {
  const auto s = add_ready();
  deliver("old", 1, "1");
  broker.run_until([&] { return s->last_tag == 1; }, "a delivery");
  const auto old_lifetime = s->lifetime();
  broker.drop();
  broker.run_until([&] { return s->events.back() == "ready"; }, "readiness");
  EXPECT_THAT(s->events, ElementsAre("delivery old", "lost", "ready"));
  broker.rest();
  in->ack(*s, old_lifetime, 1);
  in->reject(*s, old_lifetime, 1, true);
  for (const auto& r : broker.rest()) EXPECT_NE(r.what, method::basic_ack);
  deliver("new", 1, "4");
  broker.run_until([&] { return s->events.back() == "delivery new"; }, "a delivery");
  in->ack(*s, s->lifetime(), 1);
  EXPECT_EQ(amqp091::reader{broker.next(method::basic_ack).arguments}.u64(), 1u);
}

TEST_F(rabbit_consumer, a_consumer_that_the_broker_cancels_is_set_up_again) {
  const auto s = add_ready();
  broker.send(amqp_script::method_frame(1, method::basic_cancel, [](amqp091::writer& w) {
    w.shortstr("1");
    w.u8(1);
  }));
  broker.next(method::channel_close);
  broker.run_until([&] { return s->events.back() == "ready"; }, "readiness");
  EXPECT_THAT(s->events, ElementsAre("lost", "ready"));
  EXPECT_EQ(broker.connections(), 1);
}

TEST_F(rabbit_consumer, a_refused_queue_is_told_with_the_brokers_words) {
  broker.on(method::queue_declare, [](const scripted_broker::request& r) {
    return amqp_script::close_frame(r.channel, 406, "PRECONDITION_FAILED - inequivalent arg",
                                    method::queue_declare);
  });
  const auto s = add();
  broker.run_until([&] { return s->events.size() == 2; }, "the refusal");
  EXPECT_EQ(s->events[0], "lost");
  EXPECT_NE(s->events[1].find("refused: "), std::string::npos);
  EXPECT_NE(s->events[1].find("inequivalent arg"), std::string::npos) << s->events[1];
  EXPECT_TRUE(in->is_open()) << "other subscriptions go on";
}

TEST_F(rabbit_consumer, the_end_of_a_subscription_deletes_its_private_queues_only) {
  const auto s = add_ready();
  in->stop_deliveries(s);
  broker.next(method::basic_cancel);
  broker.next(method::basic_cancel);
  broker.next(method::basic_cancel);
  in->remove(s);
  EXPECT_EQ(scripted_broker::name_in(broker.next(method::queue_delete)), "calc_fanout_0123");
  broker.next(method::channel_close);
  for (const auto& r : broker.rest()) EXPECT_NE(r.what, method::queue_delete);
  EXPECT_THAT(s->events, ElementsAre("lost", "removed"));
}

TEST_F(rabbit_consumer, an_unreachable_broker_is_told_and_tried_again) {
  const auto s = add_ready();
  broker.vanish();
  broker.run_until(
      [&] { return std::count(s->events.begin(), s->events.end(), "unreachable") >= 2; },
      "two attempts");
  EXPECT_EQ(s->events.front(), "lost");
}

}  // namespace
}  // namespace oslo::messaging::rabbit
