// Calls and casts between clients and servers.
#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "bus.hpp"

namespace oslo::messaging {
namespace {

using namespace conformance;
using ::testing::HasSubstr;

class rpc_over : public bus_test {
 protected:
  void SetUp() override { OSLO_NEEDS(rpc); }
  blocking::client client(rpc::client_options o = {}) {
    target to;
    to.topic = topic;
    return blocking::client(client_bus, to, std::move(o));
  }
  std::unique_ptr<rpc::server> serve_here(const std::string& name = "s1",
                                          rpc::server_options o = {}) {
    return serve(server_bus, topic, name, {standard_endpoint()}, std::move(o));
  }
};

/// Ends all tests of a pool with a name that says which server answered.
std::shared_ptr<rpc::endpoint> named_endpoint(const std::string& name, target accepts = {}) {
  auto e = std::make_shared<rpc::endpoint>(std::move(accepts));
  e->bind("who", [name] { return name; });
  return e;
}

TEST_P(rpc_over, results_keep_their_type_and_value) {
  const auto server = serve_here();
  const char* const texts[] = {"null",
                               "false",
                               "true",
                               "0",
                               "-1",
                               "9007199254740993",
                               "1.5",
                               "\"\"",
                               "\"\\u00e4\\u20ac\\ud83d\\ude00\"",
                               "\"line\\nquote\\\" back\\\\slash \\u0000 \\u007f\"",
                               "[]",
                               "{}",
                               "[null, [1, {\"a\": [true]}], \"x\"]",
                               "{\"nested\": {\"deep\": {\"list\": [1, 2, 3]}}}"};
  const auto c = client({.timeout = patience});
  for (const char* text : texts)
    EXPECT_EQ(c.call("first", {}, value{{"v", parse_json(text)}}), parse_json(text)) << text;
}

TEST_P(rpc_over, arguments_arrive_as_text_that_says_the_same) {
  const auto server = serve_here();
  const rpc::method<raw_json(raw_json)> echo{"echo"};
  const raw_json args{R"({"big": 123456789012345678901234567890, "nan": NaN, "s": "\ud800"})"};
  EXPECT_EQ(client().call(echo, {}, args).text, args.text);
}

TEST_P(rpc_over, keys_that_only_look_like_those_of_the_transport_stay_with_the_arguments) {
  const auto server = serve_here();
  const value args{{"_msg_id", 1}, {"_context_user", 2}, {"method", 3}, {"result", 4}};
  EXPECT_EQ(client().call("echo", {}, args), args);
}

TEST_P(rpc_over, the_context_travels_both_entries_and_types) {
  const auto server = serve_here();
  const context ctxt{{"user",
                      "b\xc3\xb6"
                      "b"},
                     {"roles", {"admin", "member"}},
                     {"depth", 3},
                     {"none", nullptr}};
  EXPECT_EQ(client().call("context", ctxt), value(ctxt.entries()));
  EXPECT_EQ(client().call("context", {}), value(object()));
}

TEST_P(rpc_over, a_cast_runs_its_handler) {
  expected<value> seen;
  const auto e = std::make_shared<rpc::endpoint>();
  e->bind("note", [&](value args) { seen.set(std::move(args)); });
  const auto server = serve(server_bus, topic, "s1", {e});
  client().cast("note", {}, value{{"n", 1}});
  EXPECT_EQ(seen.get(), (value{{"n", 1}}));
}

TEST_P(rpc_over, casts_to_one_server_run_in_order) {
  expected<int> seen;
  const auto e = std::make_shared<rpc::endpoint>();
  e->bind("note", [&](const value& args) { seen.set(static_cast<int>(args.at("n").as_int64())); });
  const auto server = serve(server_bus, topic, "s1", {e}, {.executor = thread_pool(1)});
  for (int i = 0; i < 200; ++i) client().cast("note", {}, value{{"n", i}});
  for (int i = 0; i < 200; ++i) ASSERT_EQ(seen.get(), i);
}

TEST_P(rpc_over, a_fanout_reaches_every_server_once) {
  OSLO_NEEDS(fanout);
  expected<std::string> seen;
  std::vector<std::unique_ptr<rpc::server>> servers;
  for (const char* name : {"a", "b", "c"}) {
    const auto e = std::make_shared<rpc::endpoint>();
    e->bind("note", [&seen, name = std::string(name)] { seen.set(name); });
    servers.push_back(serve(server_bus, topic, name, {e}));
  }
  client().prepare({.fanout = true}).cast("note", {});
  EXPECT_EQ((std::set<std::string>{seen.get(), seen.get(), seen.get()}),
            (std::set<std::string>{"a", "b", "c"}));
  // What is sent later arrives later, so a second copy would have come before the answers.
  for (const char* name : {"a", "b", "c"})
    EXPECT_THROW(client().prepare({.server = name}).call("who", {}), remote_error);
  EXPECT_EQ(seen.count(), 3u);
}

TEST_P(rpc_over, a_fanout_to_nobody_is_lost) {
  OSLO_NEEDS(fanout);
  client().prepare({.fanout = true}).cast("note", {});
  expected<int> seen;
  const auto e = std::make_shared<rpc::endpoint>();
  e->bind("note", [&] { seen.set(1); });
  e->bind("sync", [] {});
  const auto server = serve(server_bus, topic, "s1", {e});
  client().call("sync", {});
  EXPECT_EQ(seen.count(), 0u);
}

TEST_P(rpc_over, a_call_goes_to_the_server_it_names) {
  const auto a = serve(server_bus, topic, "a", {named_endpoint("a")});
  const auto b = serve(server_bus, topic, "b", {named_endpoint("b")});
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(client().prepare({.server = "a"}).call("who", {}), "a");
    EXPECT_EQ(client().prepare({.server = "b"}).call("who", {}), "b");
  }
}

TEST_P(rpc_over, servers_of_one_topic_share_its_calls) {
  const auto a = serve(server_bus, topic, "a", {named_endpoint("a")});
  const auto b = serve(client_bus, topic, "b", {named_endpoint("b")});
  std::map<std::string, int> answers;
  for (int i = 0; i < 40; ++i) ++answers[std::string(client().call("who", {}).as_string())];
  EXPECT_EQ(answers["a"] + answers["b"], 40);
  EXPECT_GE(answers["a"], 5);
  EXPECT_GE(answers["b"], 5);
}

/// Two servers, each with a client that names it, in every relation that they can have.
TEST_P(rpc_over, two_servers_get_what_is_meant_for_them_however_they_are_named) {
  for (int mask = 0; mask < 32; ++mask) {
    const bool same_exchange = mask & 1, same_topic = mask & 2, same_name = mask & 4,
               fanout = mask & 8, is_call = mask & 16;
    // Calls have no fanout. Buses differ in whether fanouts of one topic meet across exchanges.
    if (fanout && (!caps().fanout || is_call || (same_topic && !same_exchange))) continue;
    SCOPED_TRACE(::testing::Message() << "mask " << mask);
    expected<std::string> pings[2], all;
    std::vector<std::unique_ptr<rpc::server>> servers;
    std::vector<blocking::client> clients;
    const auto unique = unique_name("pair");
    for (int i = 0; i < 2; ++i) {
      const auto number = std::to_string(i);
      target on{.exchange = unique + "-x" + (same_exchange ? "" : number),
                .topic = unique + "-t" + (same_topic ? "" : number),
                .server = "s" + (same_name ? std::string() : number)};
      const auto e = std::make_shared<rpc::endpoint>();
      e->bind("ping", [&pings, &all, i](const value& v) {
        pings[i].set(std::string(v.at("arg").as_string()));
        all.set(std::string(v.at("arg").as_string()));
        return i;
      });
      servers.push_back(std::make_unique<rpc::server>(server_bus, on, std::vector{e}));
      servers.back()->start();
      if (fanout) on.server.reset();
      on.fanout = fanout;
      clients.emplace_back(client_bus, on, rpc::client_options{.timeout = patience});
    }
    for (int i = 0; i < 2; ++i) {
      const value args{{"arg", std::to_string(i)}};
      if (is_call)
        clients[static_cast<std::size_t>(i)].call("ping", {}, args);
      else
        clients[static_cast<std::size_t>(i)].cast("ping", {}, args);
    }
    using names = std::multiset<std::string>;
    if (fanout && same_exchange && same_topic) {
      for (auto& p : pings) EXPECT_EQ((names{p.get(), p.get()}), (names{"0", "1"}));
    } else if (!fanout && same_exchange && same_topic && same_name) {
      // Whoever is free takes the next one.
      EXPECT_EQ((names{all.get(), all.get()}), (names{"0", "1"}));
    } else {
      EXPECT_EQ(pings[0].get(), "0");
      EXPECT_EQ(pings[1].get(), "1");
      EXPECT_EQ(pings[0].count() + pings[1].count(), 2u);
    }
  }
}

TEST_P(rpc_over, a_message_goes_through_the_exchange_it_names) {
  target on;
  on.topic = topic;
  on.server = "s1";
  on.exchange = unique_name("exchange");
  rpc::server server(server_bus, on, {named_endpoint("there")});
  server.start();
  const auto c = client({.at_least_once = true}).prepare({.server = "s1"});
  EXPECT_EQ(c.prepare({.exchange = *on.exchange}).call("who", {}), "there");
  if (!GetParam().keeps_for_nobody) {
    EXPECT_THROW(c.call("who", {}), message_undeliverable);
  }
}

TEST_P(rpc_over, namespace_and_version_choose_the_endpoint) {
  const auto server =
      serve(server_bus, topic, "s1",
            {named_endpoint("plain"), named_endpoint("v1.3", {.namespace_ = "n", .version = "1.3"}),
             named_endpoint("v2.0", {.namespace_ = "n", .version = "2.0"})});
  EXPECT_EQ(client().call("who", {}), "plain");
  EXPECT_EQ(client().prepare({.namespace_ = "n", .version = "1.2"}).call("who", {}), "v1.3");
  EXPECT_EQ(client().prepare({.namespace_ = "n", .version = "2.0"}).call("who", {}), "v2.0");
  try {
    client().prepare({.namespace_ = "n", .version = "1.4"}).call("who", {});
    FAIL();
  } catch (const remote_error& e) {
    EXPECT_EQ(e.type(), "UnsupportedVersion");
    EXPECT_EQ(e.module(), "oslo_messaging.rpc.dispatcher");
    EXPECT_EQ(e.message(), "Endpoint does not support RPC version 1.4. Attempted method: who");
  }
  try {
    client().call("nope", {});
    FAIL();
  } catch (const remote_error& e) {
    EXPECT_EQ(e.type(), "NoSuchMethod");
    EXPECT_EQ(e.message(), "Endpoint does not support RPC method nope");
  }
}

TEST_P(rpc_over, a_remote_error_carries_class_module_text_and_arguments) {
  const auto server = serve_here();
  try {
    client().call("boom", {});
    FAIL();
  } catch (const remote_error& e) {
    EXPECT_EQ(e.type(), "InstanceNotFound");
    EXPECT_EQ(e.module(), "nova.exception");
    EXPECT_EQ(e.message(), "no such instance");
    EXPECT_EQ(parse_json(e.failure().remote()->args_json), (value{"i-1", 2}));
    EXPECT_EQ(parse_json(e.failure().remote()->kwargs_json), (value{{"code", 404}}));
    EXPECT_THAT(e.what(), HasSubstr("Remote error: InstanceNotFound no such instance"));
  }
  const auto invalid = client().try_call("invalid", {});
  ASSERT_TRUE(invalid.has_error());
  EXPECT_EQ(invalid.error().remote()->type, "ValueError");
  EXPECT_EQ(invalid.error().remote()->message, "bad \xc3\xa4 value");
}

class instance_not_found : public remote_error {
 public:
  using remote_error::remote_error;
};
class disk_full : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

TEST_P(rpc_over, exceptions_of_a_shared_table_arrive_as_their_type) {
  auto table = std::make_shared<rpc::exception_table>();
  table->add<instance_not_found>("nova.exception", "InstanceNotFound");
  table->add<disk_full>("cinder.exception", "DiskFull");
  table->add_library_errors();
  const auto e = standard_endpoint();
  e->bind("fill", [] { throw disk_full("no room"); });
  const auto server = serve(server_bus, topic, "s1", {e},
                            {.exceptions = table, .traceback = rpc::tracebacks::full});
  const auto c = client({.exceptions = table});
  try {
    c.call("boom", {});
    FAIL();
  } catch (const instance_not_found& error) {
    EXPECT_EQ(error.args(), (array{"i-1", 2}));
    EXPECT_EQ(error.kwargs(), (object{{"code", 404}}));
  }
  EXPECT_THROW(c.call("fill", {}), disk_full);
  EXPECT_THROW(c.call("nothing_here", {}), no_such_method);
  const auto plain = client().try_call("fill", {});
  ASSERT_TRUE(plain.has_error());
  EXPECT_EQ(plain.error().remote()->module, "cinder.exception");
  EXPECT_EQ(plain.error().remote()->type, "DiskFull");
  ASSERT_EQ(plain.error().remote()->traceback.size(), 4u);
  EXPECT_THAT(plain.error().remote()->traceback[1], HasSubstr("In method \"fill\" of <Target"));
}

TEST_P(rpc_over, a_call_that_nobody_answers_times_out) {
  // The topic exists, so that a bus with queues keeps the message.
  serve_here().reset();
  const auto begin = std::chrono::steady_clock::now();
  const auto r = client({.timeout = 200ms}).try_call("echo", {});
  const auto took = std::chrono::steady_clock::now() - begin;
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::timed_out);
  EXPECT_GE(took, 200ms);
}

