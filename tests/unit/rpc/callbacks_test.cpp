// What callbacks of the application throw: on a loop of the transport's own, and on one of the
// application.
#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/notify.hpp>
#include <oslo/messaging/rpc.hpp>
#include <oslo/messaging/rpc/completion.hpp>
#include <thread>

#include "support/log_lines.hpp"

namespace oslo::messaging::rpc {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

class callbacks : public ::testing::TestWithParam<bool> {
 protected:
  callbacks() {
    transport_options o{.log = log.into()};
    if (GetParam()) {
      o.loop = asio_scheduler(io.get_executor(), log.into());
      runner = std::thread([this] { io.run(); });  // an exception here would end the program
    }
    bus.emplace(open_transport("fake://", o));
  }
  ~callbacks() override {
    bus.reset();
    work.reset();
    if (runner.joinable()) runner.join();
  }
  /// Each of them throws its number.
  [[noreturn]] static void fail(int number) {
    throw std::runtime_error("of number " + std::to_string(number) + ".");
  }

  asio::io_context io;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{
      asio::make_work_guard(io)};
  std::thread runner;
  testing::log_lines log;
  std::optional<transport> bus;
};

TEST_P(callbacks, that_throw_are_error_lines_and_the_loop_goes_on) {
  auto methods = std::make_shared<endpoint>();
  methods->bind("twice", [](std::map<std::string, int> args) { return 2 * args.at("n"); });
  server s(*bus, {.topic = "callbacks", .server = "s"}, {methods});
  health_watch watch = s.watch_health([](const server_health&) { fail(0); });
  s.async_start([](result<void>) { fail(1); });
  ASSERT_TRUE(log.wait_for(log_level::error, "of number 1."));
  const client c(*bus, {.topic = "callbacks"}, {.timeout = 20s});
  rpc::detail::start_call(c, "twice", {}, R"({"n": 1})", {}, [](result<std::string>) { fail(2); });
  rpc::detail::start_cast(c, "twice", {}, R"({"n": 1})", {}, [](result<void>) { fail(3); });
  rpc::detail::start_call(c, "", {}, "no arguments", {}, [](result<std::string>) { fail(4); });
  async_call(c, "twice", {}, object{{"n", 1}}, [](std::exception_ptr, const value&) { fail(5); });
  async_try_call(c, "twice", {}, object{{"n", "x"}}, [](const result<value>&) { fail(6); });
  async_cast(c, "twice", {}, object{{"n", 1}}, [](std::exception_ptr) { fail(7); });
  const notify::notifier n(*bus, {.drivers = {{"messaging"}}});
  n.post(notify::priority::info, {}, "event", 1, [](notify::notifier::report) { fail(8); });
  const auto logged = [&](int number) {
    return log.wait_for(log_level::error, "A callback on the I/O loop threw: of number " +
                                              std::to_string(number) + ".");
  };
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(logged(i)) << i;
  s.async_stop([] { fail(9); });
  EXPECT_TRUE(logged(9));
  s.wait(20s);
  s.start();
  const blocking::client waiting(c);
  EXPECT_EQ(waiting.call("twice", {}, value{{"n", 4}}), 8);
  watch.reset();
}

INSTANTIATE_TEST_SUITE_P(loop, callbacks, ::testing::Bool(), [](const auto& on) {
  return on.param ? "of_the_application" : "of_the_transport";
});

}  // namespace
}  // namespace oslo::messaging::rpc
