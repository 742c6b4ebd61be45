#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "support/amqp_script.hpp"

using namespace amqp_script;
using testing::ElementsAre;

namespace {

TEST(amqp_channels, answers_match_requests_in_order) {
  client c;
  const channel_id ch = c.open().channel();
  connection& m = c.machine;
  m.exchange_declare(ch, 11, "e", "topic", false, false, false, {});
  m.queue_declare(ch, 12, "", false, false, false, false, {});
  m.queue_bind(ch, 13, "q", "e", "k");
  m.queue_unbind(ch, 14, "q", "e", "k");
  m.basic_qos(ch, 15, 1, false);
  m.basic_consume(ch, 16, "q", "", false, false);
  m.basic_cancel(ch, 17, "tag");
  m.queue_purge(ch, 18, "q");
  m.queue_delete(ch, 19, "q", false, false);
  m.exchange_delete(ch, 20, "e", false);
  m.confirm_select(ch, 21);
  c.feed(method_frame(ch, method::exchange_declare_ok) + declare_ok(ch, "amq.gen-1", 5, 2) +
         method_frame(ch, method::queue_bind_ok) + method_frame(ch, method::queue_unbind_ok) +
         method_frame(ch, method::basic_qos_ok) + consume_ok(ch, "tag") +
         method_hex(ch, method::basic_cancel_ok, "03\"tag\"") +
         method_hex(ch, method::queue_purge_ok, "00000007") +
         method_hex(ch, method::queue_delete_ok, "00000000") +
         method_frame(ch, method::exchange_delete_ok) +
         method_frame(ch, method::confirm_select_ok));
  EXPECT_THAT(c.events(), ElementsAre("ok 1 #11", "ok 1 #12 amq.gen-1 5 2", "ok 1 #13", "ok 1 #14",
                                      "ok 1 #15", "ok 1 #16 tag", "ok 1 #17 tag", "ok 1 #18 7 0",
                                      "ok 1 #19", "ok 1 #20", "ok 1 #21"));
}

TEST(amqp_channels, answer_out_of_turn_is_a_violation) {
  client c;
  const channel_id ch = c.open().channel();
  c.machine.basic_qos(ch, 1, 1, false);
  c.sent();
  c.feed(method_frame(ch, method::queue_bind_ok));
  EXPECT_THAT(c.events(),
              ElementsAre("closed protocol 503 The broker broke the protocol: a method came where "
                          "basic.qos-ok was due (queue.bind-ok, channel 1)."));
  EXPECT_EQ(
      c.sent(),
      close_frame(0, 503, "a method came where basic.qos-ok was due (queue.bind-ok, channel 1)",
                  method::queue_bind_ok));
}

TEST(amqp_channels, answers_for_consumers_may_overtake) {
  client c;
  const channel_id ch = c.open().channel();
  connection& m = c.machine;
  m.basic_consume(ch, 1, "q", "a", false, false);
  m.basic_consume(ch, 2, "q", "b", false, false);
  m.queue_declare(ch, 3, "q", false, false, false, false, {});
  m.basic_cancel(ch, 4, "a");
  m.basic_qos(ch, 5, 1, false);
  c.feed(declare_ok(ch, "q") + consume_ok(ch, "b") + method_frame(ch, method::basic_qos_ok) +
         consume_ok(ch, "a") + method_hex(ch, method::basic_cancel_ok, "01\"a\""));
  EXPECT_THAT(c.events(),
              ElementsAre("ok 1 #3 q", "ok 1 #2 b", "ok 1 #5", "ok 1 #1 a", "ok 1 #4 a"));
}

TEST(amqp_channels, answers_for_consumers_must_name_them) {
  client c;
  const channel_id ch = c.open().channel();
  c.machine.basic_consume(ch, 1, "q", "a", false, false);
  c.feed(consume_ok(ch, "x"));
  EXPECT_THAT(c.events(),
              ElementsAre("closed protocol 503 The broker broke the protocol: a method came where "
                          "basic.consume-ok was due (basic.consume-ok, channel 1)."));
}

TEST(amqp_channels, other_answers_may_not_overtake) {
  client c;
  const channel_id ch = c.open().channel();
  c.machine.basic_consume(ch, 1, "q", "a", false, false);
  c.machine.queue_bind(ch, 2, "q", "e", "k");
  c.machine.basic_qos(ch, 3, 1, false);
  c.feed(method_frame(ch, method::basic_qos_ok));
  EXPECT_THAT(c.events(),
              ElementsAre("closed protocol 503 The broker broke the protocol: a method came where "
                          "queue.bind-ok was due (basic.qos-ok, channel 1)."));
}

TEST(amqp_channels, close_by_the_broker_ends_that_channel_only) {
  for (const auto& [code, text] :
       {std::pair{403, "ACCESS_REFUSED - x"}, std::pair{404, "NOT_FOUND - no queue 'q'"},
        std::pair{405, "RESOURCE_LOCKED - x"}, std::pair{406, "PRECONDITION_FAILED - x"}}) {
    client c;
    c.open();
    const channel_id first = c.channel(), second = c.channel();
    c.machine.queue_declare(first, 1, "q", true, false, false, false, {});
    c.sent();
    c.feed(close_frame(first, static_cast<std::uint16_t>(code), text, method::queue_declare));
    EXPECT_THAT(c.events(),
                ElementsAre("channel-closed 1 broker " + std::to_string(code) + " " + text));
    EXPECT_EQ(c.sent(), close_ok(first));
    EXPECT_FALSE(c.machine.has_channel(first));
    EXPECT_TRUE(c.machine.has_channel(second));
    EXPECT_EQ(c.channel(), first) << "the id is free again";
  }
}

/// RabbitMQ sends what its queues had on their way to a channel that it has closed.
TEST(amqp_channels, what_comes_of_a_channel_that_the_broker_closed_is_nobodys) {
  const auto late = [](channel_id ch) {
    return deliver(ch, 3, "late", {}, 2) + returned(ch, "", "q", "late") +
           confirm(ch, method::basic_ack, 77, false) + confirm(ch, method::basic_nack, 78, true) +
           method_hex(ch, method::basic_cancel, "01\"a\" 01");
  };
  client c;
  const channel_id ch = c.open().channel(), other = c.channel();
  c.feed(deliver(ch, 1, "a") + close_frame(ch, 404, "gone", method::basic_consume));
  c.events();
  c.sent();
  c.feed(late(ch));
  EXPECT_EQ(c.machine.open_channel(), ch);
  c.feed(late(ch) + deliver(other, 1, "of another"));
  EXPECT_THAT(c.events(), ElementsAre(testing::StartsWith("delivery 2")));
  c.feed(channel_open_ok(ch) + deliver(ch, 1, "of the next one"));
  EXPECT_THAT(c.events(), ElementsAre("channel-open 1", testing::HasSubstr("of the next one")));
  EXPECT_TRUE(c.machine.has_channel(ch));
}

/// Only what comes unasked can be late: an answer that nobody asked for is a broken broker.
TEST(amqp_channels, an_answer_on_a_channel_that_the_broker_closed_is_a_violation) {
  client c;
  const channel_id ch = c.open().channel();
  c.feed(close_frame(ch, 404, "gone", method::basic_consume));
  c.events();
  c.feed(method_frame(ch, method::basic_qos_ok));
  EXPECT_THAT(c.events(), ElementsAre(testing::HasSubstr("a channel that is not open")));
}

TEST(amqp_channels, close_by_us) {
  client c;
  const channel_id ch = c.open().channel();
  c.feed(deliver(ch, 1, "a") + deliver(ch, 2, "b"));
  c.events();
  c.machine.ack(ch, 1);
  c.machine.ack(ch, 2);
  c.machine.close_channel(ch, 320, "enough");
  EXPECT_FALSE(c.machine.has_channel(ch));
  EXPECT_EQ(c.sent(), method_hex(ch, method::basic_ack, "0000000000000002 01") +
                          close_frame(ch, 320, "enough"));
  c.feed(deliver(ch, 3, "late") + method_frame(ch, method::basic_qos_ok) +
         confirm(ch, method::basic_ack, 77, false));
  EXPECT_THAT(c.events(), ElementsAre());
  EXPECT_NE(c.machine.open_channel(), ch) << "the id is not free before close-ok";
  c.feed(close_ok(ch));
  EXPECT_THAT(c.events(), ElementsAre("channel-closed 1 local 320 enough"));
  EXPECT_EQ(c.machine.open_channel(), ch);
}

TEST(amqp_channels, close_in_the_middle_of_a_message) {
  client c;
  const channel_id ch = c.open().channel();
  const std::string message = deliver(ch, 1, "abcdef", {}, 3);
  c.feed(message.substr(0, message.size() - 11));
  c.machine.close_channel(ch);
  c.feed(message.substr(message.size() - 11) + close_ok(ch));
  EXPECT_THAT(c.events(), ElementsAre("channel-closed 1 local 200 "));
}

TEST(amqp_channels, close_from_both_sides_at_once) {
  client c;
  const channel_id ch = c.open().channel();
  c.machine.close_channel(ch);
  c.sent();
  c.feed(close_frame(ch, 404, "NOT_FOUND"));
  EXPECT_EQ(c.sent(), close_ok(ch));
  EXPECT_THAT(c.events(), ElementsAre());
  c.feed(close_ok(ch));
  EXPECT_THAT(c.events(), ElementsAre("channel-closed 1 broker 404 NOT_FOUND"));
}

TEST(amqp_channels, number_is_limited) {
  client c;
  c.open(2);
  const channel_id first = c.machine.open_channel();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(c.machine.open_channel(), 2);
  EXPECT_THROW(c.machine.open_channel(), std::length_error);
  c.feed(channel_open_ok(1) + close_frame(1, 406, "x"));
  EXPECT_EQ(c.machine.open_channel(), 1);
}

TEST(amqp_channels, flow_is_answered) {
  client c;
  const channel_id ch = c.open().channel();
  c.feed(method_hex(ch, method::channel_flow, "00"));
  EXPECT_EQ(c.sent(), method_hex(ch, method::channel_flow_ok, "00"));
  c.feed(method_hex(ch, method::channel_flow, "01"));
  EXPECT_EQ(c.sent(), method_hex(ch, method::channel_flow_ok, "01"));
}

TEST(amqp_channels, answers_that_are_not_read_are_bounded) {
  client c;
  const channel_id ch = c.open().channel();
  std::string flows;
  for (int i = 0; i < 1000; ++i) flows += method_hex(ch, method::channel_flow, "01");
  for (int i = 0; i < 1000; ++i) {
    c.feed(flows);
    c.sent();
  }
  EXPECT_THAT(c.events(), ElementsAre());
  for (int i = 0; i < 500; ++i) c.feed(flows);
  EXPECT_THAT(c.events(),
              ElementsAre("closed protocol 506 The broker broke the protocol: it asks for answers "
                          "and does not read them (channel.flow, channel 1)."));
  EXPECT_LT(c.machine.output_size(), 5u << 20);
}

TEST(amqp_channels, closes_of_a_closing_channel_that_are_not_read_are_bounded) {
  client c;
  const channel_id ch = c.open().channel();
  c.machine.close_channel(ch);
  std::string closes;
  for (int i = 0; i < 1000; ++i) closes += close_frame(ch, 406, "x");
  for (int i = 0; i < 1000; ++i) c.feed(closes);
  EXPECT_THAT(c.events(),
              ElementsAre("closed protocol 506 The broker broke the protocol: it asks for answers "
                          "and does not read them (channel.close, channel 1)."));
  EXPECT_LT(c.machine.output_size(), 5u << 20);
}

TEST(amqp_channels, rejects_that_are_not_read_are_bounded) {
  struct rejecting : recorder {
    connection* machine = nullptr;
    void on_delivery(const delivery& d) override {
      machine->reject(d.channel, d.delivery_tag, true);
    }
  } user;
  client c({}, user);
  user.machine = &c.machine;
  const channel_id ch = c.open().channel();
  constexpr std::uint64_t largest_prefetch = 65'535;
  for (std::uint64_t tag = 1; tag <= largest_prefetch; ++tag) c.feed(deliver(ch, tag, "x"));
  EXPECT_EQ(c.sent().size(), largest_prefetch * 21);
  user.lines.clear();
  for (std::uint64_t tag = largest_prefetch + 1; tag < 1'000'000 && user.lines.empty(); ++tag)
    c.feed(deliver(ch, tag, "x"));
  EXPECT_THAT(user.lines,
              ElementsAre("closed protocol 506 The broker broke the protocol: it asks for answers "
                          "and does not read them (basic.deliver, channel 1)."));
  EXPECT_LT(c.machine.output_size(), 5u << 20);
}

TEST(amqp_channels, acks_of_a_closed_channel_are_no_output) {
  client c;
  const channel_id ch = c.open().channel();
  c.feed(deliver(ch, 1, "x") + deliver(ch, 2, "x"));
  c.machine.ack(ch, 1);
  c.feed(close_frame(ch, 406, "x"));
  c.sent();
  const channel_id again = c.channel();
  ASSERT_EQ(again, ch);
  c.machine.ack(again, 2);
  EXPECT_FALSE(c.machine.has_output());
}

TEST(amqp_channels, consumer_cancelled_by_the_broker) {
  client c;
  const channel_id ch = c.open().channel();
  c.feed(method_hex(ch, method::basic_cancel, "03\"tag\" 00"));
  EXPECT_EQ(c.sent(), method_hex(ch, method::basic_cancel_ok, "03\"tag\""));
  c.feed(method_hex(ch, method::basic_cancel, "03\"gat\" 01"));
  EXPECT_EQ(c.sent(), "");
  EXPECT_THAT(c.events(), ElementsAre("cancelled 1 tag", "cancelled 1 gat"));
}

TEST(amqp_channels, handler_may_open_another_in_the_close_event) {
  struct reopening : recorder {
    connection* machine = nullptr;
    channel_id opened = 0;
    void on_channel_closed(channel_id ch, const close_reason& why) override {
      recorder::on_channel_closed(ch, why);
      opened = machine->open_channel();
    }
  } handler;
  client c{{}, handler};
  handler.machine = &c.machine;
  const channel_id ch = c.open().channel();
  c.feed(close_frame(ch, 404, "NOT_FOUND"));
  EXPECT_EQ(handler.opened, ch);
  EXPECT_EQ(c.sent(), close_ok(ch) + method_hex(ch, method::channel_open, "00"));
}

class amqp_confirms : public testing::Test {
 protected:
  client c_;
  channel_id ch_ = c_.open().channel(true);