TEST_P(rpc_over, a_timeout_of_zero_is_a_value) {
  const auto server = serve_here();
  EXPECT_THROW(client({.timeout = 0ms}).call("echo", {}), messaging_timeout);
}

TEST_P(rpc_over, a_late_answer_disturbs_nobody) {
  gate answer;
  const auto e = std::make_shared<rpc::endpoint>();
  e->bind("slow", [&] { return answer.wait(); });
  e->bind("fast", [] { return 1; });
  const auto server = serve(server_bus, topic, "s1", {e});
  EXPECT_THROW(client({.timeout = 100ms}).call("slow", {}), messaging_timeout);
  answer.open();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client().call("fast", {}), 1);
}

TEST_P(rpc_over, heartbeats_keep_a_monitored_call_alive) {
  const auto e = std::make_shared<rpc::endpoint>();
  // Longer than the monitor timeout: without heartbeats the call would end before the answer.
  e->bind("slow", [&](rpc::responder<bool> answer) {
    auto& loop = server_bus.loop();
    loop.run_at(loop.now() + 3500ms,
                [answer = std::move(answer)]() mutable { answer.reply(true); });
  });
  const auto server = serve(server_bus, topic, "s1", {e});
  EXPECT_EQ(client({.timeout = patience, .call_monitor_timeout = 2s}).call("slow", {}), true);
}

