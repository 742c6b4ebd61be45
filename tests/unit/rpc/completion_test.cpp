#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/describe/class.hpp>
#include <future>
#include <oslo/messaging/rpc/completion.hpp>
#include <thread>

#include "support/recording_driver.hpp"
#include "support/silent_driver.hpp"

namespace oslo::messaging::rpc {

struct pair_args {
  int a = 0;
  std::string b;
};
BOOST_DESCRIBE_STRUCT(pair_args, (), (a, b))

namespace {

namespace asio = boost::asio;
inline constexpr method<int(pair_args)> count{"count", {1, 2}};
inline constexpr method<void()> tick{"tick"};

class completion : public ::testing::Test {
 protected:
  std::shared_ptr<testing::recorder> sent = std::make_shared<testing::recorder>();
  transport bus = testing::open_recording(sent);
  client c{bus, {.topic = "t"}};

  static failure not_there() {
    remote_failure f;
    f.type = "KeyError";
    f.module = "builtins";
    f.message = "'x'";
    return failure(f);
  }
};

TEST_F(completion, a_future_has_the_result_or_throws) {
  sent->answer(reply{"3"});
  sent->answer(reply{"[1, 2]"});
  sent->answer(not_there());
  sent->answer(reply{"\"no number\""});
  auto typed = async_call(c, count, {}, {1, "x"}, asio::use_future);
  static_assert(std::is_same_v<decltype(typed), std::future<int>>);
  EXPECT_EQ(typed.get(), 3);
  EXPECT_EQ(sent->last().message.body,
            R"({"method": "count", "args": {"a": 1, "b": "x"}, "version": "1.2"})");
  EXPECT_EQ(async_call(c, "dynamic", {}, value{{"k", 1}}, asio::use_future).get(), (value{1, 2}));
  EXPECT_THROW(async_call(c, tick, {}, asio::use_future).get(), remote_error);
  auto wrong = async_call(c, count, {}, {}, asio::use_future);
  try {
    wrong.get();
    FAIL();
  } catch (const messaging_error& e) {
    EXPECT_EQ(e.failure().code(), errc::malformed_message);
  }
  async_call(c, tick, {}, asio::use_future).get();
  static_assert(
      std::is_same_v<decltype(async_cast(c, tick, {}, asio::use_future)), std::future<void>>);
}

TEST_F(completion, a_callback_runs_on_the_executor_it_is_bound_to) {
  sent->answer(reply{"3"});
  sent->answer(not_there());
  asio::io_context io;
  int answers = 0;
  std::thread::id where;
  async_call(c, count, {}, {1, "x"},
             asio::bind_executor(io.get_executor(), [&](std::exception_ptr e, int sum) {
               EXPECT_EQ(e, nullptr);
               EXPECT_EQ(sum, 3);
               where = std::this_thread::get_id();
               ++answers;
             }));
  async_try_call(c, tick, {}, asio::bind_executor(io.get_executor(), [&](result<void> r) {
                   ASSERT_TRUE(r.has_error());
                   EXPECT_EQ(r.error().remote()->type, "KeyError");
                   ++answers;
                 }));
  EXPECT_EQ(answers, 0);
  io.run();
  EXPECT_EQ(answers, 2);
  EXPECT_EQ(where, std::this_thread::get_id());
}

TEST_F(completion, a_callback_without_an_executor_runs_on_the_loop) {
  std::promise<bool> on_loop;
  async_cast(c, count, {}, {1, "x"},
             [&](std::exception_ptr) { on_loop.set_value(bus.loop().running_here()); });
  EXPECT_TRUE(on_loop.get_future().get());
}

TEST_F(completion, a_deferred_call_is_sent_when_it_is_started) {
  auto later = async_try_call(c, "m", {}, value{{"k", "v"}}, asio::deferred);
  EXPECT_TRUE(sent->sent().empty());
  sent->answer(reply{"true"});
  std::promise<result<value>> answer;
  std::move(later)([&](result<value> r) { answer.set_value(std::move(r)); });
  EXPECT_EQ(answer.get_future().get().value(), true);
  EXPECT_EQ(sent->last().message.body, R"({"method": "m", "args": {"k": "v"}})");
}

TEST_F(completion, a_coroutine_may_use_tokens_too) {
  sent->answer(reply{"7"});
  asio::io_context io;
  int got = 0;
  asio::co_spawn(
      io,
      [](client from, int& out) -> asio::awaitable<void> {
        const pair_args args{2, "y"};
        out = co_await async_call(from, count, {}, args, asio::use_awaitable);
        co_await async_cast(from, "note", {}, object(), asio::use_awaitable);
        co_await async_cast(from, tick, {}, asio::use_awaitable);
      }(c, got),
      asio::detached);
  io.run();
  EXPECT_EQ(got, 7);
  EXPECT_EQ(sent->sent().size(), 3u);
}

TEST_F(completion, arguments_that_cannot_be_written_are_an_error_of_the_completion) {
  const auto r = async_call(c, count, {}, {1, "\xff"}, asio::use_future);
  EXPECT_TRUE(sent->sent().empty());
  const auto call = async_try_call(c, count, {}, {1, "\xff"}, asio::use_future).get();
  ASSERT_TRUE(call.has_error());
  EXPECT_EQ(call.error().code(), errc::serialization_failed);
  const auto cast = async_try_cast(c, count, {}, {1, "\xff"}, asio::use_future).get();
  ASSERT_TRUE(cast.has_error());
  EXPECT_EQ(cast.error().code(), errc::serialization_failed);
}

TEST_F(completion, a_cast_completes_with_a_value_or_an_exception) {
  sent->answer(not_there());
  EXPECT_EQ(async_try_cast(c, tick, {}, asio::use_future).get().error().code(), errc::remote_error);
  sent->answer(not_there());
  EXPECT_THROW(async_cast(c, tick, {}, asio::use_future).get(), remote_error);
  EXPECT_TRUE(async_try_cast(c, "note", {}, object(), asio::use_future).get());
  EXPECT_TRUE(async_try_cast(c, count, {}, {1, "x"}, asio::use_future).get());
}

TEST(completion_cancellation, ends_the_wait_of_any_token) {
  const auto bus = testing::open_silent();
  const client c(bus, {.topic = "t"});
  asio::io_context io;
  asio::cancellation_signal stop;
  result<int> outcome = 0;
  async_try_call(c, count, {}, {},
                 asio::bind_executor(io.get_executor(),
                                     asio::bind_cancellation_slot(
                                         stop.slot(), [&](result<int> r) { outcome = r; })));
  io.poll();
  EXPECT_TRUE(outcome.has_value());
  stop.emit(asio::cancellation_type::total);
  io.restart();
  io.run();
  ASSERT_TRUE(outcome.has_error());
  EXPECT_EQ(outcome.error().code(), errc::cancelled);
}

}  // namespace
}  // namespace oslo::messaging::rpc
