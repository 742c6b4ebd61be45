#include "drivers/amqp1/engine.hpp"

#include "engine_fixture.hpp"

namespace oslo::messaging::amqp1 {
namespace {

class amqp1_engine : public engine_fixture {};

TEST_F(amqp1_engine, a_call_goes_out_with_everything_a_server_needs) {
  connect();
  call("m", {.timeout = 5s, .call_monitor_timeout = 7s});
  ASSERT_EQ(link.broker.received.size(), 1u);
  EXPECT_EQ(link.broker.received[0].address, "unicast.openstack.t");
  const auto m = sections(0);
  EXPECT_EQ(m.body, R"({"request": {"method": "m"}, "context": {}, "call_monitor_timeout": 7})");
  EXPECT_EQ(m.message_id_text.size(), 32u);
  EXPECT_EQ(m.reply_to, "reply-1");
  EXPECT_EQ(m.ttl_ms, 5000u);
  EXPECT_EQ(m.time.limit_ms, 5000);
  answer(0, R"({"response": {"r": 1}})");
  EXPECT_THAT(ends["m"], ElementsAre(R"({"r": 1})"));
  EXPECT_EQ(link.broker.outcome(0), "accepted");
}

TEST_F(amqp1_engine, what_is_sent_before_the_connection_waits_for_it) {
  start();
  call("m");
  cast("c");
  EXPECT_EQ(link.opens, 3);  // the reply link wants it, too
  EXPECT_THAT(ends, IsEmpty());
  connect();
  EXPECT_EQ(link.broker.received.size(), 2u);
  EXPECT_THAT(ends["c"], ElementsAre("null"));
}

TEST_F(amqp1_engine, failures_of_the_server_and_replies_that_are_none) {
  connect();
  call("a");
  answer(0, R"({"failure": "{\"class\": \"KeyError\", \"module\": \"builtins\"}"})");
  EXPECT_THAT(ends["a"], ElementsAre("remote KeyError"));
  call("b");
  answer(1, "no JSON");
  ASSERT_EQ(ends["b"].size(), 1u);
  EXPECT_EQ(last->code(), errc::malformed_message);
}

TEST_F(amqp1_engine, a_reply_that_nobody_waits_for_is_not_kept) {
  connect();
  call("a", {.timeout = 1s});
  link.advance(1s);
  EXPECT_THAT(ends["a"], ElementsAre(HasSubstr("@confirmed")));
  answer(0, R"({"response": 1})");
  EXPECT_EQ(link.broker.outcome(0), "modified");
  EXPECT_EQ(link.lines.count(log_level::warning, ""), 0);
  EXPECT_EQ(ends["a"].size(), 1u);
}

TEST_F(amqp1_engine, heartbeats_keep_a_monitored_call) {
  connect();
  call("a", {.timeout = 30s, .call_monitor_timeout = 2s});
  link.advance(1500ms);
  answer(0, std::nullopt);
  link.advance(1500ms);
  EXPECT_THAT(ends["a"], IsEmpty());
  link.advance(1s);
  EXPECT_THAT(ends["a"], ElementsAre(HasSubstr("@monitor")));
}

TEST_F(amqp1_engine, casts_are_settled_unless_somebody_wants_to_know) {
  link.broker.accepts = false;
  connect();
  cast("quick");
  EXPECT_THAT(ends["quick"], ElementsAre("null"));
  EXPECT_TRUE(link.broker.received[0].settled);
  EXPECT_EQ(sections(0).reply_to, "");
  EXPECT_EQ(sections(0).ttl_ms, std::nullopt);
  cast("sure", {.at_least_once = true});
  EXPECT_THAT(ends["sure"], IsEmpty());
  link.broker.settle(PN_ACCEPTED);
  link.run();
  EXPECT_THAT(ends["sure"], ElementsAre("null"));
}

TEST_F(amqp1_engine, to_broker_j_nothing_is_settled) {
  link.broker.product = "Apache Qpid Broker-J Core";
  link.broker.accepts = false;
  connect();
  cast("a");
  EXPECT_FALSE(link.broker.received[0].settled);
  EXPECT_THAT(ends["a"], IsEmpty());
  link.drop();
  link.broker.accepts = true;
  connect();
  EXPECT_EQ(link.broker.received.size(), 2u);
  EXPECT_THAT(ends["a"], ElementsAre("null"));
}

TEST_F(amqp1_engine, messages_that_come_back_are_sent_again) {
  link.broker.accepts = false;
  o.pre_settled.casts = false;
  connect();
  cast("a", {.timeout = 10s});
  link.broker.settle(PN_RELEASED);
  link.run();
  EXPECT_EQ(link.broker.received.size(), 1u);
  link.advance(250ms);
  ASSERT_EQ(link.broker.received.size(), 2u);
  link.broker.settle(PN_MODIFIED);
  link.run();
  link.advance(250ms);
  ASSERT_EQ(link.broker.received.size(), 3u);
  EXPECT_EQ(sections(0).message_id, sections(2).message_id);
  link.broker.settle(PN_ACCEPTED);
  link.run();
  EXPECT_THAT(ends["a"], ElementsAre("null"));
}

TEST_F(amqp1_engine, until_their_retries_or_their_time_are_over) {
  link.broker.accepts = false;
  o.pre_settled.casts = false;
  connect();
  cast("a", {.retry = 1});
  link.broker.settle(PN_RELEASED);
  link.run();
  link.advance(250ms);
  link.broker.settle(PN_RELEASED);
  link.run();
  ASSERT_EQ(ends["a"].size(), 1u);
  EXPECT_EQ(last->code(), errc::rejected);
  cast("b", {.timeout = 1s});
  link.broker.settle(PN_RELEASED);
  link.run();
  link.advance(1s);
  ASSERT_EQ(ends["b"].size(), 1u);
}

TEST_F(amqp1_engine, other_outcomes_are_failures) {
  link.broker.accepts = false;
  o.pre_settled.casts = false;
  connect();
  for (const std::uint64_t what : {std::uint64_t{PN_REJECTED}, std::uint64_t{PN_MODIFIED}}) {
    cast("a");
    link.broker.settle(what, what == PN_REJECTED ? "amqp:not-allowed" : nullptr, true);
    link.run();
    ASSERT_TRUE(last);
    EXPECT_EQ(last->code(), errc::rejected);
  }
}

TEST_F(amqp1_engine, what_has_no_outcome_is_sent_again_on_the_next_connection) {
  link.broker.accepts = false;
  o.pre_settled.casts = false;
  connect();
  for (const char* name : {"a", "b"}) cast(name);
  call("c");
  link.drop();
  EXPECT_THAT(ends, IsEmpty());
  link.broker.received.clear();
  link.broker.accepts = true;
  connect();
  ASSERT_EQ(link.broker.received.size(), 3u);
  EXPECT_THAT(received()[0], HasSubstr("\"a\""));
  EXPECT_THAT(received()[1], HasSubstr("\"b\""));
  EXPECT_EQ(sections(2).reply_to, "reply-2");
  answer(2, R"({"response": 3})");
  EXPECT_THAT(ends["c"], ElementsAre("3"));
  EXPECT_THAT(ends["a"], ElementsAre("null"));
}

TEST_F(amqp1_engine, a_call_that_the_broker_has_waits_for_its_own_deadline) {
  connect();
  call("a", {.timeout = 20s});
  link.drop();
  connect();
  EXPECT_EQ(link.broker.received.size(), 1u);
  link.advance(19s);
  EXPECT_THAT(ends["a"], IsEmpty());
  link.advance(1s);
  EXPECT_THAT(ends["a"], ElementsAre(HasSubstr("@confirmed")));
}

TEST_F(amqp1_engine, a_link_that_ends_is_attached_again) {
  link.broker.accepts = false;
  o.pre_settled.casts = false;
  connect();
  cast("a");
  link.broker.detach("unicast.openstack.t", false, "amqp:resource-deleted");
  link.run();
  EXPECT_THAT(ends, IsEmpty());
  link.broker.accepts = true;
  link.advance(250ms);
  EXPECT_EQ(link.broker.received.size(), 2u);
  EXPECT_THAT(ends["a"], ElementsAre("null"));
}

TEST_F(amqp1_engine, credit_is_waited_for) {
  link.broker.credit = 0;
  connect();
  cast("a");
  cast("b", {.timeout = 1s});
  EXPECT_THAT(ends, IsEmpty());
  link.advance(1s);
  EXPECT_THAT(ends["b"], ElementsAre(HasSubstr("@queued")));
  link.broker.grant("unicast.openstack.t", 5);
  link.run();
  EXPECT_THAT(ends["a"], ElementsAre("null"));
  EXPECT_EQ(link.broker.received.size(), 1u);
}

TEST_F(amqp1_engine, an_address_that_does_not_exist) {
  link.broker.refused["unicast.openstack.t"] = "amqp:not-found";
  link.broker.refused["broadcast.openstack.t.all"] = "amqp:not-found";
  connect();
  cast("sure", {.at_least_once = true});
  EXPECT_THAT(ends["sure"], ElementsAre(HasSubstr("@returned")));
  EXPECT_EQ(last->code(), errc::undeliverable);
  EXPECT_EQ(last->subject().exchange, "openstack");
  EXPECT_EQ(last->subject().routing_key, "t");
  auto all = topic();
  all.what = destination::kind::multicast;
  cast("all", {}, all);
  EXPECT_THAT(ends["all"], ElementsAre("null"));
  call("call", {.timeout = 1s});
  link.advance(500ms);
  EXPECT_THAT(ends["call"], IsEmpty());
  link.broker.refused.clear();
  link.advance(250ms);
  EXPECT_EQ(link.broker.received.size(), 1u);
}

TEST_F(amqp1_engine, a_refused_address_is_a_verdict) {
  link.broker.refused["unicast.openstack.t"] = "amqp:unauthorized-access";
  connect();
  call("a");
  ASSERT_EQ(ends["a"].size(), 1u);
  EXPECT_EQ(last->code(), errc::access_refused);
  EXPECT_THAT(last->message(), HasSubstr("openstack/t"));
}

TEST_F(amqp1_engine, a_redirected_address_is_a_verdict_that_says_where_it_is) {
  link.broker.refused["unicast.openstack.t"] = "amqp:link:redirect";
  connect();
  call("a");
  ASSERT_EQ(ends["a"].size(), 1u);
  EXPECT_EQ(last->code(), errc::unreachable);
  EXPECT_THAT(last->message(), HasSubstr("was refused, in favour of elsewhere:5673"));
  link.broker.refused.clear();
  call("b");
  link.advance(250ms);
  EXPECT_EQ(link.broker.received.size(), 1u);
}

TEST_F(amqp1_engine, passes_that_fail) {
  start();
  call("patient", {.timeout = 10s});
  call("one", {.retry = 1});
  link.fail_pass();
  EXPECT_THAT(ends, IsEmpty());
  link.fail_pass();
  ASSERT_EQ(ends["one"].size(), 1u);
  EXPECT_EQ(last->code(), errc::unreachable);
  call("none", {.retry = 0});
  ASSERT_EQ(ends["none"].size(), 1u);
  link.fail_pass({errc::authentication_failed, "no"}, true);
  ASSERT_EQ(ends["patient"].size(), 1u);
  EXPECT_EQ(last->code(), errc::authentication_failed);
}

TEST_F(amqp1_engine, brokers_without_nodes_of_their_own_serve_no_calls) {
  link.broker.dynamic_nodes = false;
  connect();
  call("a");
  ASSERT_EQ(ends["a"].size(), 1u);
  EXPECT_EQ(last->code(), errc::precondition_failed);
  cast("c");
  EXPECT_THAT(ends["c"], ElementsAre("null"));
  link.broker.dynamic_nodes = true;
  link.advance(5s);
  call("b");
  EXPECT_THAT(ends["b"], IsEmpty());
}

TEST_F(amqp1_engine, a_reply_link_that_ends_is_made_anew) {
  connect();
  call("a");
  link.broker.detach("reply-1", true, "amqp:resource-deleted");
  link.run();
  call("b");
  EXPECT_EQ(link.broker.received.size(), 1u);
  link.advance(250ms);
  ASSERT_EQ(link.broker.received.size(), 2u);
  EXPECT_EQ(sections(1).reply_to, "reply-2");
}

TEST_F(amqp1_engine, cancelled_calls_end_at_once) {
  connect();
  std::stop_source stop;
  call("a", {.cancel = stop.get_token()});
  stop.request_stop();
  link.run();
  EXPECT_THAT(ends["a"], ElementsAre(HasSubstr("@sent")));
  EXPECT_EQ(last->code(), errc::cancelled);
  answer(0, R"({"response": 1})");
  EXPECT_EQ(ends["a"].size(), 1u);
}

TEST_F(amqp1_engine, more_than_the_engine_may_hold_waits_and_goes_on) {
  start();
  const std::string large(200'000, 'x');
  for (int i = 0; i < 50; ++i) cast(large);
  connect();
  EXPECT_EQ(link.broker.received.size(), 50u);
  EXPECT_EQ(ends[large].size(), 50u);
}

TEST_F(amqp1_engine, casts_behind_a_call_go_on_when_calls_are_refused) {
  link.broker.dynamic_nodes = false;
  start();
  call("a");
  cast("c");
  connect();
  EXPECT_EQ(ends["a"].size(), 1u);
  EXPECT_THAT(ends["c"], ElementsAre("null"));
}

TEST_F(amqp1_engine, reply_credit_is_given_again) {
  o.reply_credit = 4;
  connect();
  for (std::size_t i = 0; i < 20; ++i) {
    call("c" + std::to_string(i));
    answer(i, R"({"response": 1})");
    EXPECT_GE(link.broker.credit_of("reply-1"), 2);
  }
}

TEST_F(amqp1_engine, idle_senders_are_closed_and_come_back) {
  o.idle_sender = 10s;
  connect();
  cast("a");
  EXPECT_TRUE(link.broker.has_link("unicast.openstack.t", false));
  link.advance(11s);
  EXPECT_FALSE(link.broker.has_link("unicast.openstack.t", false));
  cast("b");
  EXPECT_EQ(link.broker.received.size(), 2u);
}

TEST_F(amqp1_engine, addresses_follow_the_broker) {
  link.broker.product = "some-router";
  connect();
  cast("a");
  EXPECT_EQ(link.broker.received[0].address, "openstack.org/om/rpc/anycast/openstack/t");
  link.drop();
  link.broker.product = "Apache Qpid Broker-J Core";
  connect();
  cast("b");
  EXPECT_EQ(link.broker.received[1].address, "unicast.openstack.t");
}

TEST_F(amqp1_engine, a_probe_comes_back) {
  link.broker.routes = true;
  connect();
  call("a");  // for the reply link
  std::vector<std::string> told;
  e->probe(1s, [&](result<std::chrono::microseconds> r) {
    told.push_back(r.has_value() ? "back" : r.error().message());
  });
  link.run();
  EXPECT_THAT(told, ElementsAre("back"));
}

TEST_F(amqp1_engine, closing_ends_everything_once) {
  link.broker.accepts = false;
  o.pre_settled.casts = false;
  connect();
  call("a");
  cast("b");
  bool done = false;
  e->close(1s, [&] { done = true; });
  link.run();
  EXPECT_EQ(ends["a"].size(), 1u);
  EXPECT_FALSE(done);  // the cast has its time
  link.advance(1s);
  EXPECT_TRUE(done);
  EXPECT_EQ(ends["b"].size(), 1u);
  EXPECT_TRUE(link.broker.closed_by_client);
  call("late");
  EXPECT_EQ(last->code(), errc::closed);
}

}  // namespace
}  // namespace oslo::messaging::amqp1
