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
  const channel_id ch = c.machine.open_channel();
  EXPECT_NE(c.sent(), "");
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

TEST(amqp_heartbeats, silence_of_two_intervals_ends_the_connection) {
  client c;
  c.open(0, 0, 10);
  const instant start = c.now;
  for (int i = 1; i < 20; ++i) {
    c.now += 1s;
    c.machine.on_tick(c.now);
  }
  EXPECT_THAT(c.events(), ElementsAre());
  EXPECT_EQ(c.machine.next_deadline(), start + 20s);
  c.now += 1s;
  c.machine.on_tick(c.now);
  EXPECT_THAT(c.events(), ElementsAre("closed heartbeat 0 Nothing was heard from the broker for "
                                      "two heartbeat intervals of 10 s."));
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
  for (int i = 0; i < 20; ++i) {
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
