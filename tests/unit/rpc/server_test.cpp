// A server over fake://; what every driver shares is in tests/conformance.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/describe/class.hpp>
#include <future>
#include <mutex>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/rpc.hpp>
#include <thread>

#include "support/log_lines.hpp"
#include "support/odd_code.hpp"
#include "support/recording_driver.hpp"
#include "support/strict_driver.hpp"

namespace oslo::messaging::rpc {

struct sum_args {
  int a = 0, b = 10;
};
BOOST_DESCRIBE_STRUCT(sum_args, (), (a, b))

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
constexpr auto patience = 20s;

inline constexpr method<int(sum_args)> sum{"sum", {1, 1}};
inline constexpr method<std::string()> whoami{"whoami"};

using testing::log_lines;

class calculator : public endpoint {
 public:
  calculator() : endpoint({.version = "1.4"}) {
    bind(sum, &calculator::on_sum);
    bind(whoami, &calculator::on_whoami);
    bind("later", &calculator::on_later);
    bind("eventually", &calculator::on_eventually);
    bind("expected", []() -> int { throw std::out_of_range("gone"); }).expect<std::logic_error>();
    bind("unexpected", []() -> int { throw std::out_of_range("gone"); });
    bind("bad_result", [] { return std::string("\xff"); });
  }

 private:
  int on_sum(const context&, sum_args args) { return args.a + args.b; }
  std::string on_whoami(std::string_view name, const context& c) const {
    return std::string(name) + (c.empty() ? "" : "+context");
  }
  void on_later(sum_args args, responder<int> r) {
    std::jthread([args, r = std::move(r)]() mutable {
      r.reply(args.a);
      EXPECT_FALSE(r.pending());
      EXPECT_THROW(r.reply(args.a), messaging_error);
    }).join();
  }
  asio::awaitable<int> on_eventually(const context&, const sum_args& args) {
    asio::steady_timer timer(co_await asio::this_coro::executor, 5ms);
    co_await timer.async_wait(asio::use_awaitable);
    co_return args.a * 2;
  }
};

target on(const std::string& topic, const std::string& name = "s") {
  target t;
  t.topic = topic;
  t.server = name;
  return t;
}

class servers : public ::testing::Test {
 protected:
  log_lines log;
  transport bus = open_transport("fake://", {.log = log.into()});