TEST_P(rpc_over, a_monitored_call_fails_when_no_heartbeat_comes) {
  serve_here().reset();
  const auto begin = std::chrono::steady_clock::now();
  const auto r = client({.timeout = patience, .call_monitor_timeout = 2s}).try_call("echo", {});
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::timed_out);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, patience / 2);
}

TEST_P(rpc_over, a_cancelled_call_ends_at_once) {
  gate finish, started;
  const auto e = std::make_shared<rpc::endpoint>();
  e->bind("slow", [&] {
    started.open();
    finish.wait();
  });
  const auto server = serve(server_bus, topic, "s1", {e});
  std::stop_source stop;
  expected<errc> outcome;
  rpc::detail::start_call(
      client().async(), "slow", {}, "{}", {{}, stop.get_token()},
      [&](result<std::string> r) { outcome.set(r ? errc{} : r.error().code()); });
  ASSERT_TRUE(started.wait());
  stop.request_stop();
  EXPECT_EQ(outcome.get(), errc::cancelled);
  finish.open();
}

TEST_P(rpc_over, at_least_once_says_when_nobody_ever_listened) {
  if (GetParam().keeps_for_nobody) GTEST_SKIP() << "Everything waits for somebody.";
  EXPECT_THROW(client({.at_least_once = true}).cast("note", {}), message_undeliverable);
  try {
    client({.at_least_once = true}).prepare({.server = "s1"}).call("note", {});
    ADD_FAILURE();
  } catch (const message_undeliverable& e) {
    EXPECT_EQ(e.exchange(), "openstack");
    EXPECT_EQ(e.routing_key(), topic + ".s1");
    EXPECT_FALSE(e.message_id().empty());
    EXPECT_EQ(e.failure().detail().stage, "returned");
    EXPECT_EQ(e.failure().detail().destination, "openstack/" + topic + ".s1");
  }
  const auto server = serve_here();
  EXPECT_EQ(client({.at_least_once = true}).call("first", {}, value{{"v", 1}}), 1);
}

