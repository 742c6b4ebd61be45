#include <gtest/gtest.h>

#include <boost/describe/class.hpp>
#include <future>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/rpc.hpp>
#include <oslo/messaging/testing.hpp>
#include <sstream>

namespace oslo::messaging::testing {

struct add_args {
  int a = 0, b = 0;
};
BOOST_DESCRIBE_STRUCT(add_args, (), (a, b))

namespace {

using namespace std::chrono_literals;
using kind = recorded_message::kind;

inline constexpr rpc::method<int(add_args)> add{"add", {1, 1}};

target topic(const char* name) {
  target t;
  t.topic = name;
  return t;
}

class bus_under_test : public ::testing::Test {
 protected:
  using answer = std::shared_future<result<std::string>>;

  /// Calls add(1, 2).
  answer call(rpc::client_options o = {}) {
    const auto ended = std::make_shared<std::promise<result<std::string>>>();
    rpc::detail::start_call(rpc::client(client_bus, topic("calc"), std::move(o)), "add", {},
                            R"({"a": 1, "b": 2})", {},
                            [ended](result<std::string> r) { ended->set_value(std::move(r)); });
    return ended->get_future().share();
  }
  static bool ready(const answer& f) { return f.wait_for(0s) == std::future_status::ready; }

  std::unique_ptr<rpc::server> serve(const char* name, std::shared_ptr<rpc::endpoint> e) {
    target on = topic(name);
    on.server = "one";
    rpc::server_options o;
    o.executor = inline_executor();
    auto s = std::make_unique<rpc::server>(server_bus, on, std::vector{std::move(e)}, o);
    s->start();
    return s;
  }
  std::unique_ptr<rpc::server> serve_add() {
    target accepts;
    accepts.version = "1.1";
    auto e = std::make_shared<rpc::endpoint>(accepts);
    e->bind("add", [this](add_args x) {
      ++handled;
      return x.a + x.b;
    });
    return serve("calc", e);
  }

  test_bus bus;
  transport client_bus = bus.open();
  transport server_bus = bus.open();
  int handled = 0;  // on the loop
};

TEST_F(bus_under_test, carries_calls) {
  const auto server = serve_add();
  const blocking::client c(client_bus, topic("calc"));
  EXPECT_EQ(c.call(add, {}, {.a = 1, .b = 2}), 3);
}

TEST_F(bus_under_test, is_not_the_bus_of_others) {
  const auto server = serve_add();
  test_bus other;
  const blocking::client c(other.open(), topic("calc"), {.at_least_once = true});
  EXPECT_EQ(c.try_cast("add", {}).error().code(), errc::undeliverable);
}

TEST_F(bus_under_test, records_what_was_sent) {
  const auto pending = call({.timeout = 7s});
  const blocking::client b(client_bus, topic("calc"));
  b.prepare({.fanout = true}).cast(add, context{{"user", "ada"}}, {.a = 3, .b = 4});
  const auto all = bus.sent();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].what, kind::call);
  EXPECT_EQ(all[0].to.topic, "calc");
  EXPECT_EQ(all[0].timeout, 7s);
  EXPECT_EQ(all[0].version, std::nullopt);
  EXPECT_FALSE(all[0].fault);
  EXPECT_EQ(all[1].what, kind::cast);
  EXPECT_TRUE(all[1].to.fanout);
  EXPECT_EQ(all[1].version, "1.1");
  EXPECT_EQ(all[1].ctxt, (context{{"user", "ada"}}));
  EXPECT_EQ(all[1].args, (value{{"a", 3}, {"b", 4}}));
  EXPECT_EQ(all[1].args_as<add_args>().b, 4);
  EXPECT_EQ(all[1].body.at("method"), "add");
  std::ostringstream text;
  text << all[1];
  EXPECT_EQ(text.str(), R"(cast <Target topic=calc, fanout=True> add({"a": 3, "b": 4}))");
  EXPECT_EQ(bus.sent("add").size(), 2u);
  EXPECT_TRUE(bus.sent("sub").empty());
  bus.forget();
  EXPECT_TRUE(bus.sent().empty());
}

TEST_F(bus_under_test, records_notifications) {
  std::promise<result<reply>> done;
  client_bus.driver().send_notification(
      topic("notifications"), {R"({"event_type": "compute.start", "payload": {"id": 1}})", {}},
      notification_format::envelope, {}, [&](result<reply> r) { done.set_value(std::move(r)); });
  EXPECT_TRUE(done.get_future().get());
  const auto all = bus.sent("compute.start");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].what, kind::notification);
  EXPECT_EQ(all[0].args, (value{{"id", 1}}));
}

TEST_F(bus_under_test, timeouts_come_when_the_clock_is_moved) {
  const auto pending = call({.timeout = 60s});
  bus.advance(59s);
  EXPECT_FALSE(ready(pending));
  bus.advance(1s);
  ASSERT_TRUE(ready(pending));
  EXPECT_EQ(pending.get().error().code(), errc::timed_out);
}

TEST_F(bus_under_test, a_blocking_call_times_out_when_the_clock_is_moved) {
  auto pending = std::async(std::launch::async, [&] {
    const blocking::client c(client_bus, topic("calc"), {.timeout = 60s});
    return c.try_call("add", {});
  });
  EXPECT_EQ(bus.wait_for_sent(1).front().method, "add");
  bus.advance(60s);
  EXPECT_EQ(pending.get().error().code(), errc::timed_out);
}

