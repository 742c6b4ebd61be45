// Channels that confirm nothing, as RabbitMQ's do over a queue that has lost its quorum.
#include <gmock/gmock.h>

#include "publisher_fixture.hpp"

namespace oslo::messaging::rabbit {
namespace {

/// Key of the queue without its quorum.
constexpr auto stuck = "stuck";
constexpr auto after_grace = 1001ms;

class rabbit_publisher_silence : public publisher_fixture {
 protected:
  /// One message is confirmed, then one for the stuck queue takes the channel down.
  void fall_silent() {
    link.connect();
    publish("first");
    link.run();
    ack(1);
    link.advance(1ms);
    link.rest();
    publish("s0", "openstack", stuck);
    link.run();
  }
  /// What arrived since, "channel:body" each; declarations are left out.
  std::string sent() {
    std::string all;
    for (const auto& r : link.rest()) {
      if (r.what == method::channel_close) all += std::to_string(r.channel) + ":close ";
      if (r.what == method::channel_open) all += std::to_string(r.channel) + ":open ";
      if (r.what == method::basic_publish) all += std::to_string(r.channel) + ":" + r.body + " ";
    }
    return all;
  }
  int warnings() { return static_cast<int>(link.lines.with("has confirmed nothing").size()); }
};

TEST_F(rabbit_publisher_silence, others_go_on_through_another_channel) {
  fall_silent();
  publish("a");
  link.rest();
  advance(publisher::silence_limit);
  EXPECT_EQ(sent(), "2:open ");
  EXPECT_EQ(out.next_deadline(), link.now() + 1s) << "grace for a broker that was frozen";
  advance(1s);
  EXPECT_EQ(sent(), "1:close 3:open 2:a 3:s0 ");
  EXPECT_EQ(warnings(), 1);
  ack(1, false, 2);
  EXPECT_EQ(outcome["a"], "confirmed");
  publish("b");
  publish("s1", "openstack", stuck);
  EXPECT_EQ(sent(), "2:b 3:s1 ");
  ack(2, false, 2);
  EXPECT_EQ(outcome["b"], "confirmed");
  // What is silent ends on time, and costs the others nothing.
  publish("c");
  link.rest();
  advance(publisher::confirm_limit - 1s);
  ack(3, false, 2);
  EXPECT_EQ(outcome["c"], "confirmed");
  advance(after_grace);
  EXPECT_EQ(outcome["s0"], code_name(errc::outcome_unknown));
  EXPECT_EQ(outcome["s1"], code_name(errc::outcome_unknown));
  EXPECT_TRUE(out.idle());
  EXPECT_EQ(warnings(), 1);
}

TEST_F(rabbit_publisher_silence, a_queue_that_confirms_again_comes_back_in_order) {
  fall_silent();
  advance(publisher::silence_limit);
  advance(1s);
  link.rest();
  for (int i = 1; i < 4; ++i) publish("s" + std::to_string(i), "openstack", stuck);
  EXPECT_EQ(sent(), "3:s1 3:s2 3:s3 ");
  ack(1, false, 3);
  EXPECT_EQ(outcome["s0"], "confirmed");
  publish("s4", "openstack", stuck);
  EXPECT_EQ(sent(), "") << "behind those that are still on the way apart";
  ack(3, true, 3);
  EXPECT_EQ(sent(), "");
  ack(4, false, 3);
  EXPECT_EQ(sent(), "2:s4 ");
  ack(1, false, 2);
  EXPECT_TRUE(out.idle());
  EXPECT_EQ(order, "firsts0s1s2s3s4");
}

/// The broker would stop to read from the whole connection.
TEST_F(rabbit_publisher_silence, few_are_on_the_way_to_a_silent_queue) {
  fall_silent();
  advance(publisher::silence_limit);
  advance(1s);
  link.rest();
  for (int i = 0; i < 1000; ++i) publish("s", "openstack", stuck);
  publish("a");
  const auto requests = link.rest();
  const auto on = [&](amqp091::channel_id ch) {
    return std::count_if(requests.begin(), requests.end(), [&](const auto& r) {
      return r.channel == ch && r.what == method::basic_publish;
    });
  };
  EXPECT_EQ(on(2), 1);
  EXPECT_EQ(on(3), 63) << "s0 is there already";
}

TEST_F(rabbit_publisher_silence, a_broker_that_was_frozen_confirms_and_nothing_is_repeated) {
  fall_silent();
  advance(publisher::silence_limit);
  EXPECT_EQ(sent(), "1:s0 2:open ");
  ack(2);
  advance(after_grace);
  EXPECT_EQ(sent(), "2:close ");
  EXPECT_EQ(outcome["s0"], "confirmed");
  EXPECT_EQ(warnings(), 0);
  EXPECT_EQ(out.next_deadline(), pending_send::instant::max());
}

TEST_F(rabbit_publisher_silence, a_connection_that_answers_nothing_is_left) {
  fall_silent();
  publish("a");
  link.rest();
  link.script.on(method::channel_open, [](const auto&) { return std::string(); });
  advance(publisher::silence_limit);
  EXPECT_EQ(sent(), "2:open ");
  EXPECT_FALSE(link.renewed);
  advance(publisher::confirm_limit - publisher::silence_limit);
  ASSERT_TRUE(link.renewed);
  EXPECT_THAT(link.renewed->message(), ::testing::HasSubstr("answered nothing"));
  EXPECT_FALSE(outcome.contains("a"));
  EXPECT_EQ(out.next_deadline(), pending_send::instant::max()) << "until the loss is reported";
  link.script.as_usual(method::channel_open);
  link.drop();
  EXPECT_EQ(warnings(), 1);
  link.connect();
  EXPECT_EQ(sent(), "1:open 1:a 2:open 2:s0 ");
}

/// A full socket towards a broker that does not read: the system ends the connection first.
TEST_F(rabbit_publisher_silence, a_connection_that_is_lost_in_silence_sets_the_oldest_apart) {
  fall_silent();
  publish("a");
  link.rest();
  link.advance(publisher::silence_limit);
  link.drop();
  EXPECT_EQ(warnings(), 1);
  link.connect();
  EXPECT_EQ(sent(), "1:open 1:a 2:open 2:s0 ");
}

TEST_F(rabbit_publisher_silence, a_connection_that_is_lost_early_or_blocked_sets_nothing_apart) {
  fall_silent();
  link.advance(publisher::silence_limit - 1ms);
  link.drop();
  link.connect();
  link.send(amqp_script::method_frame(0, method::connection_blocked,
                                      [](amqp091::writer& w) { w.shortstr("low on memory"); }));
  link.advance(publisher::silence_limit);
  advance(1ms);
  link.drop();
  EXPECT_EQ(warnings(), 0);
  link.connect();
  link.rest();
  ack(1);
  EXPECT_TRUE(out.idle());
}

TEST_F(rabbit_publisher_silence, without_a_free_channel_the_silent_one_is_renewed) {
  link.options.channel_max = 1;
  fall_silent();
  advance(publisher::silence_limit);
  EXPECT_EQ(sent(), "1:s0 ");
  publish("young");
  link.rest();
  advance(publisher::confirm_limit - publisher::silence_limit + 1ms);
  EXPECT_EQ(outcome["s0"], code_name(errc::outcome_unknown));
  advance(publisher::again_after);
  EXPECT_EQ(sent(), "1:close 1:open 1:young ");
}

/// The channel of its own may be lost like any other, and is not opened before it is needed.
TEST_F(rabbit_publisher_silence, a_lost_connection_keeps_it_apart) {
  fall_silent();
  advance(publisher::silence_limit);
  advance(1s);
  publish("a");
  link.rest();
  link.drop();
  EXPECT_EQ(warnings(), 1);
  link.connect();
  EXPECT_EQ(sent(), "1:open 1:a 2:open 2:s0 ");
  ack(1, false, 2);
  ack(1, false, 1);
  EXPECT_TRUE(out.idle());
  link.drop();
  link.connect();
  publish("s1", "openstack", stuck);
  EXPECT_EQ(sent(), "1:open 1:s1 ");
}

TEST_F(rabbit_publisher_silence, suspects_are_tried_one_at_a_time_over_both_channels) {
  fall_silent();
  advance(publisher::silence_limit);
  advance(1s);
  publish("a");
  publish("b");
  EXPECT_EQ(sent(), "1:s0 2:open 1:close 3:open 3:s0 2:a 2:b ");
  const amqp091::close_reason too_large{.from = amqp091::close_reason::origin::broker,
                                        .code = 501,
                                        .text = "FRAME_ERROR - frame_too_large"};
  link.close(too_large);
  link.connect();
  EXPECT_EQ(sent(), "1:open 1:a 2:open ") << "the others wait";
  ack(1);
  EXPECT_EQ(sent(), "1:b ");
  ack(2);
  EXPECT_EQ(sent(), "2:s0 ");
  ack(1, false, 2);
  EXPECT_TRUE(out.idle());
}

}  // namespace
}  // namespace oslo::messaging::rabbit