TEST_P(rpc_over, a_megabyte_goes_both_ways) {
  const auto server = serve_here();
  const std::string text(1 << 20, 'x');
  EXPECT_EQ(client().call("first", {}, value{{"v", text}}), value(text));
}

TEST_P(rpc_over, a_thousand_calls_at_once) {
  const auto server = serve_here();
  const auto c = client({.timeout = patience});
  expected<std::pair<int, std::string>> answers;
  for (int i = 0; i < 1000; ++i)
    rpc::detail::start_call(c.async(), "first", {}, "{\"v\": " + std::to_string(i) + "}", {},
                            [&answers, i](result<std::string> r) {
                              answers.set({i, r ? *r : r.error().message()});
                            });
  for (int n = 0; n < 1000; ++n) {
    const auto [i, text] = answers.get();
    EXPECT_EQ(text, std::to_string(i));
  }
}

TEST_P(rpc_over, many_threads_share_one_client) {
  const auto server = serve_here();
  const auto c = client({.timeout = patience});
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 25; ++i)
          good += c.call("first", {}, value{{"v", t * 100 + i}}) == value(t * 100 + i);
      });
  }
  EXPECT_EQ(good, 200);
}

TEST_P(rpc_over, every_kind_of_handler_answers) {
  const auto e = std::make_shared<rpc::endpoint>();
  e->bind("plain", [](const value& v) { return v.at("n").as_int64() + 1; });
  e->bind("coroutine", [](value v) -> boost::asio::awaitable<std::int64_t> {
    co_return v.at("n").as_int64() + 2;
  });
  std::vector<std::jthread> helpers;
  e->bind("deferred", [&](const value& v, rpc::responder<std::int64_t> r) {
    helpers.emplace_back(
        [n = v.at("n").as_int64(), r = std::move(r)]() mutable { r.reply(n + 3); });
  });
  e->bind("dropped", [](rpc::responder<int> r) { auto gone = std::move(r); });
  e->bind_any([](std::string_view name) { return std::string(name); });
  for (const auto& how : {thread_pool(4), inline_executor()}) {
    auto name = unique_name("handlers");
    const auto server = serve(server_bus, name, "s1", {e}, {.executor = how});
    const auto c = client().prepare({.topic = name});
    EXPECT_EQ(c.call("plain", {}, value{{"n", 1}}), 2);
    EXPECT_EQ(c.call("coroutine", {}, value{{"n", 1}}), 3);
    EXPECT_EQ(c.call("deferred", {}, value{{"n", 1}}), 4);
    EXPECT_EQ(c.call("anything", {}), "anything");
    const auto dropped = c.try_call("dropped", {});
    ASSERT_TRUE(dropped.has_error());
    EXPECT_EQ(dropped.error().remote()->message,
              "The handler dropped the request without a reply.");
  }
}