  blocking::client client(const std::string& topic) {
    target t;
    t.topic = topic;
    return blocking::client(bus, t, {.timeout = patience});
  }
};

TEST_F(servers, typed_methods_fill_defaults) {
  server s(bus, on("t"), {std::make_shared<calculator>()});
  s.start();
  const auto c = client("t");
  EXPECT_EQ(c.call(sum, {}, {.a = 1, .b = 2}), 3);
  EXPECT_EQ(c.call("sum", {}, value{{"a", 1}}), 11);
  const auto bad = c.try_call("sum", {}, value{{"a", "one"}});
  ASSERT_TRUE(bad.has_error());
  EXPECT_EQ(bad.error().remote()->type, "TypeError");
  EXPECT_EQ(bad.error().remote()->module, "builtins");
  EXPECT_EQ(bad.error().remote()->message, "args.a: expected int, got string");
  EXPECT_EQ(c.call(whoami, {{"user", 1}}), "whoami+context");
}

TEST_F(servers, every_executor_runs_every_kind_of_handler) {
  asio::thread_pool pool(2);
  for (const auto& how :
       {inline_executor(), thread_pool(2), asio_executor(pool.get_executor(), 4)}) {
    server s(bus, on("t"), {std::make_shared<calculator>()}, {.executor = how});
    s.start();
    const auto c = client("t");
    EXPECT_EQ(c.call(sum, {}, {.a = 1, .b = 2}), 3);
    EXPECT_EQ(c.call("later", {}, value{{"a", 7}}), 7);
    EXPECT_EQ(c.call("eventually", {}, value{{"a", 7}}), 14);
  }
}

TEST_F(servers, failures_are_logged_unless_they_are_expected) {
  server s(bus, on("t"), {std::make_shared<calculator>()});
  s.start();
  const auto c = client("t");
  EXPECT_THROW(c.call("expected", {}), remote_error);
  EXPECT_THROW(c.call("maybe_ignore_errors", {}), remote_error);
  EXPECT_EQ(log.count(log_level::error, ""), 0);
  EXPECT_EQ(log.count(log_level::debug, "Expected exception"), 1);
  EXPECT_EQ(log.count(log_level::debug, "Method maybe_ignore_errors not found"), 1);
  EXPECT_THROW(c.call("unexpected", {}), remote_error);
  EXPECT_EQ(log.count(log_level::error,
                      "Exception during message handling (unexpected): IndexError: gone"),
            1);
  EXPECT_THROW(c.call("nope", {}), remote_error);
  EXPECT_EQ(log.count(log_level::error, "NoSuchMethod"), 1);
  EXPECT_THROW(c.call("bad_result", {}), remote_error);
}

TEST_F(servers, waiting_for_oneself_is_an_error_and_not_a_hang) {
  std::promise<errc> in_handler, on_loop;
  server* self = nullptr;
  const auto e = std::make_shared<endpoint>();
  const auto code_of = [](auto&& f) {
    try {
      f();
      return errc{};
    } catch (const messaging_error& err) {
      return err.failure().code();
    }
  };
  e->bind("wait", [&] {
    self->stop();
    in_handler.set_value(code_of([&] { self->wait(); }));
  });
  server s(bus, on("t"), {e});
  self = &s;
  s.start();
  client("t").cast("wait", {});
  auto handler_code = in_handler.get_future();
  ASSERT_EQ(handler_code.wait_for(patience), std::future_status::ready);
  EXPECT_EQ(handler_code.get(), errc::would_deadlock);
  bus.loop().post([&] { on_loop.set_value(code_of([&] { s.start(); })); });
  EXPECT_EQ(on_loop.get_future().get(), errc::would_deadlock);
  s.wait(patience);
}

TEST_F(servers, end_in_their_own_coroutines) {
  std::promise<errc> waited;
  std::promise<void> destroyed;
  std::optional<server> it;
  const auto e = std::make_shared<endpoint>();
  e->bind("end", [&]() -> asio::awaitable<int> {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    try {
      it->wait();
    } catch (const messaging_error& error) {
      waited.set_value(error.failure().code());
    }
    it.reset();  // would wait for this coroutine for an hour
    destroyed.set_value();
    co_return 7;
  });
  it.emplace(bus, on("t"), std::vector{e}, server_options{.drain_timeout = 1h});
  it->start();
  EXPECT_EQ(client("t").call("end", {}), 7);
  EXPECT_EQ(waited.get_future().get(), errc::would_deadlock);
  destroyed.get_future().get();
}

TEST_F(servers, what_a_coroutine_has_left_behind_may_wait_for_them) {
  std::promise<void> ended;
  server* self = nullptr;
  asio::any_io_executor where;
  const auto e = std::make_shared<endpoint>();
  e->bind("leave", [&]() -> asio::awaitable<void> { where = co_await asio::this_coro::executor; });
  server s(bus, on("t"), {e});
  self = &s;
  s.start();
  client("t").call("leave", {});
  asio::post(where, [&] {
    self->stop();
    self->wait(patience);
    ended.set_value();
  });
  ended.get_future().get();
}

TEST_F(servers, do_not_start_on_a_transport_that_is_closed) {
  server s(bus, on("t"), {});
  bus.close();
  try {
    s.start();
    FAIL();
  } catch (const server_listen_error& e) {
    EXPECT_EQ(e.failure().code(), errc::closed);
    EXPECT_STREQ(e.what(),
                 "Failed to listen on target \"<Target topic=t, server=s>\": The transport was "
                 "closed.");
  }
}

TEST_F(servers, no_more_run_at_once_than_allowed) {
  std::atomic<int> inside{0}, most{0};
  const auto e = std::make_shared<endpoint>();
  std::mutex mutex;
  std::vector<responder<int>> waiting;
  std::condition_variable changed;
  e->bind("hold", [&](responder<int> r) {
    most = std::max(most.load(), ++inside);
    const std::lock_guard lock(mutex);
    waiting.push_back(std::move(r));
    changed.notify_all();
  });
  server s(bus, on("t"), {e}, {.executor = inline_executor(), .max_running = 3});
  s.start();
  std::atomic<int> answered{0};
  std::promise<void> all;
  for (int i = 0; i < 20; ++i)
    rpc::detail::start_call(client("t").async(), "hold", {}, "{}", {}, [&](result<std::string>) {
      if (++answered == 20) all.set_value();
    });
  for (int i = 0; i < 20; ++i) {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, patience, [&] { return !waiting.empty(); }));
    auto r = std::move(waiting.back());
    waiting.pop_back();
    lock.unlock();
    --inside;
    r.reply(i);
  }
  ASSERT_EQ(all.get_future().wait_for(patience), std::future_status::ready);
  EXPECT_LE(most, 3);
}

TEST_F(servers, a_responder_may_outlive_server_and_transport) {
  std::promise<responder<int>> kept;
  {
    const auto e = std::make_shared<endpoint>();
    e->bind("hold", [&](responder<int> r) { kept.set_value(std::move(r)); });
    auto other = open_transport("fake://");
    server s(other, on("t"), {e}, {.drain_timeout = 10ms});
    s.start();
    client("t").cast("hold", {});
    auto future = kept.get_future();
    ASSERT_EQ(future.wait_for(patience), std::future_status::ready);
    kept = {};
    kept.set_value(future.get());
  }
  kept.get_future().get().reply(1);
}

