// A message can only hurt itself: whatever a publisher puts into one, that message alone is
// refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/amqp_samples.hpp"
#include "support/amqp_script.hpp"

using namespace amqp_script;
using testing::ElementsAre;

namespace {

TEST(amqp_refusals, too_long_bodies_are_rejected_and_skipped) {
  client c{{.max_body = 10}};
  const channel_id ch = c.open().channel();
  c.feed(deliver(ch, 1, "0123456789") + deliver_method(ch, 2) + header_frame(ch, 11));
  EXPECT_THAT(c.events(), ElementsAre("delivery 1 1 1 'openstack' 't' '0123456789'",
                                      "refused 1 2 1 'openstack' 't' its body of 11 bytes exceeds "
                                      "the limit of 10 bytes"));
  EXPECT_EQ(c.sent(), method_hex(ch, method::basic_reject, "0000000000000002 00"));
  c.feed(frame(frame_type::body, ch, "0123456") + frame(frame_type::body, ch, "7890") +
         deliver(ch, 3, "next"));
  EXPECT_THAT(c.events(), ElementsAre("delivery 1 3 1 'openstack' 't' 'next'"));
  c.machine.ack(ch, 2);
  EXPECT_FALSE(c.machine.has_output());
}

/// RabbitMQ before 3.13 ends the connection over a reject, and later ones take nothing back either.
TEST(amqp_refusals, what_came_from_a_stream_is_acknowledged) {
  client c{{.max_body = 10}};
  const channel_id ch = c.open().channel();
  c.machine.basic_consume(ch, 1, "s", "stream", false, false, {{"x-stream-offset", "next"}});
  c.machine.basic_consume(ch, 2, "q", "queue", false, false);
  c.feed(consume_ok(ch, "stream") + consume_ok(ch, "queue"));
  c.sent();
  c.feed(deliver_method(ch, 1, "queue") + content(ch, "x") + deliver_method(ch, 2, "stream") +
         content(ch, "x") + deliver_method(ch, 3, "stream") + content(ch, "longer than 10") +
         deliver_method(ch, 4, "stream") + content(ch, "x"));
  c.machine.reject(ch, 4, false);
  c.machine.reject(ch, 2, true);
  c.machine.reject(ch, 1, true);
  c.machine.reject(ch, 4, false);
  EXPECT_EQ(c.sent(), method_hex(ch, method::basic_reject, "0000000000000001 01") +
                          method_hex(ch, method::basic_ack, "0000000000000004 01"));
  c.machine.basic_cancel(ch, 3, "stream");
  c.feed(method_frame(ch, method::basic_cancel_ok, [](writer& w) { w.shortstr("stream"); }));
  c.machine.basic_consume(ch, 4, "q", "stream", false, false);
  c.feed(consume_ok(ch, "stream"));
  c.sent();
  c.feed(deliver_method(ch, 5, "stream") + content(ch, "x"));
  c.machine.reject(ch, 5, false);
  EXPECT_EQ(c.sent(), method_hex(ch, method::basic_reject, "0000000000000005 00"));
}

TEST(amqp_refusals, declared_size_allocates_nothing) {
  client c;
  const channel_id ch = c.open().channel();
  for (const std::uint64_t size : {std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    const channel_id other = c.channel();
    c.feed(deliver_method(other, 1) + header_frame(other, size));
    EXPECT_THAT(c.events(), ElementsAre("refused " + std::to_string(other) +
                                        " 1 1 'openstack' 't' its body "
                                        "of " +
                                        std::to_string(size) +
                                        " bytes exceeds the limit of 134217728 "
                                        "bytes"));
    for (int i = 0; i < 100; ++i) c.feed(frame(frame_type::body, other, std::string(1000, 'x')));
  }
  // Within the limit a body grows with what came.
  c.feed(deliver_method(ch, 1) + header_frame(ch, 128u << 20) + frame(frame_type::body, ch, "x"));
  EXPECT_THAT(c.events(), ElementsAre());
}

TEST(amqp_refusals, headers_beyond_the_limits_are_the_publishers_fault) {
  field_table deep;
  for (int i = 0; i < 31; ++i) deep = field_table{{"k", deep}};
  std::string inner;
  writer{inner}.table(deep);
  std::string list;
  writer w{list};
  w.u16(1 << 13);
  w.longstr(bytes("01\"k\"'F'") + inner);
  client c;
  const channel_id ch = c.open().channel();
  c.feed(deliver_method(ch, 1) + header_with(ch, 4, list) + frame(frame_type::body, ch, "body") +
         deliver(ch, 2, "next"));
  EXPECT_THAT(
      c.events(),
      ElementsAre("refused 1 1 1 'openstack' 't' its properties cannot be read: a table is nested "
                  "more than 32 levels deep",
                  "delivery 1 2 1 'openstack' 't' 'next'"));
  EXPECT_EQ(c.sent(), method_hex(ch, method::basic_reject, "0000000000000001 00"));
}

/// One of each property and one of all together, headers with every type of value among them.
std::vector<properties> samples() {
  std::vector<properties> each;
  const auto add = [&](auto set) { set(each.emplace_back()); };
  add([](properties& p) { p.content_type = "application/json"; });
  add([](properties& p) { p.content_encoding = "utf-8"; });
  add([](properties& p) { p.headers = every_type(); });
  add([](properties& p) { p.headers = field_table{}; });
  add([](properties& p) { p.delivery_mode = 2; });
  add([](properties& p) { p.priority = 0; });
  add([](properties& p) { p.correlation_id = "correlation"; });
  add([](properties& p) { p.reply_to = "reply"; });
  add([](properties& p) { p.expiration = "60000"; });
  add([](properties& p) { p.message_id = "id"; });
  add([](properties& p) { p.timestamp = 0x0102030405060708; });
  add([](properties& p) { p.type = "type"; });
  add([](properties& p) { p.user_id = "user"; });
  add([](properties& p) { p.app_id = "app"; });
  add([](properties& p) { p.cluster_id = ""; });
  properties all = each[2];
  all.content_type = all.content_encoding = all.correlation_id = all.reply_to = all.expiration =
      all.message_id = all.type = all.user_id = all.app_id = all.cluster_id = "text";
  all.delivery_mode = all.priority = 2;
  all.timestamp = 1;
  each.push_back(all);
  return each;
}

/// Every damage at every byte: cut there, each bit turned, a byte too many; and flags that nobody
/// has defined. A list that is shorter than its flags is a broken frame and none of these.
template <class Visit>
void for_each_damage(Visit&& visit) {
  for (const properties& p : samples()) {
    std::string list;
    writer w{list};
    write_properties(w, p);
    for (std::size_t n = 2; n < list.size(); ++n) visit(list.substr(0, n));
    for (std::size_t at = 0; at < list.size(); ++at) {
      std::string damaged = list;
      for (int bit = 0; bit < 8; ++bit) {
        damaged[at] = static_cast<char>(list[at] ^ 1 << bit);
        visit(damaged);
      }
      damaged[at] = list[at];
      visit(damaged.insert(at, 1, '\xFF'));
    }
    visit(list + '\0');
    for (const char flag : {'\1', '\2', '\3'}) {
      std::string undefined = list;
      undefined[1] = static_cast<char>(undefined[1] | flag);
      visit(undefined);
      visit(undefined.insert(2, 2, '\0'));  // with the second word that bit 0 announces
    }
  }
}

bool is_sound(std::string_view list) {
  try {
    reader in{list};
    properties p;
    read_properties(in, p);
    in.finish();
    return true;
  } catch (const violation&) {
    return false;
  }
}

/// One connection that gets every damaged message on one channel, each amidst sound ones.
class amqp_damage : public testing::Test {
 protected:
  client c_;
  channel_id ch_ = c_.open().channel();
  channel_id other_ = c_.channel();
  std::uint64_t tag_ = 0;

  std::string name(channel_id ch, std::uint64_t tag) {
    return std::to_string(ch) + " " + std::to_string(tag) + " 1 'openstack' 't' ";
  }
  /// False: the list was sound.
  bool was_refused(std::string_view list) {
    const bool sound = is_sound(list);
    const std::uint64_t tag = ++tag_;
    c_.feed(deliver_method(ch_, tag) + header_with(ch_, 4, list) +
            frame(frame_type::body, ch_, "bo") + deliver(other_, tag, "meanwhile") +
            frame(frame_type::body, ch_, "dy") + deliver(ch_, ++tag_, "next"));
    const std::vector<std::string> events = c_.events();
    EXPECT_EQ(events.size(), 3u);
    if (events.size() != 3) return false;
    const std::string meanwhile = "delivery " + name(other_, tag) + "'meanwhile'";
    EXPECT_EQ(events[sound ? 0 : 1], meanwhile);
    if (sound)
      EXPECT_EQ(events[1], "delivery " + name(ch_, tag) + "'body'");
    else
      EXPECT_TRUE(
          events[0].starts_with("refused " + name(ch_, tag) + "its properties cannot be read: "))
          << events[0];
    EXPECT_EQ(events[2], "delivery " + name(ch_, tag + 1) + "'next'");
    return !sound;
  }
  std::string reject(std::uint64_t tag) {
    return method_frame(ch_, method::basic_reject, [&](writer& w) {
      w.u64(tag);
      w.u8(0);
    });
  }
};

TEST_F(amqp_damage, refuses_that_message_and_nothing_else) {
  int refused = 0, sound = 0;
  for_each_damage([&](std::string_view list) {
    if (HasFailure()) return;
    const bool was = was_refused(list);
    ++(was ? refused : sound);
    EXPECT_EQ(c_.sent(), was ? reject(tag_ - 1) : "") << testing::PrintToString(list);
    c_.machine.ack(ch_, tag_ - 1);
    EXPECT_EQ(c_.machine.has_output(), !was) << "a refused message is settled";
    c_.machine.ack(ch_, tag_);
    c_.machine.ack(other_, tag_ - 1);
    c_.sent();
  });
  EXPECT_GT(refused, 1000);
  EXPECT_GT(sound, 1000) << "a bit of a text is no damage";
}

TEST_F(amqp_damage, is_not_rejected_when_the_consumer_needs_no_ack) {
  for (const channel_id ch : {ch_, other_}) {
    c_.machine.basic_consume(ch, 1, "q", "1", true, false);
    c_.feed(consume_ok(ch, "1"));
  }
  c_.events();
  c_.sent();
  int refused = 0;
  for_each_damage([&](std::string_view list) {
    if (HasFailure()) return;
    refused += was_refused(list) ? 1 : 0;
    EXPECT_EQ(c_.sent(), "");
  });
  EXPECT_GT(refused, 1000);
}

TEST_F(amqp_damage, of_a_return_is_not_looked_at) {
  const std::string expected = "return 1 312 NO_ROUTE '' 'gone' 'body'";
  for_each_damage([&](std::string_view list) {
    if (HasFailure()) return;
    c_.feed(return_method(ch_, "", "gone") + header_with(ch_, 4, list) +
            frame(frame_type::body, ch_, "body"));
    EXPECT_THAT(c_.events(), ElementsAre(expected));
    EXPECT_EQ(c_.sent(), "");
  });
}

TEST_F(amqp_damage, of_a_message_without_a_body) {
  c_.feed(deliver_method(ch_, 1) + header_with(ch_, 0, bytes("0002")) + deliver(ch_, 2, "next"));
  EXPECT_THAT(c_.events(),
              ElementsAre("refused 1 1 1 'openstack' 't' its properties cannot be read: the "
                          "property flags have an undefined bit",
                          "delivery 1 2 1 'openstack' 't' 'next'"));
  EXPECT_EQ(c_.sent(), reject(1));
}

TEST_F(amqp_damage, does_not_excuse_a_tag_that_does_not_rise) {
  c_.feed(deliver(ch_, 5, "x") + deliver_method(ch_, 5) + header_with(ch_, 0, bytes("0002")));
  EXPECT_THAT(c_.events(),
              ElementsAre("delivery 1 5 1 'openstack' 't' 'x'",
                          "closed protocol 503 The broker broke the protocol: the delivery tag 5 "
                          "follows 5 (basic.deliver, channel 1)."));
}

TEST(amqp_refusals, handler_may_close_the_channel) {
  struct : recorder {
    connection* machine = nullptr;
    void on_delivery_refused(const delivery& d, std::string_view why) override {
      recorder::on_delivery_refused(d, why);
      machine->reject(d.channel, d.delivery_tag, true);
      machine->close_channel(d.channel);
    }
  } handler;
  client c{{}, handler};
  handler.machine = &c.machine;
  const channel_id ch = c.open().channel();
  handler.lines.clear();
  c.feed(deliver_method(ch, 1) + header_with(ch, 4, bytes("0001")) +
         frame(frame_type::body, ch, "body") + close_ok(ch));
  EXPECT_THAT(handler.lines,
              ElementsAre("refused 1 1 1 'openstack' 't' its properties cannot be read: the "
                          "property flags have an undefined bit",
                          "channel-closed 1 local 200 "));
  EXPECT_EQ(c.sent(),
            method_hex(ch, method::basic_reject, "0000000000000001 00") + close_frame(ch, 200, ""));
}

TEST(amqp_refusals, too_long_return_is_reported_without_body) {
  client c{{.max_body = 10}};
  const channel_id ch = c.open().channel(true);
  c.feed(returned(ch, "", "gone", "01234567890") + returned(ch, "", "gone", "x"));
  EXPECT_THAT(c.events(), ElementsAre("return 1 312 NO_ROUTE '' 'gone' ''",
                                      "return 1 312 NO_ROUTE '' 'gone' 'x'"));
  EXPECT_EQ(c.sent(), "");
}

}  // namespace