  void publish(int n) {
    for (int i = 0; i < n; ++i) c_.machine.publish(ch_, "", "q", false, {}, "x");
  }
  std::vector<std::string> confirmed(method m, std::uint64_t tag, bool multiple) {
    c_.feed(confirm(ch_, m, tag, multiple));
    return c_.events();
  }
};

TEST_F(amqp_confirms, are_reported_as_they_come) {
  publish(5);
  EXPECT_THAT(confirmed(method::basic_ack, 2, false), ElementsAre("ack 1 2"));
  EXPECT_THAT(confirmed(method::basic_nack, 4, false), ElementsAre("nack 1 4"));
  EXPECT_THAT(confirmed(method::basic_ack, 3, true), ElementsAre("ack 1 up to 3"));
  EXPECT_THAT(confirmed(method::basic_ack, 3, true), ElementsAre("ack 1 up to 3"))
      << "whoever publishes knows what is settled";
  EXPECT_THAT(confirmed(method::basic_nack, 5, true), ElementsAre("nack 1 up to 5"));
}

TEST_F(amqp_confirms, number_nought_means_everything_so_far) {
  EXPECT_THAT(confirmed(method::basic_ack, 0, true), ElementsAre()) << "nothing was published";
  publish(5);
  EXPECT_THAT(confirmed(method::basic_nack, 0, true), ElementsAre("nack 1 up to 5"));
  publish(1);
  EXPECT_THAT(confirmed(method::basic_ack, 0, true), ElementsAre("ack 1 up to 6"));
}

TEST_F(amqp_confirms, bits_of_nack_are_those_of_multiple_and_requeue) {
  publish(2);
  c_.feed(method_hex(ch_, method::basic_nack, "0000000000000002 03") +
          method_hex(ch_, method::basic_nack, "0000000000000001 02"));
  EXPECT_THAT(c_.events(), ElementsAre("nack 1 up to 2", "nack 1 1"));
}

TEST_F(amqp_confirms, numbers_never_used_are_a_violation) {
  for (const auto& [tag, multiple] : {std::pair{3, false}, {3, true}, {0, false}}) {
    client c;
    const channel_id ch = c.open().channel(true);
    c.machine.publish(ch, "", "q", false, {}, "");
    c.machine.publish(ch, "", "q", false, {}, "");
    c.feed(confirm(ch, method::basic_ack, static_cast<std::uint64_t>(tag), multiple));
    EXPECT_THAT(c.events(),
                ElementsAre("closed protocol 503 The broker broke the protocol: publish number " +
                            std::to_string(tag) +
                            " is confirmed, and the last was 2 (basic.ack, channel 1)."));
  }
}

TEST_F(amqp_confirms, without_confirm_mode_are_a_violation) {
  client c;
  const channel_id ch = c.open().channel();
  c.machine.publish(ch, "", "q", false, {}, "");
  c.feed(confirm(ch, method::basic_ack, 1, false));
  EXPECT_THAT(c.events(), ElementsAre("closed protocol 503 The broker broke the protocol: a "
                                      "confirm came on a channel that is not in confirm mode "
                                      "(basic.ack, channel 1)."));
}

TEST_F(amqp_confirms, second_select_keeps_counting) {
  publish(3);
  c_.machine.confirm_select(ch_, 9);
  EXPECT_EQ(c_.machine.publish(ch_, "", "q", false, {}, ""), 4u);
}

TEST_F(amqp_confirms, of_another_channel_do_not_count) {
  const channel_id other = c_.channel(true);
  publish(3);
  c_.machine.publish(other, "", "q", false, {}, "x");
  c_.feed(confirm(other, method::basic_ack, 0, true) + confirm(ch_, method::basic_ack, 0, true) +
          confirm(other, method::basic_ack, 2, false));
  EXPECT_THAT(c_.events(),
              ElementsAre("ack 2 up to 1", "ack 1 up to 3",
                          "closed protocol 503 The broker broke the protocol: publish number 2 is "
                          "confirmed, and the last was 1 (basic.ack, channel 2)."));
}

TEST_F(amqp_confirms, start_anew_on_a_new_channel) {
  publish(3);
  c_.feed(close_frame(ch_, 404, "NOT_FOUND"));
  ASSERT_EQ(c_.channel(true), ch_);
  EXPECT_THAT(confirmed(method::basic_ack, 0, true), ElementsAre());
  EXPECT_EQ(c_.machine.publish(ch_, "", "q", false, {}, ""), 1u);
}

TEST_F(amqp_confirms, handler_may_publish_meanwhile) {
  struct publishing : recorder {
    connection* machine = nullptr;
    void on_confirm(channel_id ch, std::uint64_t sequence, bool multiple, bool ack) override {
      recorder::on_confirm(ch, sequence, multiple, ack);
      machine->publish(ch, "", "q", false, {}, "again");
    }
  } handler;
  client c{{}, handler};
  handler.machine = &c.machine;
  const channel_id ch = c.open().channel(true);
  handler.lines.clear();
  for (int i = 0; i < 60; ++i) c.machine.publish(ch, "", "q", false, {}, "");
  c.feed(confirm(ch, method::basic_ack, 0, true) + confirm(ch, method::basic_ack, 61, false));
  EXPECT_THAT(handler.lines, ElementsAre("ack 1 up to 60", "ack 1 61"))
      << "what is published meanwhile is not covered";
}

TEST_F(amqp_confirms, return_comes_before_the_confirm) {
  for (const char* key : {"there", "gone", "gone too"})
    c_.machine.publish(ch_, "e", key, true, {}, "x");
  c_.feed(returned(ch_, "e", "gone", "x") + returned(ch_, "e", "gone too", "x") +
          confirm(ch_, method::basic_ack, 3, true));
  EXPECT_THAT(c_.events(),
              ElementsAre("return 1 312 NO_ROUTE 'e' 'gone' 'x'",
                          "return 1 312 NO_ROUTE 'e' 'gone too' 'x'", "ack 1 up to 3"));
}

TEST_F(amqp_confirms, returns_come_without_confirm_mode_too) {
  const channel_id ch = c_.channel();
  EXPECT_EQ(c_.machine.publish(ch, "", "gone", true, {}, "x"), 0u);
  c_.feed(returned(ch, "", "gone", "x"));
  EXPECT_THAT(c_.events(), ElementsAre("return 2 312 NO_ROUTE '' 'gone' 'x'"));
}

}  // namespace