TEST_F(servers, the_destructor_serves_what_was_taken) {
  std::promise<void> started;
  std::atomic<bool> finished{false};
  {
    const auto e = std::make_shared<endpoint>();
    e->bind("slow", [&](responder<void> answer) {
      bus.loop().run_at(bus.loop().now() + 50ms, [&, answer = std::move(answer)]() mutable {
        finished = true;
        answer.reply();
      });
      started.set_value();
    });
    server s(bus, on("t"), {e});
    s.start();
    client("t").cast("slow", {});
    ASSERT_EQ(started.get_future().wait_for(patience), std::future_status::ready);
  }
  EXPECT_TRUE(finished);
}

TEST_F(servers, the_destructor_does_not_wait_for_a_loop_that_has_ended_when_nothing_is_left) {
  asio::io_context io;
  transport_options o;
  o.loop = asio_scheduler(io.get_executor());
  std::optional<transport> own(open_transport("fake://", std::move(o)));
  std::optional<server> drained(std::in_place, *own, on("t"),
                                std::vector{std::make_shared<endpoint>()},
                                server_options{.drain_timeout = 1h});
  std::optional<server> unused(std::in_place, *own, on("t"),
                               std::vector{std::make_shared<endpoint>()},
                               server_options{.drain_timeout = 1h});
  bool all = false;
  drained->async_start([&](result<void>) {
    drained->async_drain(patience, [&](bool done) {
      all = done;
      io.stop();
    });
  });
  auto work = asio::make_work_guard(io);
  io.run_for(patience);
  ASSERT_TRUE(all);
  // Nobody runs the loop any more; these return nevertheless.
  EXPECT_TRUE(drained->drain(1h));
  EXPECT_TRUE(unused->drain(1h));
  drained.reset();
  unused.reset();
  own.reset();
  work.reset();
  io.restart();
  io.run_for(patience);
}

TEST_F(servers, a_target_without_topic_or_server_is_refused) {
  target no_server;
  no_server.topic = "t";
  try {
    server(bus, no_server, {});
    FAIL();
  } catch (const invalid_target& e) {
    EXPECT_STREQ(e.what(),
                 "A server's target must have topic and server names specified:<Target topic=t>");
  }
  target no_topic;
  no_topic.server = "s";
  EXPECT_THROW(server(bus, no_topic, {}), invalid_target);
}

TEST_F(servers, the_pool_has_the_size_of_the_option_when_no_executor_is_given) {
  const auto with = [&](const char* size) {
    return open_transport(
        "fake://", {.conf = config::parse(
                        "[DEFAULT]\nexecutor_thread_pool_size = " + std::string(size) + "\n")});
  };
  // Two of three handlers run at once; the third one waits for a thread.
  std::promise<void> two_inside, go_on;
  const auto let_go = go_on.get_future().share();
  std::atomic<int> inside{0}, most{0};
  std::atomic<bool> told{false};
  const auto e = std::make_shared<endpoint>();
  e->bind("hold", [&] {
    most = std::max(most.load(), ++inside);
    if (inside == 2 && !told.exchange(true)) two_inside.set_value();
    let_go.wait();
    --inside;
  });
  const auto two = with("2");
  {
    server s(two, on("t"), {e});
    s.start();
    for (int i = 0; i < 3; ++i) client("t").cast("hold", {});
    ASSERT_EQ(two_inside.get_future().wait_for(patience), std::future_status::ready);
    EXPECT_EQ(s.running(), 2u);
    go_on.set_value();
  }
  EXPECT_EQ(most, 2);
  const auto none = with("0");
  try {
    server(none, on("t"), {});
    FAIL();
  } catch (const configuration_error& error) {
    EXPECT_STREQ(error.what(), "Option executor_thread_pool_size must be 1 to 32768, not 0.");
  }
  const auto many = with("4611686018427387904");
  try {
    server(many, on("t"), {});
    FAIL();
  } catch (const configuration_error& error) {
    EXPECT_STREQ(error.what(),
                 "Option executor_thread_pool_size must be 1 to 32768, not 4611686018427387904.");
  }
}

TEST_F(servers, start_says_why_it_cannot_listen) {
  const auto deaf = testing::open_recording(std::make_shared<testing::recorder>());
  server s(deaf, on("t"), {std::make_shared<calculator>()});
  try {
    s.start();
    FAIL();
  } catch (const server_listen_error& e) {
    EXPECT_STREQ(e.what(),
                 "Failed to listen on target \"<Target topic=t, server=s>\": The driver of "
                 "this test cannot do that.");
    EXPECT_EQ(e.failure().code(), errc::not_supported);
  }
  s.wait(patience);  // it has not started, so there is nothing to wait for
}

