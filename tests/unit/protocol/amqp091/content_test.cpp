// Messages from the broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/amqp_script.hpp"

using namespace amqp_script;
using testing::ElementsAre;

namespace {

TEST(amqp_content, delivery_has_its_parts) {
  struct : recorder {
    properties props;
    void on_delivery(const delivery& d) override {
      recorder::on_delivery(d);
      props = *d.props;
    }
  } handler;
  client c{{}, handler};
  const channel_id ch = c.open().channel();
  handler.lines.clear();
  properties p;
  p.content_type = "application/json";
  p.headers = field_table{{"x-stream-offset", std::int64_t{5}}};
  c.feed(deliver_method(ch, 9, "ctag", true, "e", "k") + content(ch, "{\"a\":1}", p));
  EXPECT_THAT(handler.lines, ElementsAre("delivery 1 9 again ctag 'e' 'k' '{\"a\":1}'"));
  EXPECT_EQ(handler.props, p);
  c.feed(deliver_method(ch, 10, "ctag", false, "", "") + content(ch, ""));
  EXPECT_EQ(handler.lines.back(), "delivery 1 10 ctag '' '' ''");
  EXPECT_EQ(handler.props, properties{});
}

TEST(amqp_content, body_of_one_frame_is_a_view_of_the_input) {
  struct : recorder {
    const char* body = nullptr;
    void on_delivery(const delivery& d) override { body = d.body.data(); }
  } handler;
  client c{{}, handler};
  const channel_id ch = c.open().channel();
  const std::string input = deliver(ch, 1, "0123456789");
  c.feed(input);
  EXPECT_EQ(handler.body, input.data() + input.find("0123456789"));
}

TEST(amqp_content, body_of_several_frames_is_joined) {
  client c;
  const channel_id ch = c.open().channel();
  c.feed(deliver(ch, 1, "abcdefgh", {}, 3));
  c.feed(deliver_method(ch, 2) + header_frame(ch, 2) + frame(frame_type::body, ch, "") +
         frame(frame_type::body, ch, "x") + frame(frame_type::body, ch, "") +
         frame(frame_type::body, ch, "y"));
  c.feed(deliver(ch, 3, "z"));
  EXPECT_THAT(c.events(), ElementsAre("delivery 1 1 1 'openstack' 't' 'abcdefgh'",
                                      "delivery 1 2 1 'openstack' 't' 'xy'",
                                      "delivery 1 3 1 'openstack' 't' 'z'"));
}

TEST(amqp_content, channels_interleave) {
  client c;
  c.open();
  const channel_id a = c.channel(), b = c.channel();
  c.feed(deliver_method(a, 1) + deliver_method(b, 1) + header_frame(b, 2) + header_frame(a, 2) +
         frame(frame_type::body, a, "A") + frame(frame_type::body, b, "B") +
         frame(frame_type::heartbeat, 0, "") + frame(frame_type::body, b, "b") +
         frame(frame_type::body, a, "a"));
  EXPECT_THAT(c.events(), ElementsAre("delivery 2 1 1 'openstack' 't' 'Bb'",
                                      "delivery 1 1 1 'openstack' 't' 'Aa'"));
}

TEST(amqp_content, acks_are_folded_when_the_output_is_taken) {
  client c;
  c.open();
  const channel_id a = c.channel(), b = c.channel();
  for (std::uint64_t tag = 1; tag <= 100; ++tag) c.feed(deliver(a, tag, "x"));
  for (std::uint64_t tag = 1; tag <= 3; ++tag) c.feed(deliver(b, tag, "x"));
  for (std::uint64_t tag = 1; tag <= 100; ++tag) c.machine.ack(a, tag);
  c.machine.ack(b, 3);
  EXPECT_TRUE(c.machine.has_output());
  EXPECT_EQ(c.sent(), method_hex(a, method::basic_ack, "0000000000000064 01") +
                          method_hex(b, method::basic_ack, "0000000000000003 00"));
  c.machine.ack(a, 100);
  c.machine.ack(b, 4);
  EXPECT_FALSE(c.machine.has_output());
}

TEST(amqp_content, ack_and_reject_in_the_handler) {
  struct : recorder {
    connection* machine = nullptr;
    void on_delivery(const delivery& d) override {
      if (d.body == "bad")
        machine->reject(d.channel, d.delivery_tag, false);
      else
        machine->ack(d.channel, d.delivery_tag);
    }
  } handler;
  client c{{}, handler};
  handler.machine = &c.machine;
  const channel_id ch = c.open().channel();
  c.feed(deliver(ch, 1, "x") + deliver(ch, 2, "bad") + deliver(ch, 3, "x"));
  EXPECT_EQ(c.sent(), method_hex(ch, method::basic_reject, "0000000000000002 00") +
                          method_hex(ch, method::basic_ack, "0000000000000003 01"));
}

TEST(amqp_content, consumers_without_acks_leave_nothing_to_acknowledge) {
  client c;
  const channel_id ch = c.open().channel();
  c.machine.basic_consume(ch, 1, "q", "", true, false);
  c.machine.basic_consume(ch, 2, "q", "", false, false);
  c.sent();
  c.feed(consume_ok(ch, "silent") + consume_ok(ch, "normal"));
  c.feed(deliver_method(ch, 1, "silent") + content(ch, "x") + deliver_method(ch, 2, "normal") +
         content(ch, "x"));
  c.machine.ack(ch, 1);
  EXPECT_FALSE(c.machine.has_output());
  c.machine.ack(ch, 2);
  EXPECT_EQ(c.sent(), method_hex(ch, method::basic_ack, "0000000000000002 00"));
  // The tag is free for another kind of consumer once it was cancelled, by either side.
  c.machine.basic_cancel(ch, 3, "silent");
  c.sent();
  c.feed(method_hex(ch, method::basic_cancel_ok, "06\"silent\"") + deliver_method(ch, 3, "silent") +
         content(ch, "x"));
  c.machine.ack(ch, 3);
  EXPECT_EQ(c.sent(), method_hex(ch, method::basic_ack, "0000000000000003 00"));
}

}  // namespace
