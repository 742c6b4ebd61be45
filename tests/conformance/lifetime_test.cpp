// Every public object may end at every point of its life, on any thread. Whoever would wait for
// itself here waits for an hour.
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/notify.hpp>
#include <thread>

#include "bus.hpp"

namespace oslo::messaging::conformance {
namespace {

namespace asio = boost::asio;

enum class handler_kind { plain, coroutine, deferred };
constexpr auto kinds = {handler_kind::plain, handler_kind::coroutine, handler_kind::deferred};

asio::awaitable<void> in_a_later_turn(std::function<void()> act) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  act();
}

/// An endpoint whose method "act" calls `act` in a handler of that kind.
std::shared_ptr<rpc::endpoint> method(handler_kind kind, std::function<void()> act) {
  auto e = std::make_shared<rpc::endpoint>();
  switch (kind) {
    case handler_kind::plain: e->bind("act", [act] { act(); }); break;
    case handler_kind::coroutine:
      e->bind("act", [act]() -> asio::awaitable<void> { return in_a_later_turn(act); });
      break;
    case handler_kind::deferred:
      e->bind("act", [act](rpc::responder<void> r) {
        act();
        r.reply();
      });
  }
  return e;
}

/// The same of notifications.
std::shared_ptr<notify::endpoint> reader(handler_kind kind, std::function<void()> act) {
  auto e = std::make_shared<notify::endpoint>();
  switch (kind) {
    case handler_kind::plain: e->bind(notify::priority::info, [act] { act(); }); break;
    case handler_kind::coroutine:
      e->bind(notify::priority::info,
              [act]() -> asio::awaitable<void> { return in_a_later_turn(act); });
      break;
    case handler_kind::deferred:
      e->bind(notify::priority::info, [act](notify::responder r) {
        act();
        r.answer(notify::outcome::handled);
      });
  }
  return e;
}

class lifetime_over : public bus_test {
 protected:
  void SetUp() override {
    OSLO_NEEDS(rpc);
    OSLO_NEEDS(notifications);
  }
  std::unique_ptr<rpc::server> make_server(std::shared_ptr<rpc::endpoint> e,
                                           std::shared_ptr<executor> run_on = thread_pool(2)) {
    return std::make_unique<rpc::server>(
        server_bus, target{.topic = topic, .server = "s"}, std::vector{std::move(e)},
        rpc::server_options{.executor = std::move(run_on), .drain_timeout = 1h});
  }
  std::unique_ptr<notify::listener> make_listener(
      std::shared_ptr<notify::endpoint> e, std::shared_ptr<executor> run_on = thread_pool(2)) {
    return std::make_unique<notify::listener>(
        server_bus, std::vector<target>{{.topic = topic}}, std::vector{std::move(e)},
        notify::listener_options{.executor = std::move(run_on), .drain_timeout = 1h});
  }
  rpc::client client() const { return {client_bus, {.topic = topic}, {.timeout = patience}}; }
  void tell() const {
    blocking::notifier{client_bus, {.drivers = {{"messaging"}}, .topics = {{topic}}}}.info({}, "ev",
                                                                                           1);
  }
  static void nothing() {}
};

TEST_P(lifetime_over, servers_and_listeners_end_before_and_while_they_start) {
  const auto each = [&](const auto& make) {
    make();
    make()->async_start({});
    const auto stopped = make();
    stopped->async_start({});
    stopped->async_stop({});
    const auto restarted = make();
    restarted->start();
    restarted->async_stop({});
    restarted->async_start({});
  };
  each([&] { return make_server(method(handler_kind::plain, nothing)); });
  each([&] { return make_listener(reader(handler_kind::plain, nothing)); });
}

TEST_P(lifetime_over, servers_end_in_each_kind_of_their_handlers) {
  for (const auto kind : kinds)
    for (const auto& run_on : {inline_executor(), thread_pool(2)}) {
      std::unique_ptr<rpc::server> server;
      expected<bool> ended;
      server = make_server(method(kind,
                                  [&] {
                                    server.reset();
                                    ended.set(true);
                                  }),
                           run_on);
      server->start();
      const blocking::client c(client());
      EXPECT_TRUE(c.try_call("act", {}).has_value());
      EXPECT_TRUE(ended.get());
    }
}

TEST_P(lifetime_over, listeners_end_in_each_kind_of_their_handlers) {
  for (const auto kind : kinds)
    for (const auto& run_on : {inline_executor(), thread_pool(2)}) {
      std::unique_ptr<notify::listener> listener;
      expected<bool> ended;
      listener = make_listener(reader(kind,
                                      [&] {
                                        listener.reset();
                                        ended.set(true);
                                      }),
                               run_on);
      listener->start();
      tell();
      EXPECT_TRUE(ended.get());
    }
}

TEST_P(lifetime_over, what_runs_ends_before_its_server_and_listener_do) {
  for (const auto kind : kinds) {
    gate entered, go_on;
    std::atomic<int> left{0};
    const auto work = [&] {
      entered.open();
      EXPECT_TRUE(go_on.wait());
      ++left;
    };
    auto server = make_server(method(kind, work));
    auto listener = make_listener(reader(kind, work));
    server->start();
    listener->start();
    for (int i = 0; i < 2; ++i) blocking::client(client()).cast("act", {});
    tell();
    EXPECT_TRUE(entered.wait());
    while (server->running() + listener->running() < 3) std::this_thread::yield();
    std::thread other([&] {
      server.reset();
      listener.reset();
      EXPECT_EQ(left, 3);
    });
    go_on.open();
    other.join();
  }
}

TEST_P(lifetime_over, servers_and_listeners_end_on_the_loop) {
  for (const auto kind : kinds) {
    expected<bool> ran;
    auto server = make_server(method(kind, [&] { ran.set(true); }));
    auto listener = make_listener(reader(kind, [&] { ran.set(true); }));
    server->start();
    listener->start();
    blocking::client(client()).cast("act", {});
    tell();
    EXPECT_TRUE(ran.get());
    EXPECT_TRUE(ran.get());
    on_loop(server_bus, [&] {
      server.reset();
      listener.reset();
    });
  }
}

TEST_P(lifetime_over, senders_end_before_what_they_sent) {
  const auto server = make_server(method(handler_kind::plain, nothing));
  server->start();
  expected<bool> ended;
  rpc::detail::start_call(client(), "act", {}, "{}", {},
                          [&](const result<std::string>& r) { ended.set(r.has_value()); });
  EXPECT_TRUE(ended.get());
  {
    const notify::notifier n{client_bus, {.drivers = {{"messaging"}}, .topics = {{topic}}}};
    notify::outbox box{n, {.on_report = [&](const notify::delivery_report& r) {
                         ended.set(r.what == notify::delivery_outcome::delivered);
                       }}};
    EXPECT_TRUE(box.post(notify::priority::info, {}, "ev", 1).has_value());
  }
  EXPECT_TRUE(ended.get());
}

TEST_P(lifetime_over, the_last_copy_of_a_transport_ends_wherever_it_is) {
  server_bus.close();
  const auto make = [&] {
    // A topic each: a message that an earlier one has left must not end a later one's transport.
    return std::pair(std::make_unique<transport>(open()), target{.topic = unique_name("last")});
  };
  const auto serve_on = [](const transport& bus, target on, std::function<void()> act,
                           handler_kind kind) {
    on.server = "s";
    auto s = std::make_unique<rpc::server>(
        bus, std::move(on), std::vector{method(kind, std::move(act))},
        rpc::server_options{.executor = thread_pool(2), .drain_timeout = 1h});
    s->start();
    return s;
  };
  {  // unused, and right after it was used
    auto [unused, to] = make();
    auto [used, there] = make();
    rpc::detail::start_cast(rpc::client(*used, there), "act", {}, "{}", {},
                            [](const result<void>&) {});
  }
  for (const auto kind : kinds) {  // in a handler
    auto [bus, to] = make();
    std::unique_ptr<rpc::server> server;
    expected<bool> ended;
    server = serve_on(
        *bus, to,
        [&, &last = bus] {
          server.reset();
          last.reset();
          ended.set(true);
        },
        kind);
    blocking::client(rpc::client(client_bus, to)).cast("act", {});
    EXPECT_TRUE(ended.get());
  }
  {  // in a completion, on its own loop
    auto [bus, to] = make();
    expected<bool> ended;
    auto server = serve_on(*bus, to, nothing, handler_kind::plain);
    rpc::detail::start_call(rpc::client(*bus, to, {.timeout = patience}), "act", {}, "{}", {},
                            [&, &last = bus](const result<std::string>& r) {
                              server.reset();
                              last.reset();
                              ended.set(r.has_value());
                            });
    EXPECT_TRUE(ended.get());
  }
}

TEST_P(lifetime_over, everything_ends_after_the_loop_of_the_application_has_ended) {
  asio::io_context io;
  std::optional<transport> bus(open({.loop = asio_scheduler(io.get_executor())}));
  std::optional<rpc::server> server(
      std::in_place, *bus, target{.topic = topic, .server = "s"},
      std::vector{method(handler_kind::plain, nothing)},
      rpc::server_options{.executor = thread_pool(1), .drain_timeout = 1ms});
  std::optional<notify::listener> listener(
      std::in_place, *bus, std::vector<target>{{.topic = topic}},
      std::vector{reader(handler_kind::plain, nothing)},
      notify::listener_options{.executor = thread_pool(1), .drain_timeout = 1ms});
  std::optional<rpc::client> caller(std::in_place, *bus, target{.topic = topic});
  std::optional<blocking::client> blocking_caller(*caller);
  std::optional<notify::notifier> notifier(
      std::in_place, *bus,
      notify::notifier_options{.drivers = {{"messaging"}}, .topics = {{topic}}});
  std::optional<blocking::notifier> blocking_notifier(*notifier);
  std::optional<notify::outbox> outbox(std::in_place, *notifier,
                                       notify::outbox_options{.linger = 0ms});
  int started = 0;
  const auto count = [&](const result<void>& r) {
    if (r && ++started == 2) io.stop();
  };
  server->async_start(count);
  listener->async_start(count);
  {
    const auto work = asio::make_work_guard(io);
    io.run_for(patience);
  }
  ASSERT_EQ(started, 2);
  EXPECT_TRUE(outbox->post(notify::priority::info, {}, "ev", 1).has_value());
  rpc::detail::start_cast(*caller, "act", {}, "{}", {}, [](const result<void>&) {});
  outbox.reset();
  blocking_notifier.reset();
  notifier.reset();
  blocking_caller.reset();
  caller.reset();
  listener.reset();
  server.reset();
  bus.reset();
  io.restart();
  io.run_for(patience);  // what they have left there
}

// ---- the end of the program ---------------------------------------------------------------------

/// What a program may keep in its static objects.
struct whole_program {
  transport bus;
  rpc::server server;
  notify::listener listener;
  rpc::client caller{bus, server.where(), {.timeout = patience}};
  blocking::client blocking_caller{caller};
  notify::notifier notifier;
  blocking::notifier blocking_notifier{notifier};
  notify::outbox outbox{notifier};