TEST_F(bus_under_test, sends_fail_on_order) {
  const auto server = serve_add();
  bus.fail_sends({errc::rejected, "full"}, 2);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(call().get().error().code(), errc::rejected);
  EXPECT_EQ(*call().get(), "3");
  EXPECT_EQ(handled, 1);
  const auto all = bus.sent();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(to_string(all[1]),
            R"(call <Target topic=calc> add({"a": 1, "b": 2}), which failed: full)");
  EXPECT_FALSE(all[2].fault);
}

TEST_F(bus_under_test, replies_are_lost_on_order) {
  const auto server = serve_add();
  bus.drop_replies();
  const auto pending = call({.timeout = 10s});
  bus.settle();
  EXPECT_EQ(handled, 1);
  EXPECT_FALSE(ready(pending));
  server->stop();
  server->wait(30s);  // the server believes that it has answered
  bus.advance(10s);
  EXPECT_EQ(pending.get().error().code(), errc::timed_out);
}

TEST_F(bus_under_test, offline_sends_wait) {
  const auto server = serve_add();
  bus.go_offline();
  const auto hasty = call({.timeout = 10s});
  const auto patient = call({.timeout = 60s});
  bus.advance(10s);
  ASSERT_TRUE(ready(hasty));
  EXPECT_EQ(hasty.get().error().code(), errc::timed_out);
  EXPECT_EQ(hasty.get().error().message(),
            "The message to <Target topic=calc> waited for the bus, which is offline.");
  EXPECT_EQ(hasty.get().error().detail().stage, "connecting");
  EXPECT_FALSE(ready(patient));
  EXPECT_EQ(handled, 0);
  bus.go_online();
  EXPECT_EQ(*patient.get(), "3");
  EXPECT_EQ(handled, 1);
}

TEST_F(bus_under_test, time_spent_offline_counts) {
  bus.go_offline();
  const auto pending = call({.timeout = 10s});  // nobody serves
  bus.advance(6s);
  bus.go_online();
  bus.advance(3s);
  EXPECT_FALSE(ready(pending));
  bus.advance(1s);
  ASSERT_TRUE(ready(pending));
  EXPECT_EQ(pending.get().error().code(), errc::timed_out);
}

TEST_F(bus_under_test, offline_sends_that_do_not_wait_fail) {
  bus.go_offline();
  const auto r = call({.retry = 0}).get();
  EXPECT_EQ(r.error().code(), errc::unreachable);
  EXPECT_EQ(r.error().message(),
            "The message to <Target topic=calc> was not sent: the bus is offline.");
}

TEST_F(bus_under_test, offline_sends_can_be_cancelled_and_end_with_their_transport) {
  bus.go_offline();
  std::stop_source stop;
  std::promise<errc> cancelled, closed;
  const rpc::client c(client_bus, topic("calc"), {.timeout = 60s});
  rpc::detail::start_options with_stop;
  with_stop.cancel = stop.get_token();
  rpc::detail::start_call(c, "x", {}, "{}", with_stop,
                          [&](result<std::string> r) { cancelled.set_value(r.error().code()); });
  rpc::detail::start_call(c, "x", {}, "{}", {},
                          [&](result<std::string> r) { closed.set_value(r.error().code()); });
  stop.request_stop();
  EXPECT_EQ(cancelled.get_future().get(), errc::cancelled);
  client_bus.close();
  EXPECT_EQ(closed.get_future().get(), errc::closed);
}

TEST_F(bus_under_test, replies_wait_while_it_is_offline) {
  auto e = std::make_shared<rpc::endpoint>();
  std::optional<rpc::responder<int>> later;
  e->bind("add", [&](add_args, rpc::responder<int> r) { later.emplace(std::move(r)); });
  const auto server = serve("calc", e);
  const auto pending = call({.timeout = 60s});
  bus.settle();
  ASSERT_TRUE(later);
  bus.go_offline();
  later->reply(5);
  bus.settle();
  EXPECT_FALSE(ready(pending));
  bus.go_online();
  EXPECT_EQ(*pending.get(), "5");
}

TEST_F(bus_under_test, offline_no_heartbeat_passes) {
  auto e = std::make_shared<rpc::endpoint>();
  std::optional<rpc::responder<int>> later;
  e->bind("add", [&](add_args, rpc::responder<int> r) { later.emplace(std::move(r)); });
  const auto server = serve("calc", e);
  const auto pending = call({.timeout = 600s, .call_monitor_timeout = 10s});
  bus.advance(100s);
  EXPECT_FALSE(ready(pending));
  bus.go_offline();
  bus.advance(11s);
  ASSERT_TRUE(ready(pending));
  EXPECT_EQ(pending.get().error().code(), errc::timed_out);
  later.reset();
}

TEST_F(bus_under_test, tells_the_health_it_was_given) {
  EXPECT_TRUE(client_bus.health().ok());
  bus.go_offline();
  EXPECT_FALSE(client_bus.health().ok());
  EXPECT_EQ(client_bus.health().reason, "The test took the bus offline.");
  bus.go_online();
  EXPECT_TRUE(client_bus.health().ok());
}

TEST_F(bus_under_test, a_wait_for_what_is_not_sent_says_what_was) {
  blocking::client(client_bus, topic("calc")).cast("add", {});
  try {
    (void)bus.wait_for_sent(2, 1ms);
    FAIL() << "nothing was thrown";
  } catch (const messaging_error& e) {
    EXPECT_STREQ(e.what(),
                 "Waited 1 ms for 2 messages; sent were 1\n  cast <Target topic=calc> add({})");
  }
}

}  // namespace
}  // namespace oslo::messaging::testing
