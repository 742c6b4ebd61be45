// The publishing connection against a broker that does exactly what the test says.
#include "drivers/rabbit/publisher.hpp"

#include <gtest/gtest.h>

#include <map>

#include "support/log_lines.hpp"
#include "support/scripted_broker.hpp"

namespace oslo::messaging::rabbit {
namespace {

using amqp091::method;
using amqp_script::confirm;
using amqp_script::scripted_broker;

class rabbit_publisher : public ::testing::Test {
 protected:
  rabbit_publisher() : broker(io), out(make_publisher(broker.settings())) {}
  ~rabbit_publisher() override {
    bool shut = false;
    out->shut(std::chrono::seconds(5), [&] { shut = true; });
    broker.run_until([&] { return shut; }, "the end of the link");
  }

  std::shared_ptr<publisher> make_publisher(net::link_settings s) {
    return std::make_shared<publisher>(io.get_executor(), std::move(s), log.into());
  }

  publication_ptr make(std::string body, std::string exchange_name = "openstack") {
    auto p = std::make_shared<publication>();
    p->to = topic_destination({}, std::move(exchange_name), "t");
    p->done = [this, body](result<void> r) {
      outcome[body] = r ? "confirmed" : std::string(code_name(r.error().code()));
      order += body;
      if (!r) why[body] = r.error().message();
    };
    p->body = std::move(body);
    return p;
  }
  publication_ptr publish(std::string body, std::string exchange_name = "openstack") {
    auto p = make(std::move(body), std::move(exchange_name));
    out->publish(p);
    return p;
  }
  static std::string code_name(errc c) { return boost::system::error_code(c).message(); }
  std::string next_body() { return broker.next(method::basic_publish).body; }
  void wait_for(const std::string& body) {
    broker.run_until([&] { return outcome.contains(body); }, "the outcome of a publish");
  }
  std::string bodies(const std::vector<scripted_broker::request>& requests) {
    std::string all;
    for (const auto& r : requests)
      if (r.what == method::basic_publish) all += r.body;
    return all;
  }

