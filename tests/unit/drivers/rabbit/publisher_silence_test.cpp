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
  void fall_silent(const send_ptr& s) {
    link.connect();
    publish("first");
    link.run();
    ack(1);
    link.advance(1ms);
    link.rest();
    publish(s);
    link.run();
  }
  void fall_silent() { fall_silent(make("s0", "openstack", stuck)); }
  /// The same, until the destination has a channel of its own.
  void set_apart(const send_ptr& s) {
    fall_silent(s);
    advance(publisher::silence_limit);
    advance(1s);
    link.rest();
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
  set_apart(make("s0", "openstack", stuck));
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
  set_apart(make("s0", "openstack", stuck));
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

/// What was confirmed behind it does not count as the oldest.
TEST_F(rabbit_publisher_silence, what_is_forgotten_leaves_the_next_unconfirmed_as_the_oldest) {
  link.options.channel_max = 1;
  fall_silent();
  advance(1s);
  publish("confirmed");
  link.run();
  ack(3);
  advance(1s);
  publish("young");
  link.run();
  const auto written = link.now();
  advance(publisher::confirm_limit - 2s + 1ms);
  EXPECT_EQ(outcome["s0"], code_name(errc::outcome_unknown));
  EXPECT_EQ(out.next_deadline(), written + publisher::confirm_limit);
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

/// With short heartbeats that comes before the ten seconds of a silent channel; the next connection
/// may be held up by the same queue.
TEST_F(rabbit_publisher_silence, a_connection_that_was_given_up_as_deaf_sets_its_oldest_apart) {
  fall_silent();
  publish("a");
  link.rest();
  advance(3'500ms);
  link.give_up_deaf();
  EXPECT_EQ(link.lines.with("has confirmed nothing for 3 s").size(), 1u);
  link.connect();
  EXPECT_EQ(sent(), "1:open 1:a 2:open 2:s0 ");
}

TEST_F(rabbit_publisher_silence,
       a_connection_that_was_given_up_as_deaf_with_nothing_on_it_is_lost) {
  link.connect();
  publish("a");
  link.run();
  ack(1);
  link.rest();
  advance(3'500ms);
  link.give_up_deaf();
  EXPECT_EQ(warnings(), 0);
  link.connect();
  publish("b");
  EXPECT_EQ(sent(), "1:open 1:b ");
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

// ---- both lanes at once -------------------------------------------------------------------------

class rabbit_publisher_lanes : public rabbit_publisher_silence {
 protected:
  using request = broker_script::request;

  /// With a queue that is declared before, and patience.
  send_ptr fed(std::string body, std::string key) {
    auto s = make(std::move(body), "openstack", key);
    s->to.ensure_queue = queue{std::move(key), false, false, {}};
    s->patience_refused = 24h;
    return s;
  }
  /// The queues of the next `count` declarations are away.
  void queues_are_away(int count) {
    link.script.on(method::queue_declare, [count](const request& r) mutable {
      if (count-- > 0)
        return amqp_script::close_frame(r.channel, 404, "NOT_FOUND - home node is down",
                                        method::queue_declare);
      return amqp_script::declare_ok(r.channel, broker_script::name_in(r), 0, 1);
    });
  }
  void some_message_is_wrong(amqp091::channel_id ch) {
    link.send(amqp_script::close_frame(ch, 406, "PRECONDITION_FAILED", method::basic_publish));
  }
};

TEST_F(rabbit_publisher_lanes, a_suspect_that_pauses_is_none_any_more) {
  set_apart(fed("s0", stuck));
  publish(fed("s1", stuck));
  link.run();
  queues_are_away(3);
  some_message_is_wrong(3);
  ack(1, false, link.script.last_channel());
  advance(publisher::again_after);
  ack(1, true, 2);
  link.rest();
  EXPECT_TRUE(out.idle()) << order;
  // Later another one falls silent.
  publish("x0", "openstack", "other");
  link.run();
  advance(publisher::silence_limit);
  advance(1s);
  EXPECT_THAT(sent(), ::testing::EndsWith(":x0 "));
  advance(publisher::confirm_limit + 1ms);
  EXPECT_EQ(outcome["x0"], code_name(errc::outcome_unknown));
  EXPECT_TRUE(out.idle());
}

TEST_F(rabbit_publisher_lanes, a_message_apart_that_ends_the_connection_is_found_beside_traffic) {
  set_apart(make("s0", "openstack", stuck));
  publish("poison", "openstack", stuck);
  const amqp091::close_reason unreadable{
      .from = amqp091::close_reason::origin::broker, .code = 501, .text = "FRAME_ERROR"};
  int ends = 0, others = 0;
  for (int turn = 0; turn < 200 && !outcome.contains("poison"); ++turn) {
    publish("m" + std::to_string(others++), "openstack", "busy");
    bool read = false;
    for (const auto& r : link.rest()) {
      read |= r.body == "poison";
      if (!read && r.what == method::basic_publish && r.body != "s0")
        ack(link.script.published(r.channel), true, r.channel);
    }
    if (read) {
      ++ends;
      link.close(unreadable);
      link.connect();
    } else {
      advance(publisher::again_after);
    }
  }
  EXPECT_EQ(outcome["poison"], code_name(errc::outcome_unknown));
  EXPECT_LE(ends, 6);
}

TEST_F(rabbit_publisher_lanes, without_a_channel_apart_the_destination_is_served_in_main) {
  link.options.channel_max = 1;
  fall_silent();
  publish("a");
  link.run();
  link.advance(publisher::silence_limit);
  link.drop();
  link.connect();
  link.rest();
  ack(2, true);
  EXPECT_TRUE(out.idle()) << out.pending();
}

TEST_F(rabbit_publisher_lanes, a_connection_that_ends_over_a_second_channel_keeps_to_one) {
  fall_silent();
  publish("a");
  link.rest();
  link.script.on(method::channel_open, [](const request& r) {
    return r.channel == 1
               ? amqp_script::channel_open_ok(1)
               : amqp_script::close_frame(0, 530, "NOT_ALLOWED - number of channels", method::none);
  });
  advance(publisher::silence_limit);
  EXPECT_FALSE(link.is_open());
  link.connect();
  link.rest();
  advance(publisher::silence_limit);
  advance(1s);
  EXPECT_TRUE(link.is_open());
  ack(2, true);
  EXPECT_TRUE(out.idle());
  EXPECT_EQ(link.connections, 2);
}

TEST_F(rabbit_publisher_lanes, what_a_completion_publishes_comes_behind_what_is_written_again) {
  link.connect();
  publish("a1", "exa", "k");
  publish("b1", "exb", "k");
  publish("b2", "exb", "k");
  link.rest();
  on_end = [&] {
    on_end = nullptr;
    publish("b3", "exb", "k");
  };
  link.send(amqp_script::close_frame(
      1, 403, "ACCESS_REFUSED - access to exchange 'exa' in vhost '/' refused",
      method::basic_publish));
  EXPECT_THAT(sent(), ::testing::HasSubstr(":b1 1:b2 1:b3 "));
}

TEST_F(rabbit_publisher_lanes, what_a_completion_apart_publishes_goes_out_at_once) {
  set_apart(make("s0", "openstack", stuck));
  auto bad = make("bad", "openstack", stuck);
  bad->headers.push_back({std::string(300, 'h'), "x"});
  on_end = [&] {
    on_end = nullptr;
    publish("next", "openstack", "fine");
  };
  publish(bad);
  EXPECT_EQ(outcome["bad"], code_name(errc::invalid_argument));
  EXPECT_THAT(sent(), ::testing::HasSubstr("2:next "));
}

}  // namespace
}  // namespace oslo::messaging::rabbit
