// The way of a message through the publisher: windows, confirms, returns, bounds, deadlines.
#include "drivers/rabbit/publisher.hpp"

#include <gtest/gtest.h>

#include "publisher_fixture.hpp"

namespace oslo::messaging::rabbit {
namespace {

using rabbit_publisher = publisher_fixture;

TEST_F(rabbit_publisher, confirms_may_come_in_any_order_and_in_groups) {
  link.connect();
  for (const auto* body : {"a", "b", "c", "d"}) publish(body);
  EXPECT_EQ(arrived(), "abcd");
  ack(2);
  EXPECT_EQ(order, "b");
  EXPECT_EQ(out.pending(), 3u);
  ack(4, true);
  EXPECT_EQ(order, "bacd");
  EXPECT_TRUE(out.idle());
  EXPECT_EQ(out.pending_bytes(), 0u);
}

TEST_F(rabbit_publisher, what_is_sent_before_there_is_a_connection_waits_for_it) {
  publish("a");
  publish("b");
  EXPECT_GE(link.opens, 1);
  link.connect();
  EXPECT_EQ(arrived(), "ab");
}

TEST_F(rabbit_publisher, asks_for_no_prefetch) {
  link.connect();
  publish("a");
  const auto asked = link.rest();
  const auto count = [&](method m) {
    return std::ranges::count(asked, m, &broker_script::request::what);
  };
  EXPECT_EQ(count(method::basic_publish), 1);
  EXPECT_EQ(count(method::basic_qos), 0);
}

TEST_F(rabbit_publisher, repeated_confirms_mean_nothing) {
  link.connect();
  publish("a");
  publish("b");
  ack(1);
  ack(1);
  EXPECT_EQ(order, "a");
  ack(2, true);
  EXPECT_EQ(order, "ab");
}

TEST_F(rabbit_publisher, confirms_of_many_are_read_in_bulk_and_those_somebody_waits_for_at_once) {
  link.connect();
  auto s = make("a");
  s->awaited = false;
  publish(s);
  EXPECT_EQ(link.patience, net::patience::ample);
  publish("b");
  EXPECT_EQ(link.patience, net::patience::none);
  for (int i = 0; i < 300; ++i) publish(std::to_string(i));
  EXPECT_EQ(link.patience, net::patience::brief);
  link.run();
  ack(302, true);
  EXPECT_EQ(link.patience, net::patience::none) << "so that heartbeats are seen";
}

TEST_F(rabbit_publisher, who_waits_for_the_end_waits_for_every_confirm) {
  link.connect();
  auto s = make("a");
  s->awaited = false;
  publish(s);
  link.run();
  bool idle = false;
  out.drain({errc::closed, "closed"}, [&] { idle = true; });
  EXPECT_EQ(link.patience, net::patience::none);
  EXPECT_FALSE(idle);
  ack(1);
  EXPECT_TRUE(idle);
}

TEST_F(rabbit_publisher, what_was_unconfirmed_when_the_link_broke_comes_first_on_the_next_one) {
  link.connect();
  for (const auto* body : {"a", "b", "c"}) publish(body);
  link.run();
  ack(2);
  link.drop();
  publish("d");
  link.connect();
  EXPECT_EQ(arrived(), "acd");
  ack(3, true);
  EXPECT_EQ(order, "bacd");
}

TEST_F(rabbit_publisher, an_abandoned_message_is_not_repeated_and_nobody_learns_of_it) {
  link.connect();
  const auto a = publish("a");
  publish("b");
  link.run();
  out.abandon(*a);
  link.drop();
  link.connect();
  EXPECT_EQ(arrived(), "b");
  ack(1);
  EXPECT_FALSE(outcome.contains("a"));
  EXPECT_TRUE(out.idle());
}

TEST_F(rabbit_publisher, abandoned_messages_leave_nothing_behind_while_there_is_no_connection) {
  for (int i = 0; i < 10'000; ++i) out.abandon(*publish("x" + std::to_string(i)));
  EXPECT_TRUE(out.idle());
  EXPECT_EQ(out.pending_bytes(), 0u);
  publish("a");
  link.connect();
  EXPECT_EQ(arrived(), "a");
}

TEST_F(rabbit_publisher, a_message_says_again_what_is_left_of_its_time_when_it_is_repeated) {
  link.connect();
  auto s = make("a");
  s->lifetime = 1h;
  s->expires = link.now() + 1h;
  publish(s);
  publish("b");
  EXPECT_EQ(link.next(method::basic_publish).props.expiration, "3600000");
  EXPECT_EQ(link.next(method::basic_publish).props.expiration, std::nullopt);
  link.drop();
  link.advance(10min);
  link.connect();
  EXPECT_EQ(link.next(method::basic_publish).props.expiration, "3000000");
}

TEST_F(rabbit_publisher, headers_go_with_their_message_only) {
  link.connect();
  auto s = make("a");
  s->headers = {{"oslo-dead-letter-error", "broken"}, {"n", "1"}};
  publish(s);
  publish("b");
  const auto first = link.next(method::basic_publish);
  EXPECT_EQ(first.props.headers,
            (amqp091::field_table{{"oslo-dead-letter-error", "broken"}, {"n", "1"}}));
  EXPECT_EQ(first.props.content_type, "application/json");
  EXPECT_EQ(first.props.delivery_mode, 2);
  EXPECT_TRUE(link.next(method::basic_publish).props.headers->empty());
}

TEST_F(rabbit_publisher, the_broker_drops_what_is_too_old_in_its_queue) {
  link.connect();
  options o;
  o.notifications.ttl = std::chrono::seconds(5);
  auto s = make("a");
  s->to = notification_destination(o, "x", "n.info");
  publish(s);
  publish("b");
  const auto first = link.next(method::basic_publish);
  EXPECT_EQ(first.props.expiration, "5000");
  EXPECT_TRUE(first.props.headers->empty());
  EXPECT_EQ(link.next(method::basic_publish).props.expiration, std::nullopt);
  link.drop();
  link.connect();
  EXPECT_EQ(link.next(method::basic_publish).props.expiration, "5000")
      << "its time in the queue begins anew";
}

TEST_F(rabbit_publisher, what_cannot_be_encoded_fails_alone) {
  link.connect();
  publish("a", "openstack", std::string(256, 'k'));
  publish("b");
  EXPECT_EQ(outcome["a"], code_name(errc::invalid_argument)) << why["a"];
  EXPECT_EQ(arrived(), "b");
  ack(1);
  EXPECT_TRUE(out.idle());
}

/// RabbitMQ would end the connection, and with it everybody else's.
TEST_F(rabbit_publisher, a_name_that_is_no_text_fails_alone) {
  link.connect();
  publish("a", "bad\xff");
  publish("b");
  EXPECT_EQ(outcome["a"], code_name(errc::invalid_argument)) << why["a"];
  EXPECT_NE(why["a"].find("is not UTF-8"), std::string::npos) << why["a"];
  EXPECT_EQ(arrived(), "b");
}

// ---- refused and returned -----------------------------------------------------------------------

TEST_F(rabbit_publisher, a_refused_message_comes_again_until_the_broker_takes_it) {
  link.connect();
  publish("a");
  publish("b");
  EXPECT_EQ(arrived(), "ab");
  nack(1);
  ack(2);
  EXPECT_EQ(order, "b");
  EXPECT_EQ(wake, link.now() + publisher::again_after);
  advance(249ms);
  EXPECT_EQ(arrived(), "");
  advance(1ms);
  EXPECT_EQ(arrived(), "a");
  ack(3);
  EXPECT_EQ(outcome["a"], "confirmed");
}

TEST_F(rabbit_publisher, a_refusal_that_lasts_is_reported_in_the_end) {
  link.connect();
  publish("a");
  std::uint64_t tries = 0;
  while (!outcome.contains("a")) {
    ASSERT_EQ(arrived(), "a");
    ++tries;
    const auto ch = link.script.last_channel();
    nack(link.script.published(ch), ch);
    advance(publisher::again_after);
  }
  EXPECT_EQ(outcome["a"], code_name(errc::rejected));
  EXPECT_GT(tries, 100u);
  EXPECT_LE(tries, 121u);
  EXPECT_TRUE(out.idle());
}

TEST_F(rabbit_publisher, refusals_count_as_retries) {
  link.connect();
  auto s = make("a");
  s->retry = 1;
  publish(s);
  nack(1);
  advance(publisher::again_after);
  nack(2);
  EXPECT_EQ(outcome["a"], code_name(errc::rejected));
}

TEST_F(rabbit_publisher, a_returned_message_is_undeliverable_whatever_its_confirm_says) {
  link.connect();
  auto s = make("a");
  s->mandatory = true;
  publish(s);
  publish("b");
  link.run();
  link.send(amqp_script::returned(1, "openstack", "t", "a") +
            confirm(1, method::basic_ack, 2, true));
  EXPECT_EQ(outcome["a"], code_name(errc::undeliverable));
  EXPECT_NE(why["a"].find("openstack/t"), std::string::npos) << why["a"];
  EXPECT_NE(why["a"].find("312"), std::string::npos) << why["a"];
  EXPECT_EQ(outcome["b"], "confirmed");
}

TEST_F(rabbit_publisher, a_return_is_about_the_message_that_it_brings_back) {
  link.connect();
  // Alike in size and at both ends.
  const auto body = [](const char* middle) {
    return std::string(100, '<') + middle + std::string(100, '>');
  };
  for (const auto* middle : {"one", "two", "six"}) {
    auto s = make(body(middle));
    s->mandatory = true;
    publish(s);
  }
  link.run();
  link.send(amqp_script::returned(1, "openstack", "t", body("two")) +
            confirm(1, method::basic_ack, 3, true));
  EXPECT_EQ(outcome[body("one")], "confirmed");
  EXPECT_EQ(outcome[body("two")], code_name(errc::undeliverable));
  EXPECT_EQ(outcome[body("six")], "confirmed");
}

TEST_F(rabbit_publisher, returns_out_of_order_or_of_nothing_harm_nobody) {
  link.connect();
  for (const auto* body : {"a", "b", "c"}) {
    auto s = make(body);
    s->mandatory = true;
    publish(s);
  }
  link.run();
  link.send(amqp_script::returned(1, "openstack", "t", "c") +
            amqp_script::returned(1, "openstack", "t", "a") +
            amqp_script::returned(1, "openstack", "t", "a") +
            amqp_script::returned(1, "openstack", "t", "z") +
            amqp_script::returned(1, "other", "t", "b") +
            amqp_script::returned(1, "openstack", "u", "b") +
            confirm(1, method::basic_ack, 3, true));
  EXPECT_EQ(outcome["a"], code_name(errc::undeliverable));
  EXPECT_EQ(outcome["b"], "confirmed");
  EXPECT_EQ(outcome["c"], code_name(errc::undeliverable));
}

TEST_F(rabbit_publisher, a_returned_call_comes_again_until_somebody_listens) {
  link.connect();
  out.set_reply_queue(true);
  const auto s = publish(call("a"));
  for (std::uint64_t i = 1; i <= 3; ++i) {
    ASSERT_EQ(arrived(), "a");
    link.send(amqp_script::returned(1, "openstack", "t", "a"));
    ack(i);
    EXPECT_TRUE(s->returned);
    EXPECT_EQ(s->at, pending_send::stage::pausing);
    advance(publisher::again_after);
  }
  EXPECT_EQ(arrived(), "a");
  ack(4);
  EXPECT_EQ(outcome["a"], "confirmed");
  EXPECT_EQ(s->at, pending_send::stage::confirmed);
  EXPECT_TRUE(s->body.empty()) << "a call that only waits for its reply needs no body";
}

TEST_F(rabbit_publisher, a_message_abandoned_in_its_pause_does_not_come_again) {
  link.connect();
  const auto s = publish("a");
  nack(1);
  out.abandon(*s);
  EXPECT_TRUE(out.idle());
  advance(1s);
  EXPECT_EQ(arrived(), "a") << "only the first time";
}

// ---- silence ------------------------------------------------------------------------------------

TEST_F(rabbit_publisher, a_confirm_that_does_not_come_ends_as_unknown) {
  link.connect();
  publish("a");
  link.run();
  EXPECT_EQ(wake, link.now() + publisher::silence_limit);
  advance(publisher::confirm_limit);
  EXPECT_FALSE(outcome.contains("a"));
  advance(1ms);
  EXPECT_EQ(outcome["a"], code_name(errc::outcome_unknown)) << why["a"];
  EXPECT_TRUE(out.idle());
  ack(1);  // too late, and harmless
  publish("b");
  link.run();
  ack(2);
  EXPECT_EQ(outcome["b"], "confirmed");
}

TEST_F(rabbit_publisher, a_call_goes_on_waiting_for_its_reply_when_its_confirm_does_not_come) {
  link.connect();
  out.set_reply_queue(true);
  const auto s = publish(call("a"));
  link.run();
  advance(publisher::confirm_limit + 1ms);
  EXPECT_FALSE(outcome.contains("a"));
  EXPECT_TRUE(out.idle());
  EXPECT_TRUE(s->may_have_arrived());
  link.drop();
  link.connect();
  EXPECT_EQ(arrived(), "") << "it is not repeated behind the back of a server that may have it";
  out.abandon(*s);
  EXPECT_TRUE(out.idle());
}

TEST_F(rabbit_publisher, the_silence_of_one_queue_costs_others_nothing) {
  link.connect();
  for (std::size_t i = 0; i < 2 * route::window; ++i)
    publish("s" + std::to_string(i), "openstack", "silent");
  link.run();
  publish("a");
  std::string last;
  std::size_t count = 0;
  for (const auto& r : link.rest())
    if (r.what == method::basic_publish) last = r.body, ++count;
  EXPECT_EQ(last, "a");
  EXPECT_EQ(count, route::window + 1);
  ack(route::window + 1);
  EXPECT_EQ(outcome["a"], "confirmed");
  // What is held back comes when the silence has ended the others.
  advance(publisher::confirm_limit + 1ms);
  EXPECT_EQ(out.pending(), route::window);
  EXPECT_EQ(outcome["s0"], code_name(errc::outcome_unknown));
  EXPECT_FALSE(outcome.contains("s2048"));
  count = 0;
  for (const auto& r : link.rest()) count += r.what == method::basic_publish;
  EXPECT_EQ(count, route::window);
}

TEST_F(rabbit_publisher, a_channel_with_many_missing_confirms_is_renewed) {
  link.connect();
  constexpr int rounds = 32;  // of 2,048 messages
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < route::window; ++i)
      publish(std::to_string(round) + "," + std::to_string(i));
    link.run();
    for (int part = 0; part < 4; ++part) {  // the channel lives
      link.advance(std::chrono::milliseconds(publisher::confirm_limit) / 4);
      publish("ok" + std::to_string(round) + "," + std::to_string(part), "openstack", "other");
      link.run();
      ack(link.script.published(1));
    }
    if (round == rounds - 1) publish("young", "openstack", "other");
    link.rest();
    link.advance(1ms);
    out.on_tick(link.now());
  }
  const auto requests = link.rest();
  const auto is = [&](method m) {
    return std::count_if(requests.begin(), requests.end(),
                         [&](const auto& r) { return r.what == m; });
  };
  EXPECT_EQ(is(method::channel_close), 1);
  EXPECT_EQ(is(method::channel_open), 1);
  EXPECT_EQ(is(method::basic_publish), 1) << "what was young is sent again";
  EXPECT_EQ(requests.back().body, "young");
  ack(1, false, requests.back().channel);
  EXPECT_EQ(outcome["young"], "confirmed");
}

TEST_F(rabbit_publisher, a_blocked_broker_gets_nothing_and_is_not_silent) {
  link.connect();
  publish("a");
  EXPECT_EQ(arrived(), "a");
  link.send(amqp_script::method_frame(0, method::connection_blocked,
                                      [](amqp091::writer& w) { w.shortstr("low on memory\xff"); }));
  EXPECT_EQ(blocked_changes, 1);
  EXPECT_EQ(out.blocked_reason(), "low on memory\xef\xbf\xbd") << "always text";
  publish("b");
  advance(1h);
  EXPECT_EQ(arrived(), "");
  EXPECT_TRUE(outcome.empty()) << "blocked is not silent";
  EXPECT_EQ(out.next_deadline(), pending_send::instant::max());
  link.send(amqp_script::method_frame(0, method::connection_unblocked));
  EXPECT_EQ(arrived(), "b");
  EXPECT_EQ(out.next_deadline(), link.now() + publisher::silence_limit);
  advance(publisher::confirm_limit - 1s);
  EXPECT_TRUE(outcome.empty());
  ack(2, true);
  EXPECT_EQ(order, "ab");
}

/// A broker at its limit of memory blocks and unblocks every other moment.
TEST_F(rabbit_publisher, an_alarm_that_comes_and_goes_is_a_line_now_and_then) {
  link.connect();
  const auto flutter = [&] {
    link.send(amqp_script::method_frame(0, method::connection_blocked,
                                        [](amqp091::writer& w) { w.shortstr("low"); }));
    link.send(amqp_script::method_frame(0, method::connection_unblocked));
  };
  for (int i = 0; i < 100; ++i) flutter();
  EXPECT_EQ(link.lines.count(log_level::error, "has blocked the connection: low"), 1);
  EXPECT_EQ(link.lines.count(log_level::info, "has unblocked"), 1);
  advance(30s);
  flutter();
  EXPECT_EQ(link.lines.count(log_level::error, "has blocked the connection: low"), 2);
}

TEST_F(rabbit_publisher, nobody_waits_for_the_end_of_a_blocked_connection) {
  link.connect();
  publish("a");
  bool idle = false;
  out.drain({errc::closed, "closed"}, [&] { idle = true; });
  EXPECT_FALSE(idle);
  link.send(amqp_script::method_frame(0, method::connection_blocked,
                                      [](amqp091::writer& w) { w.shortstr("low"); }));
  EXPECT_TRUE(idle);
}

// ---- bounds -------------------------------------------------------------------------------------

TEST_F(rabbit_publisher, no_more_than_the_window_of_a_destination_is_on_the_wire) {
  link.connect();
  const auto count = route::window + 10;
  for (std::size_t i = 0; i < count; ++i) publish(std::to_string(i));
  std::size_t n = 0;
  for (const auto& r : link.rest()) {
    if (r.what != method::basic_publish) continue;
    EXPECT_EQ(r.body, std::to_string(n++));
  }
  EXPECT_EQ(n, route::window);
  ack(1);
  EXPECT_EQ(next_body(), std::to_string(route::window));
  ack(route::window + 1, true);
  for (std::size_t i = 1; i < 10; ++i) EXPECT_EQ(next_body(), std::to_string(route::window + i));
  ack(count, true);
  EXPECT_TRUE(out.idle());
}

TEST_F(rabbit_publisher, what_failed_leaves_nothing_behind) {
  std::vector<std::weak_ptr<pending_send>> all;
  for (int pass = 0; pass < 20; ++pass) {
    for (int i = 0; i < 1'000; ++i) {
      auto s = make("x");
      s->retry = 0;
      names[s.get()] = std::to_string(pass * 1'000 + i);
      all.push_back(s);
      out.publish(s);
    }
    link.fail_pass();
  }
  EXPECT_EQ(out.pending(), 0u);
  EXPECT_LE(std::count_if(all.begin(), all.end(), [](const auto& s) { return !s.expired(); }),
            2'000)
      << "they wait in a queue that nobody looks at";
}

TEST_F(rabbit_publisher, a_renewed_channel_waits_for_the_old_one_when_there_is_only_one) {
  link.options.channel_max = 1;
  link.connect();
  link.advance(1ms);
  publish("stuck");
  link.run();
  link.advance(1ms);
  publish("young", "openstack", "other");
  link.script.on(method::channel_close, [](const broker_script::request&) { return ""; });
  link.run();
  link.advance(publisher::confirm_limit);
  out.on_tick(link.now());
  link.run();
  EXPECT_EQ(outcome["stuck"], code_name(errc::outcome_unknown));
  publish("new", "openstack", "third");
  link.script.confirm_everything();
  link.send(amqp_script::close_ok(1));
  EXPECT_EQ(outcome["young"], "confirmed");
  EXPECT_EQ(outcome["new"], "confirmed");
}

TEST_F(rabbit_publisher, what_waits_is_bounded_by_number) {
  for (std::size_t i = 0; i < publisher::most_of_route; ++i) publish("x");
  EXPECT_TRUE(outcome.empty());
  publish("a");
  EXPECT_EQ(outcome["a"], code_name(errc::limit_exceeded)) << why["a"];
  publish("b", "openstack", "other");
  EXPECT_FALSE(outcome.contains("b")) << "one destination does not take all the room";
}

TEST_F(rabbit_publisher, what_waits_is_bounded_by_bytes) {
  const std::string mebibyte(1 << 20, 'm');
  std::size_t taken = 0;
  std::size_t refused = 0;
  for (int i = 0; i < 2'000; ++i) {
    auto s = make(mebibyte);
    names[s.get()] = std::to_string(i);
    out.publish(s);
    kept.push_back(s);
    outcome.contains(std::to_string(i)) ? ++refused : ++taken;
    if (outcome.contains(std::to_string(i))) s->body = {};
  }
  EXPECT_EQ(taken, 127u);
  EXPECT_EQ(refused, 2'000u - taken);
  EXPECT_LE(out.pending_bytes(), publisher::most_bytes_of_route);
  EXPECT_EQ(outcome["1999"], code_name(errc::limit_exceeded));
  publish("b", "openstack", "other");
  EXPECT_FALSE(outcome.contains("b"));
}

TEST_F(rabbit_publisher, a_single_message_always_has_room) {
  const auto s = make(std::string(publisher::most_bytes + 1, 'm'));
  publish(s);
  EXPECT_TRUE(outcome.empty());
  out.abandon(*s);
  EXPECT_EQ(out.pending_bytes(), 0u);
}

// ---- no connection ------------------------------------------------------------------------------

TEST_F(rabbit_publisher, retries_that_are_used_up_say_so_and_never_not_sent_of_what_was_sent) {
  link.connect();
  auto sent = make("sent");
  sent->retry = 0;
  publish(sent);
  link.run();
  link.drop();
  auto fresh = make("fresh");
  fresh->retry = 0;
  publish(fresh);
  auto patient = make("patient");
  patient->retry = 1;
  publish(patient);
  link.fail_pass();
  EXPECT_EQ(outcome["sent"], code_name(errc::outcome_unknown)) << why["sent"];
  EXPECT_EQ(outcome["fresh"], code_name(errc::unreachable)) << why["fresh"];
  EXPECT_FALSE(outcome.contains("patient"));
  link.fail_pass();
  EXPECT_EQ(outcome["patient"], code_name(errc::unreachable));
  EXPECT_NE(why["patient"].find("after 2 tries"), std::string::npos) << why["patient"];
}

TEST_F(rabbit_publisher, without_retries_nothing_waits_for_a_broker_that_is_known_to_be_away) {
  const auto hasty = [&](const std::string& name, bool call = false) {
    const auto s = make(name);
    s->retry = 0;
    s->needs_reply_queue = call;
    publish(s);
  };
  hasty("first");
  EXPECT_FALSE(outcome.contains("first"));  // the attempt under way counts
  link.fail_pass();
  EXPECT_EQ(outcome["first"], code_name(errc::unreachable));
  hasty("second");
  hasty("call", true);
  EXPECT_EQ(outcome["second"], code_name(errc::unreachable));
  EXPECT_EQ(outcome["call"], code_name(errc::unreachable));
  EXPECT_NE(why["second"].find("nobody is there"), std::string::npos) << why["second"];
  publish("patient");
  EXPECT_FALSE(outcome.contains("patient"));
  link.connect();
  hasty("third");
  EXPECT_FALSE(outcome.contains("third"));
  EXPECT_EQ(arrived(), "patientthird");
  ack(2, true);
  link.drop();
  hasty("fourth");  // lost, and not yet known to be away
  EXPECT_FALSE(outcome.contains("fourth"));
}

TEST_F(rabbit_publisher, without_retries_no_call_waits_for_a_reply_queue_that_is_away) {
  link.connect();
  out.reply_queue_unreachable({failure(errc::unreachable, "nobody is there"), false, false, {}});
  const auto call = [&](const std::string& name) {
    const auto s = make(name);
    s->retry = 0;
    s->needs_reply_queue = true;
    publish(s);
  };
  call("early");
  EXPECT_EQ(outcome["early"], code_name(errc::unreachable));
  out.set_reply_queue(true);
  call("ready");
  EXPECT_FALSE(outcome.contains("ready"));
  EXPECT_EQ(arrived(), "ready");
  ack(1);
}

TEST_F(rabbit_publisher, a_verdict_of_every_host_ends_what_waits_and_what_comes_next) {
  publish("a");
  const failure refused(errc::authentication_failed, "Login was refused");
  link.fail_pass(refused, true);
  EXPECT_EQ(outcome["a"], code_name(errc::authentication_failed)) << why["a"];
  publish("b");
  EXPECT_EQ(outcome["b"], code_name(errc::authentication_failed));
}

TEST_F(rabbit_publisher, what_was_written_is_unknown_whatever_comes_next) {
  link.connect();
  publish("written");
  link.run();
  link.drop();
  publish("fresh");
  link.fail_pass({errc::authentication_failed, "Login was refused"}, true);
  EXPECT_EQ(outcome["written"], code_name(errc::outcome_unknown)) << why["written"];
  EXPECT_NE(why["written"].find("Login was refused"), std::string::npos);
  EXPECT_EQ(outcome["fresh"], code_name(errc::authentication_failed));
}

TEST_F(rabbit_publisher, a_closed_transport_takes_nothing) {
  link.shut_down();
  publish("a");
  EXPECT_EQ(outcome["a"], code_name(errc::closed));
}

TEST_F(rabbit_publisher, the_end_fails_everything_and_says_of_the_written_that_it_does_not_know) {
  link.connect();
  out.set_reply_queue(false);
  publish("written");
  publish("refused");
  link.run();
  nack(2);
  publish(call("gated"));
  link.drop();
  publish("waiting");
  out.fail_all({errc::closed, "The end."});
  EXPECT_EQ(outcome["written"], code_name(errc::outcome_unknown));
  EXPECT_EQ(outcome["refused"], code_name(errc::closed));
  EXPECT_EQ(outcome["gated"], code_name(errc::closed));
  EXPECT_EQ(outcome["waiting"], code_name(errc::closed));
  EXPECT_TRUE(out.idle());
  link.connect();
  EXPECT_EQ(arrived(), "");
}

// ---- the reply queue ----------------------------------------------------------------------------

TEST_F(rabbit_publisher, calls_wait_for_the_reply_queue_and_others_do_not) {
  link.connect();
  publish(call("c"));
  publish("a");
  EXPECT_EQ(arrived(), "a");
  out.set_reply_queue(true);
  EXPECT_EQ(arrived(), "c");
  out.set_reply_queue(false);
  publish(call("d"));
  EXPECT_EQ(arrived(), "");
  out.set_reply_queue(true);
  EXPECT_EQ(arrived(), "d");
}

TEST_F(rabbit_publisher, calls_count_passes_of_the_link_that_they_wait_for) {
  auto c = call("c");
  c->retry = 1;
  publish(c);
  link.fail_pass();
  link.fail_pass();
  link.fail_pass();
  EXPECT_FALSE(outcome.contains("c"));
  out.reply_queue_unreachable({failure(errc::unreachable, "nobody"), false, false, {}});
  EXPECT_FALSE(outcome.contains("c"));
  out.reply_queue_unreachable({failure(errc::unreachable, "nobody"), false, false, {}});
  EXPECT_EQ(outcome["c"], code_name(errc::unreachable));
}

TEST_F(rabbit_publisher, a_refused_reply_queue_fails_calls_only) {
  link.connect();
  publish(call("c"));
  publish("a");
  out.fail_reply_queue({errc::limit_exceeded, "no channel"});
  EXPECT_EQ(outcome["c"], code_name(errc::limit_exceeded));
  EXPECT_FALSE(outcome.contains("a"));
}

}  // namespace
}  // namespace oslo::messaging::rabbit