  testing::log_lines log;
  boost::asio::io_context io;
  scripted_broker broker;
  std::shared_ptr<publisher> out;
  std::map<std::string, std::string> outcome;
  std::map<std::string, std::string> why;
  std::string order;
};

TEST_F(rabbit_publisher, confirms_may_come_in_any_order_and_in_groups) {
  for (const auto* body : {"a", "b", "c", "d"}) publish(body);
  for (const auto* body : {"a", "b", "c", "d"}) EXPECT_EQ(next_body(), body);
  broker.send(confirm(1, method::basic_ack, 2, false));
  wait_for("b");
  EXPECT_EQ(order, "b");
  EXPECT_EQ(out->pending(), 3u);
  broker.send(confirm(1, method::basic_ack, 4, true));
  wait_for("d");
  EXPECT_EQ(order, "bacd");
  EXPECT_TRUE(out->idle());
}

TEST_F(rabbit_publisher, confirms_that_nobody_waits_for_come_too) {
  const auto in_no_hurry = [this](const std::string& body) {
    const auto p = make(body);
    p->awaited = false;
    out->publish(p);
  };
  in_no_hurry("a");
  next_body();
  broker.send(confirm(1, method::basic_ack, 1, false));
  wait_for("a");
  EXPECT_TRUE(out->idle());
  // More than may lie unread.
  for (int i = 0; i < 200; ++i) in_no_hurry(std::to_string(i));
  for (int i = 0; i < 200; ++i) next_body();
  std::string confirms;
  for (std::uint64_t i = 2; i < 202; ++i) confirms += confirm(1, method::basic_ack, i, false);
  broker.send(confirms);
  wait_for("199");
  EXPECT_TRUE(out->idle());
  // One that somebody waits for brings the others with it.
  in_no_hurry("b");
  publish("c");
  next_body();
  next_body();
  broker.send(confirm(1, method::basic_ack, 203, true));
  wait_for("c");
  EXPECT_EQ(outcome["b"], "confirmed");
  // The end of the connection is seen at once, whatever has not been read.
  in_no_hurry("d");
  next_body();
  broker.send(confirm(1, method::basic_ack, 204, false));
  broker.drop();
  wait_for("d");
  EXPECT_EQ(outcome["d"], "confirmed");
  EXPECT_TRUE(bodies(broker.rest()).empty());
}

TEST_F(rabbit_publisher, confirms_of_many_come_however_few_bytes_they_are) {
  constexpr std::uint64_t count = 300;  // enough for confirms to be read in bulk
  for (std::uint64_t i = 1; i <= count; ++i) publish(std::to_string(i));
  for (std::uint64_t i = 1; i <= count; ++i) EXPECT_EQ(next_body(), std::to_string(i));
  broker.send(confirm(1, method::basic_ack, 1, false));
  wait_for("1");
  EXPECT_EQ(out->pending(), count - 1);
  publish("more");
  next_body();
  broker.send(confirm(1, method::basic_ack, count, true));
  wait_for("300");
  broker.send(confirm(1, method::basic_ack, count + 1, false));
  wait_for("more");
  EXPECT_TRUE(out->idle());
}

TEST_F(rabbit_publisher, confirms_come_while_messages_go_out_all_the_time) {
  constexpr std::uint64_t count = 300;
  for (std::uint64_t i = 1; i <= count; ++i) publish(std::to_string(i));
  for (std::uint64_t i = 1; i <= count; ++i) next_body();
  broker.send(confirm(1, method::basic_ack, 1, false));
  int more = 0;
  broker.run_until(
      [&] {
        publish("more");
        return outcome.contains("1") || ++more == 50'000;
      },
      "the confirm");
  EXPECT_EQ(outcome["1"], "confirmed") << "The read is put off by every message that goes out.";
}

TEST_F(rabbit_publisher, what_nobody_waits_for_is_waited_for_when_the_link_ends) {
  const auto p = make("a");
  p->awaited = false;
  out->publish(p);
  next_body();
  bool idle = false;
  out->when_idle([&] { idle = true; });
  broker.send(confirm(1, method::basic_ack, 1, false));
  broker.run_until([&] { return idle; }, "the last confirm");
  EXPECT_EQ(outcome["a"], "confirmed");
}

TEST_F(rabbit_publisher, a_refusal_is_not_a_confirmation) {
  publish("a");
  publish("b");
  next_body();
  next_body();
  broker.send(confirm(1, method::basic_nack, 1, false) + confirm(1, method::basic_ack, 2, false));
  wait_for("b");
  EXPECT_EQ(outcome["a"], code_name(errc::rejected));
  EXPECT_EQ(outcome["b"], "confirmed");
}

TEST_F(rabbit_publisher, a_returned_message_is_undeliverable_whatever_its_confirm_says) {
  auto p = make("a");
  p->mandatory = true;
  out->publish(p);
  publish("b");
  next_body();
  next_body();
  broker.send(amqp_script::returned(1, "openstack", "t", "a") +
              confirm(1, method::basic_ack, 2, true));
  wait_for("b");
  EXPECT_EQ(outcome["a"], code_name(errc::undeliverable));
  EXPECT_NE(why["a"].find("openstack/t"), std::string::npos) << why["a"];
  EXPECT_NE(why["a"].find("312"), std::string::npos) << why["a"];
  EXPECT_EQ(outcome["b"], "confirmed");
}

TEST_F(rabbit_publisher, what_was_unconfirmed_when_the_link_broke_comes_first_on_the_next_one) {
  for (const auto* body : {"a", "b", "c"}) publish(body);
  for (int i = 0; i < 3; ++i) next_body();
  broker.send(confirm(1, method::basic_ack, 2, false));
  wait_for("b");
  broker.drop();
  publish("d");
  EXPECT_EQ(next_body(), "a");
  EXPECT_EQ(next_body(), "c");
  EXPECT_EQ(next_body(), "d");
  EXPECT_EQ(broker.connections(), 2);
  broker.send(confirm(1, method::basic_ack, 3, true));
  wait_for("d");
  EXPECT_EQ(order, "bacd");
}

TEST_F(rabbit_publisher, an_abandoned_message_is_not_repeated_and_tells_nobody) {
  const auto a = publish("a");
  publish("b");
  next_body();
  next_body();
  out->abandon(*a);
  broker.drop();
  EXPECT_EQ(next_body(), "b");
  broker.send(confirm(1, method::basic_ack, 1, false));
  wait_for("b");
  EXPECT_FALSE(outcome.contains("a"));
}

TEST_F(rabbit_publisher, a_message_tells_what_is_left_of_its_time_again_when_it_is_repeated) {
  auto p = make("a");
  p->lifetime = std::chrono::hours(1);
  p->expires = std::chrono::steady_clock::now() + p->lifetime;
  out->publish(p);
  publish("b");
  EXPECT_EQ(broker.next(method::basic_publish).props.expiration, "3600000");
  EXPECT_EQ(broker.next(method::basic_publish).props.expiration, std::nullopt);
  broker.drop();
  const auto again = broker.next(method::basic_publish);
  const auto left = std::stoll(again.props.expiration.value());
  EXPECT_GT(left, 0);
  EXPECT_LT(left, 3'600'000);
  EXPECT_EQ(*again.props.headers->find("oslo-timeout-ms"),
            amqp091::field_value(std::int64_t{left}));
  broker.next(method::basic_publish);
  broker.send(confirm(1, method::basic_ack, 2, true));
  wait_for("b");
  EXPECT_EQ(outcome["a"], "confirmed");
}

TEST_F(rabbit_publisher, a_blocked_broker_gets_nothing_until_it_says_so) {
  publish("a");
  next_body();
  broker.send(amqp_script::method_frame(0, method::connection_blocked,
                                        [](amqp091::writer& w) { w.shortstr("low on memory"); }));
  broker.run_until([&] { return out->is_blocked(); }, "connection.blocked");
  publish("b");
  EXPECT_EQ(bodies(broker.rest()), "");
  broker.send(amqp_script::method_frame(0, method::connection_unblocked));
  EXPECT_EQ(next_body(), "b");
  EXPECT_FALSE(out->is_blocked());
  broker.send(confirm(1, method::basic_ack, 2, true));
  wait_for("b");
}

TEST_F(rabbit_publisher, no_more_than_the_window_is_on_the_wire) {
  constexpr std::size_t window = 2048;
  for (std::size_t i = 0; i < window + 10; ++i) publish(std::to_string(i));
  for (std::size_t i = 0; i < window; ++i) ASSERT_EQ(next_body(), std::to_string(i));
  EXPECT_EQ(bodies(broker.rest()), "");
  broker.send(confirm(1, method::basic_ack, 1, false));
  EXPECT_EQ(next_body(), std::to_string(window));
  broker.send(confirm(1, method::basic_ack, window + 1, true));
  for (std::size_t i = 1; i < 10; ++i) EXPECT_EQ(next_body(), std::to_string(window + i));
  broker.send(confirm(1, method::basic_ack, window + 10, true));
  wait_for(std::to_string(window + 9));
  EXPECT_TRUE(out->idle());
}

TEST_F(rabbit_publisher, an_exchange_with_other_properties_is_used_as_it_is) {
  broker.on(method::exchange_declare, [](const scripted_broker::request& r) {
    return scripted_broker::name_in(r) == "odd"
               ? amqp_script::close_frame(r.channel, 406,
                                          "PRECONDITION_FAILED - inequivalent arg 'durable' for "
                                          "exchange 'odd' in vhost '/'",
                                          method::exchange_declare)
               : amqp_script::method_frame(r.channel, method::exchange_declare_ok);
  });
  publish("a", "odd");
  broker.next(method::exchange_declare);
  const auto again = broker.next(method::basic_publish);
  EXPECT_EQ(again.body, "a");
  broker.send(confirm(again.channel, method::basic_ack, 1, false));
  wait_for("a");
  EXPECT_EQ(outcome["a"], "confirmed");
  publish("b", "odd");
  for (const auto& r : broker.rest()) EXPECT_NE(r.what, method::exchange_declare);
  broker.send(confirm(again.channel, method::basic_ack, 2, true));
  wait_for("b");
}

bool is_passive(const scripted_broker::request& r) {
  amqp091::reader in{r.arguments};
  in.u16();
  in.shortstr();
  return (in.u8() & 1) != 0;
}

std::string refuse_as_durable(const scripted_broker::request& r, const std::string& kind) {
  return amqp_script::close_frame(
      r.channel, 406,
      "PRECONDITION_FAILED - inequivalent arg 'durable' for " + kind + " '" +
          scripted_broker::name_in(r) + "' in vhost '/': received 'false' but current is 'true'",
      kind == "queue" ? method::queue_declare : method::exchange_declare);
}

TEST_F(rabbit_publisher, exchange_and_queue_with_other_properties_are_bound_and_published_to) {
  broker.on(method::exchange_declare,
            [](const scripted_broker::request& r) { return refuse_as_durable(r, "exchange"); });
  broker.on(method::queue_declare, [](const scripted_broker::request& r) {
    return is_passive(r) ? amqp_script::declare_ok(r.channel, "n.info")
                         : refuse_as_durable(r, "queue");
  });
  auto p = make("a");
  p->to = notification_destination({}, "odd", "n.info");
  out->publish(p);
  broker.next(method::exchange_declare);
  broker.next(method::queue_declare);
  EXPECT_EQ(scripted_broker::name_in(broker.next(method::queue_bind)), "n.info");
  const auto again = broker.next(method::basic_publish);
  EXPECT_EQ(again.body, "a");
  broker.send(confirm(again.channel, method::basic_ack, 1, false));
  wait_for("a");
  EXPECT_EQ(outcome["a"], "confirmed") << why["a"];
  EXPECT_EQ(log.count(log_level::error, "option amqp_durable_queues"), 2);
  EXPECT_EQ(log.count(log_level::error, "The queue n.info exists with durable = true"), 1);
}

TEST_F(rabbit_publisher, a_queue_with_other_properties_that_is_gone_is_declared_again) {
  broker.on(method::queue_declare, [](const scripted_broker::request& r) {
    return is_passive(r) ? amqp_script::declare_ok(r.channel, "n.info")
                         : refuse_as_durable(r, "queue");
  });
  auto p = make("a");
  p->to = notification_destination({}, "x", "n.info");
  out->publish(p);
  broker.next(method::queue_declare);
  const auto first = broker.next(method::basic_publish);
  broker.as_usual(method::queue_declare);
  broker.on(method::queue_bind, [](const scripted_broker::request& r) {
    static bool gone = false;
    return std::exchange(gone, true)
               ? amqp_script::method_frame(r.channel, method::queue_bind_ok)
               : amqp_script::close_frame(r.channel, 404,
                                          "NOT_FOUND - no queue 'n.info' in vhost '/'",
                                          method::queue_bind);
  });
  broker.drop();  // with it went the queue
  EXPECT_EQ(scripted_broker::name_in(broker.next(method::queue_declare)), "n.info");
  const auto again = broker.next(method::basic_publish);
  broker.send(confirm(again.channel, method::basic_ack, 1, false));
  wait_for("a");
  EXPECT_EQ(outcome["a"], "confirmed") << why["a"];
}

/// A broker that says one thing and then the other must not keep the publisher going round.
TEST_F(rabbit_publisher, a_broker_that_contradicts_itself_ends_the_message) {
  broker.on(method::queue_declare, [](const scripted_broker::request& r) {
    return is_passive(r) ? amqp_script::declare_ok(r.channel, "n.info")
                         : refuse_as_durable(r, "queue");
  });
  broker.on(method::queue_bind, [](const scripted_broker::request& r) {
    return amqp_script::close_frame(r.channel, 404, "NOT_FOUND - no queue 'n.info' in vhost '/'",
                                    method::queue_bind);
  });
  auto p = make("a");
  p->to = notification_destination({}, "x", "n.info");
  out->publish(p);
  wait_for("a");
  EXPECT_NE(why["a"].find("no queue 'n.info'"), std::string::npos) << why["a"];
}

TEST_F(rabbit_publisher, headers_go_with_their_message_only) {
  auto p = make("a");
  p->headers = {{"oslo-dead-letter-error", "broken"}, {"n", "1"}};
  out->publish(p);
  publish("b");
  const auto first = broker.next(method::basic_publish);
  EXPECT_EQ(first.props.headers,
            (amqp091::field_table{{"oslo-dead-letter-error", "broken"}, {"n", "1"}}));
  EXPECT_EQ(first.props.content_type, "application/json");
  EXPECT_EQ(first.props.delivery_mode, 2);
  EXPECT_TRUE(broker.next(method::basic_publish).props.headers->empty());
}

TEST_F(rabbit_publisher, the_broker_drops_what_is_too_old_in_its_queue) {
  auto p = make("a");
  options o;
  o.notifications.ttl = std::chrono::seconds(5);
  p->to = notification_destination(o, "x", "n.info");
  out->publish(p);
  publish("b");
  const auto first = broker.next(method::basic_publish);
  EXPECT_EQ(first.props.expiration, "5000");
  EXPECT_TRUE(first.props.headers->empty());
  EXPECT_EQ(first.props.delivery_mode, 2);
  EXPECT_EQ(broker.next(method::basic_publish).props.expiration, std::nullopt);
  broker.drop();
  EXPECT_EQ(broker.next(method::basic_publish).props.expiration, "5000")
      << "its time in the queue begins anew";
  broker.next(method::basic_publish);
  broker.send(confirm(1, method::basic_ack, 2, true));
  wait_for("b");
}

TEST_F(rabbit_publisher, a_forbidden_exchange_fails_its_own_messages_only) {
  broker.on(method::exchange_declare, [](const scripted_broker::request& r) {
    return scripted_broker::name_in(r) == "secret"
               ? amqp_script::close_frame(r.channel, 403,
                                          "ACCESS_REFUSED - access to exchange 'secret' in vhost "
                                          "'/' refused for user 'guest'",
                                          method::exchange_declare)
               : amqp_script::method_frame(r.channel, method::exchange_declare_ok);
  });
  publish("a", "secret");
  publish("b");
  wait_for("a");
  EXPECT_EQ(outcome["a"], code_name(errc::access_refused)) << why["a"];
  EXPECT_NE(why["a"].find("'secret'"), std::string::npos);
  const auto again = broker.next(method::basic_publish);
  EXPECT_EQ(again.body, "b");
  broker.send(confirm(again.channel, method::basic_ack, 1, false));
  wait_for("b");
  EXPECT_EQ(outcome["b"], "confirmed");
}

TEST_F(rabbit_publisher, retries_that_are_used_up_say_so_and_never_not_sent_of_what_was_sent) {
  auto sent = make("sent");
  sent->retry = 0;
  out->publish(sent);
  next_body();
  broker.vanish();
  broker.run_until([&] { return !out->is_open(); }, "the loss of the link");
  auto fresh = make("fresh");
  fresh->retry = 0;
  out->publish(fresh);
  auto eager = make("eager");
  eager->fail_fast = true;
  out->publish(eager);
  EXPECT_EQ(outcome["eager"], code_name(errc::not_sent));
  wait_for("sent");
  wait_for("fresh");
  EXPECT_EQ(outcome["sent"], code_name(errc::outcome_unknown)) << why["sent"];
  EXPECT_EQ(outcome["fresh"], code_name(errc::unreachable)) << why["fresh"];
}

TEST_F(rabbit_publisher, wrong_credentials_end_what_waits_and_what_comes_next) {
  broker.on(method::connection_start_ok, [](const scripted_broker::request&) {
    return amqp_script::close_frame(0, 403, "ACCESS_REFUSED - Login was refused");
  });
  publish("a");
  wait_for("a");
  EXPECT_EQ(outcome["a"], code_name(errc::authentication_failed)) << why["a"];
  publish("b");
  EXPECT_EQ(outcome["b"], code_name(errc::authentication_failed));
}

TEST_F(rabbit_publisher, a_link_whose_write_failed_takes_messages_for_the_next_one) {
  publish("a");
  EXPECT_EQ(next_body(), "a");
  broker.send(confirm(1, method::basic_ack, 1, false));
  wait_for("a");
  broker.reset();
  publish("b");
  out->flush();  // fails; the end of the link is dealt with in a later turn
  publish("c");
  EXPECT_EQ(next_body(), "b");
  EXPECT_EQ(next_body(), "c");
  broker.send(confirm(1, method::basic_ack, 2, true));
  wait_for("c");
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(broker.connections(), 2);
}

TEST_F(rabbit_publisher, what_waits_when_confirms_and_the_end_come_together_goes_on_the_next_link) {
  constexpr std::size_t window = 2048;
  for (std::size_t i = 0; i < window + 1; ++i) publish(std::to_string(i));
  for (std::size_t i = 0; i < window; ++i) ASSERT_EQ(next_body(), std::to_string(i));
  broker.send(confirm(1, method::basic_ack, window, true) +
              amqp_script::close_frame(0, 320, "CONNECTION_FORCED"));
  EXPECT_EQ(next_body(), std::to_string(window));
  broker.send(confirm(1, method::basic_ack, 1, false));
  wait_for(std::to_string(window));
  EXPECT_TRUE(out->idle());
  EXPECT_EQ(broker.connections(), 2);
}

TEST_F(rabbit_publisher, garbage_from_the_peer_costs_the_connection_and_no_message) {
  publish("a");
  next_body();
  broker.send("HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_EQ(next_body(), "a");
  EXPECT_EQ(broker.connections(), 2);
  broker.send(confirm(1, method::basic_ack, 1, false));
  wait_for("a");
}

TEST_F(rabbit_publisher, a_confirm_nobody_waits_for_costs_the_connection_and_no_message) {
  publish("a");
  next_body();
  broker.send(confirm(1, method::basic_ack, 77, false));
  EXPECT_EQ(next_body(), "a");
  broker.send(confirm(1, method::basic_ack, 1, false));
  wait_for("a");
  EXPECT_EQ(outcome["a"], "confirmed");
}

}  // namespace
}  // namespace oslo::messaging::rabbit
