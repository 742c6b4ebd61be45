// Time, output and the end of a connection.
#include "protocol/amqp091/connection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "support/amqp_script.hpp"

using namespace amqp_script;
using testing::ElementsAre;

namespace {

const std::string beat = bytes("08 0000 00000000 ce");

TEST(amqp_heartbeats, are_sent_when_nothing_else_was_for_half_an_interval) {
  client c;
  c.open(0, 0, 10);
  EXPECT_EQ(c.machine.next_deadline(), c.now + 5s);
  c.now += 4999ms;
  c.machine.on_tick(c.now);
  EXPECT_EQ(c.sent(), "");
  c.now += 1ms;
  c.machine.on_tick(c.now);
  EXPECT_EQ(c.sent(), beat);
  c.now += 3s;
  const channel_id ch = c.channel();
  EXPECT_EQ(c.machine.next_deadline(), c.now + 5s);
  c.now += 5s;
  c.machine.ack(ch, 1);
  c.machine.on_tick(c.now);
  EXPECT_EQ(c.sent(), beat);
}

TEST(amqp_heartbeats, do_not_pile_up_behind_output_that_waits) {
  client c;
  c.open(0, 0, 10);
  c.machine.open_channel();
  const std::size_t size = c.machine.output_size();
  for (int i = 0; i < 10; ++i) {
    c.now += 5s;
    c.feed(beat);
    c.machine.on_tick(c.now);
    EXPECT_GT(c.machine.next_deadline(), c.now);
  }
  EXPECT_EQ(c.machine.output_size(), size);
}

TEST(amqp_heartbeats, silence_of_one_and_a_half_intervals_ends_the_connection) {
  client c;
  c.open(0, 0, 10);
  const instant start = c.now;
  for (int i = 1; i < 15; ++i) {
    c.now += 1s;
    c.machine.on_tick(c.now);
  }
  EXPECT_THAT(c.events(), ElementsAre());
  EXPECT_EQ(c.machine.next_deadline(), start + 15s);
  c.now += 1s;
  c.machine.on_tick(c.now);
  EXPECT_THAT(c.events(), ElementsAre("closed heartbeat 0 Nothing was heard from the broker for "
                                      "15 s, with heartbeats of 10 s."));
}

// ---- A broker that answers nothing
// ---------------------------------------------------------------

std::string question(channel_id ch) {
  return method_hex(ch, method::channel_flow, "01");
}

struct amqp_questions : testing::Test {
  amqp_questions() { c.open(0, 0, 10); }
  /// Heartbeats come, the caller does what it should, and all output leaves.
  std::string live(std::chrono::seconds time, bool heartbeats = true) {
    std::string sent;
    for (; time.count() > 0; time -= 1s) {
      c.now += 1s;
      if (heartbeats && time.count() % 5 == 0) c.feed(beat);
      c.machine.on_tick(c.now);
      sent += c.sent();
    }
    return sent;
  }
  client c;
};

TEST_F(amqp_questions, are_asked_after_an_interval_of_nothing_but_heartbeats_on_each_channel) {
  const channel_id a = c.channel(), b = c.channel();
  c.machine.open_channel();  // one that is not open yet has an answer to come anyway
  c.sent();
  EXPECT_EQ(live(9s), beat);
  EXPECT_LE(c.machine.next_deadline(), c.now + 1s);
  c.now += 1s;
  c.machine.on_tick(c.now);
  EXPECT_EQ(c.sent(), question(a) + question(b));
  EXPECT_EQ(live(5s), beat) << "once";
}

TEST_F(amqp_questions, an_answer_is_good_for_another_interval_and_is_told_nobody) {
  const channel_id ch = c.channel();
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(live(10s), testing::EndsWith(question(ch))) << i;
    c.feed(flow_ok(ch));
  }
  EXPECT_THAT(c.events(), ElementsAre());
}

