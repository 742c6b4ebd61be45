// Servers on fibers over fake://.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/fibers.hpp>
#include <oslo/messaging/messaging.hpp>
#include <oslo/messaging/this_task.hpp>

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;

class rpc_on_fibers : public ::testing::Test {
 protected:
  std::unique_ptr<rpc::server> serve(const std::string& topic, std::shared_ptr<rpc::endpoint> e,
                                     std::shared_ptr<executor> x) {
    target on;
    on.topic = topic;
    on.server = "s";
    rpc::server_options o;
    o.executor = std::move(x);
    auto s = std::make_unique<rpc::server>(bus, on, std::vector{std::move(e)}, std::move(o));
    s->start();
    return s;
  }
  blocking::client client(const std::string& topic, std::chrono::milliseconds timeout = 60s) {
    target to;
    to.topic = topic;
    rpc::client_options o;
    o.timeout = timeout;
    return {bus, to, o};
  }

  transport bus = open_transport("fake://fibers");
};

TEST_F(rpc_on_fibers, a_handler_may_call_its_own_server_on_the_only_thread) {
  auto e = std::make_shared<rpc::endpoint>();
  // On a pool of one thread the inner call would wait for the thread that waits for it.
  e->bind("factorial", [c = client("self")](std::map<std::string, int> args) -> value {
    const int n = args["n"];
    if (n <= 1) return 1;
    return n * c.call("factorial", {}, value{{"n", n - 1}}).as_int64();
  });
  const auto server = serve("self", e, fiber_executor({.threads = 1}));
  EXPECT_EQ(client("self").call("factorial", {}, value{{"n", 10}}), 3'628'800);
}

TEST_F(rpc_on_fibers, ten_thousand_handlers_sleep_at_once) {
  constexpr int count = 10'000;
  int running = 0, most = 0;  // all on the one thread of the executor
  auto e = std::make_shared<rpc::endpoint>();
  e->bind("sleep", [&] {
    most = std::max(most, ++running);
    while (most < count) this_task::sleep_for(20ms);
    --running;
  });
  const auto server = serve("sleepers", e, fiber_executor());
  const auto asking = client("sleepers").async();
  std::atomic<int> good{0}, answered{0};
  std::promise<void> all;
  for (int i = 0; i < count; ++i)
    rpc::detail::start_call(asking, "sleep", {}, "{}", {}, [&](result<std::string> r) {
      if (r && *r == "null") ++good;
      if (++answered == count) all.set_value();
    });
  ASSERT_EQ(all.get_future().wait_for(60s), std::future_status::ready);
  EXPECT_EQ(good, count);
  EXPECT_EQ(most, count);
}

TEST_F(rpc_on_fibers, what_a_handler_throws_reaches_the_caller) {
  auto e = std::make_shared<rpc::endpoint>();
  e->bind("fail", [c = client("nobody", 10ms)]() -> int {
    try {
      c.call("x", {});
    } catch (const messaging_timeout&) {
      this_task::sleep_for(1ms);  // inside the catch block
      throw std::invalid_argument("not today");
    }
    return 0;
  });
  e->bind("odd", []() -> int { throw 5; });
  const auto server = serve("failing", e, fiber_executor());
  const auto c = client("failing");
  std::vector<std::future<std::string>> outcomes;
  for (int i = 0; i < 20; ++i)
    outcomes.push_back(std::async(std::launch::async, [&c] {
      const auto r = c.try_call("fail", {});
      return r ? std::string("none")
               : r.error().remote()->type + ": " + r.error().remote()->message;
    }));
  for (auto& o : outcomes) EXPECT_EQ(o.get(), "ValueError: not today");
  EXPECT_EQ(c.try_call("odd", {}).error().code(), errc::remote_error);
}

TEST_F(rpc_on_fibers, a_handler_knows_its_server_also_after_a_wait) {
  std::unique_ptr<rpc::server> own, other;
  std::atomic<int> inside{0};
  const auto refused = [](rpc::server& s) {
    try {
      s.wait(1ms);
    } catch (const messaging_error& e) {
      return e.code() == errc::would_deadlock;
    }
    return false;
  };
  const auto method = [&inside, refused](std::unique_ptr<rpc::server>& mine,
                                         std::unique_ptr<rpc::server>& others) {
    return [&, refused] {
      // Both handlers are on the thread, one of each server, and take turns.
      for (++inside; inside < 2;) this_task::yield();
      const bool before = refused(*mine);
      this_task::yield();
      return before && refused(*mine) && !refused(*others);
    };
  };
  const auto fibers = fiber_executor();
  auto a = std::make_shared<rpc::endpoint>(), b = std::make_shared<rpc::endpoint>();
  a->bind("check", method(own, other));
  b->bind("check", method(other, own));
  own = serve("one", a, fibers);
  other = serve("other", b, fibers);
  auto first = std::async(std::launch::async, [&] { return client("one").call("check", {}); });
  EXPECT_EQ(client("other").call("check", {}), true);
  EXPECT_EQ(first.get(), true);
}

TEST_F(rpc_on_fibers, a_handler_may_start_and_end_another_server) {
  auto e = std::make_shared<rpc::endpoint>();
  const auto fibers = fiber_executor();
  e->bind("nest", [this, fibers] {
    auto inner = std::make_shared<rpc::endpoint>();
    inner->bind("one", [] { return 1; });
    const auto server = serve("inner", inner, fibers);
    const auto r = client("inner").call("one", {});
    server->stop();
    server->wait();
    return r;
  });
  const auto server = serve("outer", e, fibers);
  EXPECT_EQ(client("outer").call("nest", {}), 1);
}

TEST_F(rpc_on_fibers, a_server_that_ends_waits_for_its_fibers) {
  std::promise<void> entered;
  std::atomic<bool> ended{false};
  auto e = std::make_shared<rpc::endpoint>();
  e->bind("slow", [&] {
    entered.set_value();
    this_task::sleep_for(30ms);
    ended = true;
  });
  {
    auto server = serve("ending", e, fiber_executor());
    client("ending").cast("slow", {});
    entered.get_future().wait();
  }
  EXPECT_TRUE(ended);
}

TEST_F(rpc_on_fibers, coroutine_handlers_run_on_them_too) {
  auto e = std::make_shared<rpc::endpoint>();
  e->bind("co", []() -> boost::asio::awaitable<int> { co_return 7; });
  const auto server = serve("co", e, fiber_executor());
  EXPECT_EQ(client("co").call("co", {}), 7);
}

}  // namespace
}  // namespace oslo::messaging
