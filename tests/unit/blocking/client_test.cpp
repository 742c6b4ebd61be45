#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/describe/class.hpp>
#include <future>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/rpc.hpp>

#include "support/recording_driver.hpp"
#include "support/silent_driver.hpp"

namespace oslo::messaging::blocking {

struct name_args {
  std::string name;
};
BOOST_DESCRIBE_STRUCT(name_args, (), (name))

namespace {

using namespace std::chrono_literals;
using testing::open_recording;
using testing::recorder;

inline constexpr rpc::method<std::string(name_args)> greet{"greet", {1, 2}};
inline constexpr rpc::method<void()> tick{"tick"};

class blocking_client : public ::testing::Test {
 protected:
  std::shared_ptr<recorder> sent = std::make_shared<recorder>();
  transport bus = open_recording(sent);
  target to = [] {
    target t;
    t.topic = "t";
    return t;
  }();
  client c{bus, to};
};

TEST_F(blocking_client, sends_what_the_asynchronous_one_sends) {
  sent->answer(reply{"\"hi\""});
  EXPECT_EQ(c.call(greet, {}, {.name = "bob"}), "hi");
  EXPECT_EQ(sent->last().message.body,
            R"({"method": "greet", "args": {"name": "bob"}, "version": "1.2"})");
  c.call(tick, {});
  EXPECT_EQ(c.call("dynamic", {}), nullptr);
  c.prepare({.fanout = true}).cast(greet, {}, {.name = "all"});
  EXPECT_TRUE(sent->last().to.fanout);
  EXPECT_FALSE(sent->last().options.wait_for_reply);
}

TEST_F(blocking_client, throws_or_returns_the_failure) {
  sent->answer(failure(errc::undeliverable, "nobody"));
  EXPECT_THROW(c.call(tick, {}), message_undeliverable);
  sent->answer(failure(errc::undeliverable, "nobody"));
  EXPECT_EQ(c.try_cast(tick, {}).error().code(), errc::undeliverable);
  EXPECT_EQ(c.try_call(greet, {}, {.name = "\xff"}).error().code(), errc::serialization_failed);
  EXPECT_EQ(c.try_cast(greet, {}, {.name = "\xff"}).error().code(), errc::serialization_failed);
  sent->answer(reply{"5"});
  EXPECT_EQ(c.try_call(greet, {}, {.name = "x"}).error().message(),
            "result: expected string, got int");
}

TEST_F(blocking_client, refuses_to_wait_on_the_loop_that_would_wake_it) {
  std::promise<std::pair<errc, errc>> codes;
  bus.loop().post([&] {
    codes.set_value({c.try_call(tick, {}).error().code(), c.try_cast(tick, {}).error().code()});
  });
  const auto [call, cast] = codes.get_future().get();
  EXPECT_EQ(call, errc::would_deadlock);
  EXPECT_EQ(cast, errc::would_deadlock);
  EXPECT_TRUE(sent->sent().empty());
}

/// The loop is a strand, of which a handler of the application beside it knows nothing.
TEST(blocking_client_on_a_foreign_loop, refuses_to_wait_on_the_only_thread_that_runs_it) {
  namespace asio = boost::asio;
  asio::io_context io;
  const auto sent = std::make_shared<recorder>();
  const auto codes_in = [&](auto executor) {
    const auto bus = open_recording(sent, {.loop = asio_scheduler(executor)});
    const client c{bus, {.topic = "t"}};
    std::vector<errc> codes;
    asio::post(io, [&] {
      const auto why = c.try_call(tick, {}).error();
      EXPECT_TRUE(why.message().starts_with(
          "A blocking call of \"tick\" on topic \"t\" was made on the transport's loop"))
          << why.message();
      codes = {why.code(), c.try_cast(tick, {}).error().code()};
    });
    io.restart();
    io.run();
    return codes;
  };
  const std::vector<errc> expected{errc::would_deadlock, errc::would_deadlock};
  EXPECT_EQ(codes_in(io.get_executor()), expected);
  EXPECT_EQ(codes_in(asio::make_strand(io)), expected);
  EXPECT_TRUE(sent->sent().empty());
}

TEST(blocking_client_on_a_foreign_loop, waits_while_another_thread_runs_it) {
  namespace asio = boost::asio;
  asio::thread_pool pool(2);
  const auto sent = std::make_shared<recorder>();
  sent->answer(reply{"\"hi\""});
  const auto bus = open_recording(sent, {.loop = asio_scheduler(pool.get_executor())});
  const client c{bus, {.topic = "t"}};
  std::promise<result<std::string>> answer;
  asio::post(pool, [&] { answer.set_value(c.try_call(greet, {}, {.name = "bob"})); });
  EXPECT_EQ(answer.get_future().get().value(), "hi");
}

TEST(blocking_client_on_a_foreign_loop, gives_up_soon_after_its_timeout_when_nothing_runs) {
  boost::asio::io_context io;
  const auto sent = std::make_shared<recorder>();
  const auto bus = open_recording(sent, {.loop = asio_scheduler(io.get_executor())});
  const client c(bus, {.topic = "t"}, {.timeout = 1ms});
  const notifier n(bus, {.drivers = {{"messaging"}}, .timeout = 1ms});
  auto cast = std::async(std::launch::async, [&] { return c.try_cast(tick, {}).error(); });
  auto told = std::async(std::launch::async, [&] { return n.info({}, "e", 1).error(); });
  const auto expect = [](const failure& why, const std::string& what) {
    EXPECT_EQ(why.code(), errc::timed_out);
    EXPECT_EQ(why.message(),
              "The " + what +
                  " did not complete within 5001 ms, because the transport's loop does not run.");
  };
  expect(c.try_call(tick, {}).error(), "call of \"tick\" on topic \"t\"");
  expect(cast.get(), "cast of \"tick\" on topic \"t\"");
  expect(told.get(), "notification of \"e\"");
}

TEST(blocking_cancellation, ends_a_call_and_a_cast_that_wait) {
  const auto bus = testing::open_silent();
  const client c{bus, {.topic = "t"}};
  for (const bool is_call : {true, false}) {
    std::stop_source stop;
    auto waiting = std::async(std::launch::async, [&] {
      return is_call ? c.try_call(tick, {}, stop.get_token())
                     : c.try_cast(greet, {}, {.name = "x"}, stop.get_token());
    });
    stop.request_stop();
    const auto r = waiting.get();
    ASSERT_TRUE(r.has_error());
    EXPECT_EQ(r.error().code(), errc::cancelled);
  }
}

}  // namespace
}  // namespace oslo::messaging::blocking
