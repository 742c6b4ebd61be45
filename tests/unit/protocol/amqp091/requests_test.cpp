// What goes out: the bytes of each request. The samples are those of Python's client.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "support/amqp_samples.hpp"
#include "support/amqp_script.hpp"

using namespace amqp_script;
using testing::ElementsAre;

namespace {

class amqp_requests : public testing::Test {
 protected:
  client c_;
  channel_id ch_ = c_.open().channel();
  connection& m_ = c_.machine;

  void expect(method what, std::string_view arguments) {
    EXPECT_EQ(c_.sent(), method_hex(ch_, what, arguments)) << method_name(what);
  }
};

TEST_F(amqp_requests, exchange_declare) {
  m_.exchange_declare(ch_, 1, "openstack", "topic", false, false, false, {});
  expect(method::exchange_declare, "0000 09\"openstack\" 05\"topic\" 00 00000000");
  m_.exchange_declare(ch_, 1, "t_fanout", "fanout", false, false, true, {});
  expect(method::exchange_declare, "0000 08\"t_fanout\" 06\"fanout\" 04 00000000");
  m_.exchange_declare(ch_, 1, "e", "direct", true, true, false, {});
  expect(method::exchange_declare, "0000 01\"e\" 06\"direct\" 03 00000000");
}

TEST_F(amqp_requests, queue_declare) {
  const auto declare = [&](std::string_view name, bool durable, bool auto_delete,
                           const field_table& arguments) {
    m_.queue_declare(ch_, 1, name, false, durable, false, auto_delete, arguments);
  };
  declare("t", false, false, {});
  expect(method::queue_declare, "0000 01\"t\" 00 00000000");
  declare("reply_x", false, false, {{"x-expires", 1800000}});
  expect(method::queue_declare, "0000 07\"reply_x\" 00 0000000f 09\"x-expires\" 'I' 001b7740");
  declare("t", true, false, {{"x-queue-type", "quorum"}});
  expect(method::queue_declare,
         "0000 01\"t\" 02 00000018 0c\"x-queue-type\" 'S' 00000006\"quorum\"");
  declare("t", true, false,
          {{"x-queue-type", "quorum"},
           {"x-delivery-limit", 3},
           {"x-max-in-memory-length", 100},
           {"x-max-in-memory-bytes", 1000}});
  expect(method::queue_declare,
         "0000 01\"t\" 02 00000065 0c\"x-queue-type\"'S'00000006\"quorum\" "
         "10\"x-delivery-limit\"'I'00000003 16\"x-max-in-memory-length\"'I'00000064 "
         "15\"x-max-in-memory-bytes\"'I'000003e8");
  declare("t_fanout", true, false, {{"x-queue-type", "stream"}, {"x-max-age", "1800s"}});
  expect(method::queue_declare,
         "0000 08\"t_fanout\" 02 0000002c 0c\"x-queue-type\"'S'00000006\"stream\" "
         "09\"x-max-age\"'S'00000005\"1800s\"");
  declare("t", true, true, {{"x-ha-policy", "all"}});
  expect(method::queue_declare, "0000 01\"t\" 0a 00000014 0b\"x-ha-policy\"'S'00000003\"all\"");
  m_.queue_declare(ch_, 1, "", true, false, true, false, {});
  expect(method::queue_declare, "0000 00 05 00000000");
}

TEST_F(amqp_requests, bind_and_unbind) {
  m_.queue_bind(ch_, 1, "notifications.info", "openstack", "notifications.info");
  expect(method::queue_bind,
         "0000 12\"notifications.info\" 09\"openstack\" 12\"notifications.info\" 00 00000000");
  m_.queue_unbind(ch_, 1, "q", "e", "k", {{"a", true}});
  expect(method::queue_unbind, "0000 01\"q\" 01\"e\" 01\"k\" 00000004 01\"a\"'t'01");
}

TEST_F(amqp_requests, delete_and_purge) {
  m_.queue_delete(ch_, 1, "q", false, true);
  expect(method::queue_delete, "0000 01\"q\" 02");
  m_.queue_purge(ch_, 1, "q");
  expect(method::queue_purge, "0000 01\"q\" 00");
  m_.exchange_delete(ch_, 1, "e", true);
  expect(method::exchange_delete, "0000 01\"e\" 01");
}

TEST_F(amqp_requests, consume) {
  m_.basic_consume(ch_, 1, "reply_x", "1", false, false);
  expect(method::basic_consume, "0000 07\"reply_x\" 01\"1\" 00 00000000");
  m_.basic_consume(ch_, 1, "t_fanout", "1", false, false, {{"x-stream-offset", "last"}});
  expect(method::basic_consume,
         "0000 08\"t_fanout\" 01\"1\" 00 00000019 0f\"x-stream-offset\"'S'00000004\"last\"");
  m_.basic_consume(ch_, 1, "q", "", true, true, {{"x-cancel-on-ha-failover", true}});
  expect(method::basic_consume, "0000 01\"q\" 00 06 0000001a 17\"x-cancel-on-ha-failover\"'t'01");
  m_.basic_cancel(ch_, 1, "1");
  expect(method::basic_cancel, "01\"1\" 00");
}

TEST_F(amqp_requests, qos_and_confirm_select) {
  m_.basic_qos(ch_, 1, 7, false);
  expect(method::basic_qos, "00000000 0007 00");
  m_.basic_qos(ch_, 1, 0, true);
  expect(method::basic_qos, "00000000 0000 01");
  m_.confirm_select(ch_, 1);
  expect(method::confirm_select, "00");
}

TEST_F(amqp_requests, ack_requeue_reject) {
  for (const std::uint64_t tag : {5u, 6u, 7u}) c_.feed(deliver(ch_, tag, "x"));
  m_.ack(ch_, 5);
  expect(method::basic_ack, "0000000000000005 00");
  m_.reject(ch_, 6, true);
  expect(method::basic_reject, "0000000000000006 01");
  m_.reject(ch_, 7, false);
  expect(method::basic_reject, "0000000000000007 00");
}

TEST_F(amqp_requests, publish_is_method_header_and_body) {
  const std::string body(255, 'b');
  EXPECT_EQ(m_.publish(ch_, "openstack", "t", false, of_python(), body), 0u);
  EXPECT_EQ(c_.sent(),
            method_hex(ch_, method::basic_publish, "0000 09\"openstack\" 01\"t\" 00") +
                frame(frame_type::header, ch_,
                      bytes("003c 0000 00000000000000ff f800 10\"application/json\" 05\"utf-8\" "
                            "00000000 02 00")) +
                frame(frame_type::body, ch_, body));
  properties p = of_python();
  p.expiration = "60000";
  m_.publish(ch_, "", "reply_x", true, p, "");
  EXPECT_EQ(c_.sent(),
            method_hex(ch_, method::basic_publish, "0000 00 07\"reply_x\" 01") +
                frame(frame_type::header, ch_,
                      bytes("003c 0000 0000000000000000 f900 10\"application/json\" 05\"utf-8\" "
                            "00000000 02 00 05\"60000\"")));
}

TEST_F(amqp_requests, bodies_are_split_at_the_frame_limit) {
  client c;
  c.open(0, 4096);
  const channel_id ch = c.channel();
  for (const std::size_t size : {4087u, 4088u, 4089u, 8176u, 8177u}) {
    const std::string body(size, 'b');
    c.machine.publish(ch, "", "q", false, {}, body);
    EXPECT_EQ(c.sent(), method_hex(ch, method::basic_publish, "0000 00 01\"q\" 00") +
                            content(ch, body, {}, 4088));
  }
}

TEST_F(amqp_requests, arguments_that_cannot_be_encoded_leave_no_trace) {
  const std::string name(256, 'n');
  properties bad;
  bad.message_id = name;
  properties too_large;
  too_large.headers = field_table{{"x", std::string(131072, 'x')}};
  EXPECT_THROW(m_.queue_declare(ch_, 1, name, false, false, false, false, {}), std::length_error);
  EXPECT_THROW(m_.queue_declare(ch_, 1, "q", false, false, false, false, *too_large.headers),
               std::length_error);
  EXPECT_THROW(m_.publish(ch_, name, "k", false, {}, "b"), std::length_error);
  EXPECT_THROW(m_.publish(ch_, "e", name, false, {}, "b"), std::length_error);
  EXPECT_THROW(m_.publish(ch_, "e", "k", false, bad, "b"), std::length_error);
  EXPECT_THROW(m_.publish(ch_, "e", "k", false, too_large, "b"), std::length_error);
  EXPECT_FALSE(m_.has_output());
  // No request waits for an answer that will never come.
  m_.queue_declare(ch_, 2, "q", false, false, false, false, {});
  c_.feed(declare_ok(ch_, "q"));
  EXPECT_THAT(c_.events(), ElementsAre("ok 1 #2 q"));
}

TEST_F(amqp_requests, failed_publish_takes_no_sequence_number) {
  m_.confirm_select(ch_, 1);
  EXPECT_EQ(m_.publish(ch_, "", "q", false, {}, ""), 1u);
  EXPECT_THROW(m_.publish(ch_, std::string(256, 'e'), "q", false, {}, ""), std::length_error);
  EXPECT_EQ(m_.publish(ch_, "", "q", false, {}, ""), 2u);
}

TEST_F(amqp_requests, body_is_bounded) {
  client c{{.max_body = 1000}};
  const channel_id ch = c.open().channel(true);
  EXPECT_THROW(c.machine.publish(ch, "", "q", false, {}, std::string(1001, 'x')),
               std::length_error);
  EXPECT_FALSE(c.machine.has_output());
  EXPECT_EQ(c.machine.publish(ch, "", "q", false, {}, std::string(1000, 'x')), 1u);
}

TEST_F(amqp_requests, channels_that_are_not_open_are_a_logic_error) {
  for (const auto ch : std::initializer_list<channel_id>{0, 2, 65535}) {
    EXPECT_FALSE(m_.has_channel(ch));
    EXPECT_THROW(m_.publish(ch, "", "q", false, {}, ""), std::logic_error);
    EXPECT_THROW(m_.basic_qos(ch, 1, 1, false), std::logic_error);
    m_.ack(ch, 1);
    m_.reject(ch, 1, false);
    m_.close_channel(ch);
  }
  EXPECT_FALSE(m_.has_output());
}

TEST_F(amqp_requests, channel_may_be_used_before_it_is_open) {
  const channel_id ch = m_.open_channel();
  EXPECT_EQ(ch, 2);
  EXPECT_TRUE(m_.has_channel(ch));
  m_.queue_declare(ch, 5, "q", false, false, false, false, {});
  m_.confirm_select(ch, 6);
  EXPECT_EQ(m_.publish(ch, "", "q", false, {}, ""), 1u);
  EXPECT_EQ(c_.sent(), method_hex(2, method::channel_open, "00") +
                           method_hex(2, method::queue_declare, "0000 01\"q\" 00 00000000") +
                           method_hex(2, method::confirm_select, "00") +
                           method_hex(2, method::basic_publish, "0000 00 01\"q\" 00") +
                           header_frame(2, 0));
  c_.feed(channel_open_ok(2) + declare_ok(2, "q", 3, 1) +
          method_frame(2, method::confirm_select_ok) + confirm(2, method::basic_ack, 1, false));
  EXPECT_THAT(c_.events(), ElementsAre("channel-open 2", "ok 2 #5 q 3 1", "ok 2 #6", "ack 2 1"));
}

}  // namespace