TEST_F(amqp_questions, any_other_word_is_an_answer) {
  const channel_id ch = c.channel();
  live(16s);
  c.feed(deliver(ch, 1, "x"));
  EXPECT_THAT(c.events(), ElementsAre("delivery 1 1 1 'openstack' 't' 'x'"));
  EXPECT_THAT(live(10s), testing::Not(testing::HasSubstr(question(ch)))) << "it still has one";
  c.feed(flow_ok(ch));
  EXPECT_THAT(live(10s), testing::HasSubstr(question(ch)));
  EXPECT_THAT(c.events(), ElementsAre());
}

TEST_F(amqp_questions,
       a_peer_that_sends_heartbeats_and_no_answer_is_given_up_before_two_intervals) {
  c.channel();
  const auto since = c.now;
  live(17s);
  EXPECT_THAT(c.events(), ElementsAre());
  EXPECT_EQ(c.machine.next_deadline(), since + 17'500ms);
  c.now += 500ms;
  c.machine.on_tick(c.now);
  EXPECT_THAT(c.events(),
              ElementsAre("closed deaf 0 The broker sent heartbeats and answered nothing "
                          "for 17 s."));
}

TEST_F(amqp_questions, a_slow_message_on_its_way_in_is_no_silence) {
  const channel_id ch = c.channel();
  const std::string message = deliver(ch, 1, std::string(50, 'x'));
  for (const char& byte : message) {
    live(4s, false);
    c.feed({&byte, 1});
  }
  EXPECT_THAT(c.events(), ElementsAre("delivery 1 1 1 'openstack' 't' 'xxxxxxxxxx'+40"));
}

TEST_F(amqp_questions, what_waits_to_be_sent_is_not_waited_for) {
  c.channel();
  for (int i = 0; i < 20; ++i) {  // the socket takes nothing
    c.now += 5s;
    c.feed(beat);
    c.machine.on_tick(c.now);
  }
  EXPECT_THAT(c.events(), ElementsAre());
  EXPECT_NE(c.sent(), "");
  live(8s);
  EXPECT_THAT(c.events(), ElementsAre(testing::StartsWith("closed deaf ")));
}

TEST_F(amqp_questions, output_that_gets_on_has_all_the_time_it_takes) {
  const channel_id ch = c.channel();
  for (int i = 0; i < 100; ++i) {
    live(1s);
    if (i % 5 == 0) c.feed(beat);
    c.machine.output_moves(c.now);
  }
  EXPECT_THAT(c.events(), ElementsAre());
  c.feed(flow_ok(ch));
  EXPECT_THAT(live(10s), testing::HasSubstr(question(ch)));
}

TEST_F(amqp_questions, a_broker_that_blocks_us_is_asked_nothing) {
  const channel_id ch = c.channel();
  live(12s);  // asked
  c.feed(method_hex(0, method::connection_blocked, "00"));
  EXPECT_THAT(live(100s), testing::Not(testing::HasSubstr(question(ch))));
  c.feed(method_frame(0, method::connection_unblocked) + flow_ok(ch));
  EXPECT_THAT(c.events(), ElementsAre("blocked ", "unblocked"));
  EXPECT_THAT(live(10s), testing::HasSubstr(question(ch)));
}

TEST_F(amqp_questions, a_connection_without_channels_has_none) {
  EXPECT_THAT(live(100s), testing::Not(testing::HasSubstr(std::string(1, '\x01'))));
  EXPECT_THAT(c.events(), ElementsAre());
}

TEST_F(amqp_questions, a_caller_that_was_stopped_may_read_the_answer_first) {
  const channel_id ch = c.channel();
  live(11s);
  c.now += 1h;
  c.machine.on_tick(c.now);
  c.sent();
  EXPECT_THAT(c.events(), ElementsAre());
  c.feed(beat + flow_ok(ch));
  EXPECT_EQ(live(9s), beat);
  EXPECT_THAT(c.events(), ElementsAre());
}

TEST_F(amqp_questions, answers_keep_their_order_among_those_to_the_user) {
  const channel_id ch = c.channel();
  live(10s);
  c.machine.basic_qos(ch, 7, 1, false);
  c.feed(flow_ok(ch) + method_frame(ch, method::basic_qos_ok));
  EXPECT_THAT(c.events(), ElementsAre("ok 1 #7"));
  c.feed(flow_ok(ch));
  EXPECT_THAT(c.events(), ElementsAre(testing::StartsWith("closed protocol 503 ")));
}

TEST(amqp_heartbeats, any_byte_is_a_sign_of_life) {
  client c;
  const channel_id ch = c.open(0, 0, 10).channel();
  const std::string message = deliver(ch, 1, std::string(50, 'x'));
  for (const char& byte : message) {
    c.now += 5s;
    c.feed({&byte, 1});
    c.machine.on_tick(c.now);
    c.sent();
  }
  EXPECT_THAT(c.events(), ElementsAre("delivery 1 1 1 'openstack' 't' 'xxxxxxxxxx'+40"));
}

TEST(amqp_heartbeats, own_traffic_is_no_sign_of_life) {
  client c;
  const channel_id ch = c.open(0, 0, 10).channel();
  for (int i = 0; i < 15; ++i) {
    c.now += 1s;
    c.machine.publish(ch, "", "q", false, {}, "x");
    c.sent();
    c.machine.on_tick(c.now);
  }
  EXPECT_THAT(c.events(), ElementsAre(testing::StartsWith("closed heartbeat ")));
}

TEST(amqp_heartbeats, a_caller_that_was_stopped_may_read_first) {
  client c;
  c.open(0, 0, 10);
  c.now += 1h;
  c.machine.on_tick(c.now);
  EXPECT_THAT(c.events(), ElementsAre());
  EXPECT_LE(c.machine.next_deadline(), c.now + 5s);
  c.now += 5s;
  c.machine.on_tick(c.now);
  EXPECT_THAT(c.events(), ElementsAre(testing::StartsWith("closed heartbeat ")));
}

TEST(amqp_heartbeats, none_when_we_want_none) {
  client c{{.heartbeat = 0}};
  c.open(0, 0, 10);
  EXPECT_EQ(c.machine.next_deadline(), instant::max());
  c.now += 1h;
  c.machine.on_tick(c.now);
  EXPECT_EQ(c.sent(), "");
  EXPECT_THAT(c.events(), ElementsAre());
}

TEST(amqp_connection, blocked_and_unblocked) {
  client c;
  c.open();
  c.feed(method_hex(0, method::connection_blocked, "09\"low on me\""));
  c.feed(method_frame(0, method::connection_unblocked));
  EXPECT_THAT(c.events(), ElementsAre("blocked low on me", "unblocked"));
}

TEST(amqp_connection, close_by_the_broker) {
  client c;
  const channel_id ch = c.open().channel();
  c.feed(close_frame(0, 320, "CONNECTION_FORCED - broker forced connection closure",
                     method::basic_publish));
  EXPECT_THAT(c.events(), ElementsAre("closed broker 320 CONNECTION_FORCED - broker forced "
                                      "connection closure"));
  EXPECT_EQ(c.sent(), close_ok(0));
  EXPECT_FALSE(c.machine.has_channel(ch));
  EXPECT_THROW(c.machine.open_channel(), std::logic_error);
  EXPECT_THROW(c.machine.publish(ch, "", "q", false, {}, ""), std::logic_error);
  c.machine.ack(ch, 1);
  c.machine.close_channel(ch);
  c.machine.close(200, "", c.now);
  EXPECT_FALSE(c.machine.has_output());
}

TEST(amqp_connection, close_reason_names_the_method_at_fault) {
  struct : recorder {
    close_reason why;
    void on_closed(const close_reason& w) override { why = w; }
  } handler;
  client c{{}, handler};
  c.open();
  c.feed(close_frame(0, 504, "CHANNEL_ERROR", method::basic_publish));
  EXPECT_EQ(handler.why.class_id, 60);
  EXPECT_EQ(handler.why.method_id, 40);
}

TEST(amqp_connection, close_by_us) {
  client c;
  const channel_id ch = c.open().channel(true);
  c.feed(deliver(ch, 1, "x"));
  c.events();
  c.machine.ack(ch, 1);
  c.machine.publish(ch, "", "q", false, {}, "");
  c.sent();
  c.feed(deliver(ch, 2, "x"));
  c.events();
  c.machine.ack(ch, 2);
  c.machine.close(200, "bye", c.now);
  EXPECT_EQ(c.sent(),
            method_hex(ch, method::basic_ack, "0000000000000002 00") + close_frame(0, 200, "bye"));
  EXPECT_FALSE(c.machine.has_channel(ch));
  EXPECT_THROW(c.machine.publish(ch, "", "q", false, {}, ""), std::logic_error);
  c.feed(deliver(ch, 3, "late") + header_frame(77, 5) + beat +
         method_hex(0, method::connection_blocked, "00") + channel_open_ok(9));
  EXPECT_THAT(c.events(), ElementsAre());
  c.feed(close_ok(0));
  EXPECT_THAT(c.events(), ElementsAre("closed local 200 bye"));
  EXPECT_EQ(c.sent(), "");
}

TEST(amqp_connection, close_from_both_sides_at_once) {
  client c;
  c.open();
  c.machine.close(200, "bye", c.now);
  c.sent();
  c.feed(close_frame(0, 320, "CONNECTION_FORCED"));
  EXPECT_EQ(c.sent(), close_ok(0));
  EXPECT_THAT(c.events(), ElementsAre("closed broker 320 CONNECTION_FORCED"));
}

TEST(amqp_connection, close_waits_a_limited_time) {
  client c{{.close_timeout = 500ms}};
  c.open();
  c.machine.close(200, "bye", c.now);
  EXPECT_EQ(c.machine.next_deadline(), c.now + 500ms);
  c.machine.on_tick(c.now + 499ms);
  EXPECT_THAT(c.events(), ElementsAre());
  c.machine.on_tick(c.now + 500ms);
  EXPECT_THAT(c.events(), ElementsAre("closed timeout 200 The broker did not answer "
                                      "connection.close within 500 ms."));
}

TEST(amqp_connection, stream_end_after_close_is_the_end) {
  client c;
  c.open();
  c.machine.close(200, "bye", c.now);
  c.machine.on_stream_end("reset", c.now);
  EXPECT_THAT(c.events(), ElementsAre("closed local 200 bye"));
}

TEST(amqp_connection, violation_while_closing_ends_it_without_a_second_close) {
  client c;
  c.open();
  c.machine.close(200, "bye", c.now);
  c.sent();
  c.feed("garbage");
  EXPECT_THAT(c.events(), ElementsAre("closed protocol 501 The broker broke the protocol: a frame "
                                      "has the unknown type 103."));
  EXPECT_EQ(c.sent(), "");
}

TEST(amqp_connection, handler_may_close_inside_an_event) {
  struct : recorder {
    client* c = nullptr;
    void on_delivery(const delivery& d) override {
      recorder::on_delivery(d);
      c->machine.close(200, "seen enough", c->now);
    }
  } handler;
  client c{{}, handler};
  handler.c = &c;
  const channel_id ch = c.open().channel();
  handler.lines.clear();
  c.feed(deliver(ch, 1, "a") + deliver(ch, 2, "b") + close_ok(0) + deliver(ch, 3, "c"));
  EXPECT_THAT(handler.lines,
              ElementsAre("delivery 1 1 1 'openstack' 't' 'a'", "closed local 200 seen enough"));
}

TEST(amqp_connection, long_close_texts_are_cut) {
  client c;
  c.open();
  c.machine.close(200, std::string(300, 't'), c.now);
  EXPECT_EQ(c.sent(), close_frame(0, 200, std::string(255, 't')));
}

TEST(amqp_connection, output_swaps_its_memory) {
  client c;
  c.open();
  const channel_id ch = c.channel();
  std::string a, b;
  c.machine.publish(ch, "", "q", false, {}, std::string(10000, 'x'));
  EXPECT_GT(c.machine.output_size(), 10000u);
  c.machine.take_output(a, c.now);
  EXPECT_EQ(c.machine.output_size(), 0u);
  EXPECT_GT(a.size(), 10000u);
  const char* memory = a.data();
  c.machine.take_output(a, c.now);
  EXPECT_TRUE(a.empty());
  c.machine.publish(ch, "", "q", false, {}, "x");
  c.machine.take_output(b, c.now);
  EXPECT_EQ(b.data(), memory) << "the buffer handed in before is written next";
}

}  // namespace