TEST_P(rpc_over, ping_answers_pong) {
  const auto server = serve_here("s1", {.ping = true});
  EXPECT_EQ(client().call("oslo_rpc_server_ping", {}), "pong");
}

TEST_P(rpc_over, a_stopped_server_finishes_what_it_took) {
  gate started, finish;
  const auto e = std::make_shared<rpc::endpoint>();
  e->bind("slow", [&] {
    started.open();
    return finish.wait();
  });
  const auto server = serve(server_bus, topic, "s1", {e});
  expected<std::string> answer;
  rpc::detail::start_call(client().async(), "slow", {}, "{}", {},
                          [&](result<std::string> r) { answer.set(r ? *r : r.error().message()); });
  ASSERT_TRUE(started.wait());
  server->stop();
  EXPECT_THROW(server->wait(100ms), task_timeout);
  finish.open();
  server->wait(patience);
  EXPECT_EQ(answer.get(), "true");
  EXPECT_EQ(server->running(), 0u);
}

TEST_P(rpc_over, a_server_starts_again) {
  const auto server = serve_here();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client().call("first", {}, value{{"v", i}}), i);
    server->stop();
    server->wait(patience);
    server->start();
  }
  EXPECT_EQ(client().call("first", {}, value{{"v", 3}}), 3);
}