  whole_program(transport b, const std::string& topic, handler_kind kind,
                const std::function<void()>& act)
      : bus(std::move(b)),
        server(bus, {.topic = topic, .server = "s"}, {method(kind, act)}, {.drain_timeout = 1h}),
        listener(bus, {{.topic = topic}}, {reader(kind, act)}, {.drain_timeout = 1h}),
        notifier(bus, {.drivers = {{"messaging"}}, .topics = {{topic}}}) {
    server.start({.override_pool_size = 2});
    listener.start({.override_pool_size = 2});
  }
};

/// Ends the process; a hang ends it by a signal.
[[noreturn]] void leave() {
  alarm(20);
  std::exit(0);
}

[[noreturn]] void wait_for_the_end() {
  std::promise<void>().get_future().wait_for(patience);
  _exit(3);
}

class end_of_program_over : public lifetime_over {
 protected:
  void SetUp() override {
    lifetime_over::SetUp();
    ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  }
  /// Sends from objects that nobody destroys: the main thread still uses them when another exits.
  void tell_for_ever() const {
    static const auto* const n =
        new blocking::notifier(client_bus, {.drivers = {{"messaging"}}, .topics = {{topic}}});
    n->info({}, "ev", 1);
  }
  void cast_for_ever() const {
    static const auto* const c = new blocking::client(client_bus, {.topic = topic});
    c->cast("act", {});
  }
  /// Static from here on: it is made late and ends early.
  whole_program& program(handler_kind kind, const std::function<void()>& act) const {
    static whole_program one(open(), topic, kind, act);
    return one;
  }
};

TEST_P(end_of_program_over, main_returns) {
  const auto run = [&] {
    auto& p = program(handler_kind::coroutine, nothing);
    p.blocking_caller.call("act", {});
    p.blocking_notifier.info({}, "ev", 1);
    leave();
  };
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(0), "");
}

TEST_P(end_of_program_over, a_handler_exits) {
  for (const auto kind : kinds) {
    const auto of_server = [&] {
      program(kind, leave);
      cast_for_ever();
      wait_for_the_end();
    };
    EXPECT_EXIT(of_server(), ::testing::ExitedWithCode(0), "");
    const auto of_listener = [&] {
      program(kind, leave);
      tell_for_ever();
      wait_for_the_end();
    };
    EXPECT_EXIT(of_listener(), ::testing::ExitedWithCode(0), "");
  }
}

TEST_P(end_of_program_over, a_completion_exits) {
  const auto run = [&] {
    rpc::detail::start_call(program(handler_kind::plain, nothing).caller, "act", {}, "{}", {},
                            [](const result<std::string>&) { leave(); });
    wait_for_the_end();
  };
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(0), "");
}

OSLO_CONFORMANCE_SUITE(lifetime_over);
OSLO_CONFORMANCE_SUITE(end_of_program_over);

}  // namespace
}  // namespace oslo::messaging::conformance