TEST_F(servers, need_a_driver_that_can_do_what_they_do) {
  const auto with = [](capabilities c) {
    auto r = std::make_shared<testing::recorder>();
    r->caps = c;
    return testing::open_recording(std::move(r));
  };
  const auto refusal = [&](const transport& on_bus, const std::shared_ptr<endpoint>& e) {
    try {
      server(on_bus, on("t"), {e});
    } catch (const messaging_error& error) {
      EXPECT_EQ(error.failure().code(), errc::not_supported);
      return std::string(error.what());
    }
    return std::string();
  };
  const auto usual = std::make_shared<endpoint>();
  usual->bind("m", [] {});
  const auto late = std::make_shared<endpoint>();
  late->bind("m", [] {}).acknowledge(acknowledge_when::after_success);
  EXPECT_EQ(refusal(with({.rpc = false}), usual), "The driver of recording:// cannot carry RPC.");
  EXPECT_EQ(refusal(with({.requeue = false}), late),
            "The driver of recording:// cannot give messages back for another delivery.");
  EXPECT_EQ(refusal(with({.requeue = false}), usual), "");
  EXPECT_EQ(refusal(with({}), late), "");
}

TEST_F(servers, touch_their_listener_on_the_loop_only) {
  const auto notes = std::make_shared<testing::loop_notes>();
  {
    const auto strict = testing::open_strict(notes);
    server s(strict, on("t"), {std::make_shared<calculator>()});
    s.start();
    EXPECT_TRUE(s.drain(patience));
    s.start();
  }
  const std::vector<std::string> round{"listen", "watch",     "ready", "next",
                                       "stop",   "when_gone", "let go"};
  auto twice = round;
  twice.insert(twice.end(), round.begin(), round.end());
  auto all = notes->all();
  all.erase(std::unique(all.begin(), all.end()), all.end());  // "next" as often as it likes
  EXPECT_EQ(all, twice);
}

TEST_F(servers, ping_is_an_option_of_the_config_too) {
  const auto pinged = open_transport(
      "fake://",
      {.conf = config::parse("[DEFAULT]\nrpc_ping_enabled = true\n"), .log = log.into()});
  server s(pinged, on("ping"), {});
  s.start();
  EXPECT_EQ(client("ping").call("oslo_rpc_server_ping", {}), "pong");
  const auto own = std::make_shared<endpoint>();
  own->bind("oslo_rpc_server_ping", [] { return std::string("mine"); });
  server t(pinged, on("own"), {own});
  t.start();
  EXPECT_EQ(client("own").call("oslo_rpc_server_ping", {}), "mine");
  EXPECT_EQ(log.count(log_level::warning, "reserved method"), 1);
}

class doubling final : public serializer {
 public:
  value serialize_entity(const context& c, value v) const override {
    return value{{"out", std::move(v)}, {"as", *c.find("who")}};
  }
  value deserialize_entity(const context& c, value v) const override {
    return value{{"in", std::move(v)}, {"as", *c.find("who")}};
  }
  context deserialize_context(const context& c) const override {
    context out = c;
    out.entries()["who"] = "server";
    return out;
  }
};

TEST_F(servers, the_serializer_sees_context_arguments_and_result) {
  const auto e = std::make_shared<endpoint>();
  e->bind("show", [](const context& c, value args) {
    return value{{"args", std::move(args)}, {"who", *c.find("who")}};
  });
  server s(bus, on("t"), {e}, {.serializer = std::make_shared<doubling>()});
  s.start();
  EXPECT_EQ(
      to_json(client("t").call("show", {{"who", "client"}}, value{{"x", 1}})),
      R"({"out": {"args": {"x": {"in": 1, "as": "server"}}, "who": "server"}, "as": "server"})");
}

TEST_F(servers, answer_whatever_their_serializer_throws) {
  const auto e = std::make_shared<endpoint>();
  e->bind("show", [](value args) { return args; });
  for (const auto& [kind, reason] : testing::odd_kinds)
    for (const bool of_context : {false, true}) {
      server s(bus, on("t"), {e},
               {.serializer = std::make_shared<testing::odd_serializer>(of_context ? "" : kind,
                                                                        of_context ? kind : "")});
      s.start();
      EXPECT_EQ(client("t").try_call("show", {}, value{{"x", 1}}).error().code(),
                errc::remote_error);
      if (!of_context) {  // without arguments it only sees the result
        EXPECT_EQ(client("t").try_call("show", {}).error().code(), errc::remote_error);
      }
      EXPECT_TRUE(s.drain(20s));
    }
}

}  // namespace
}  // namespace oslo::messaging::rpc