TEST_P(rpc_over, what_waits_for_a_server_is_served_when_it_comes_back) {
  serve_here().reset();
  expected<std::string> answer;
  rpc::detail::start_call(client({.timeout = patience}).async(), "first", {}, R"({"v": "kept"})",
                          {},
                          [&](result<std::string> r) { answer.set(r ? *r : r.error().message()); });
  const auto server = serve_here("s2");
  EXPECT_EQ(answer.get(), "\"kept\"");
}

TEST_P(rpc_over, closing_ends_pending_calls) {
  gate started, finish;
  const auto e = std::make_shared<rpc::endpoint>();
  e->bind("slow", [&] {
    started.open();
    finish.wait();
  });
  const auto server = serve(server_bus, topic, "s1", {e});
  expected<errc> outcome;
  rpc::detail::start_call(client().async(), "slow", {}, "{}", {}, [&](result<std::string> r) {
    outcome.set(r ? errc{} : r.error().code());
  });
  ASSERT_TRUE(started.wait());
  client_bus.close();
  EXPECT_EQ(outcome.get(), errc::closed);
  const auto later = client().try_call("slow", {});
  ASSERT_TRUE(later.has_error());
  EXPECT_EQ(later.error().code(), errc::closed);
  finish.open();
}

TEST_P(rpc_over, a_handler_may_call_another_server) {
  const auto inner = serve(server_bus, topic + "-inner", "s1", {standard_endpoint()});
  const auto e = std::make_shared<rpc::endpoint>();
  const auto nested = client().prepare({.topic = topic + "-inner"});
  e->bind("outer", [&](const context& c, const value& v) { return nested.call("echo", c, v); });
  e->bind("outer_boom", [&](const context& c) { return nested.call("boom", c); });
  const auto outer = serve(server_bus, topic, "s1", {e});
  EXPECT_EQ(client().call("outer", {}, value{{"x", 1}}), (value{{"x", 1}}));
  // The class survives the second hop.
  const auto r = client().try_call("outer_boom", {});
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().remote()->type, "InstanceNotFound");
  EXPECT_EQ(r.error().remote()->module, "nova.exception");
}

OSLO_CONFORMANCE_SUITE(rpc_over);

}  // namespace
}  // namespace oslo::messaging
