// An application on Asio: one io_context runs its own work, the transport and the handlers.
#include <boost/asio/io_context.hpp>
#include <boost/describe/class.hpp>
#include <chrono>
#include <iostream>
#include <optional>
#include <oslo/messaging/messaging.hpp>

#include "expect.hpp"

namespace om = oslo::messaging;
namespace asio = boost::asio;
using namespace std::chrono_literals;

struct add_args {
  int a = 0, b = 0;
};
BOOST_DESCRIBE_STRUCT(add_args, (), (a, b))
constexpr om::rpc::method<int(add_args)> add{"add"};

int main() {
  asio::io_context io;
  std::optional<om::transport> bus{
      om::open_transport("fake://", {.loop = om::asio_scheduler(io.get_executor())})};
  auto calculator = std::make_shared<om::rpc::endpoint>();
  calculator->bind(add, [](add_args x) { return x.a + x.b; });
  std::optional<om::rpc::server> server{
      std::in_place, *bus, om::target{.topic = "calc", .server = "host1"}, std::vector{calculator},
      om::rpc::server_options{.executor = om::asio_executor(io.get_executor(), 16)}};
  int sum = 0;
  const auto finish = [&] {
    server->stop();
    server->async_wait([&] {  // on the loop, and before it ends: nobody has to wait for it
      server.reset();
      bus.reset();
    });
  };
  // Nothing here may block: `async_start` instead of `start`, callbacks or coroutines for calls.
  server->async_start([&](om::result<void> started) {
    expect(started.has_value(), "the bus took the server");
    const om::rpc::client client{*bus, {.topic = "calc"}, {.timeout = 5s}};
    om::rpc::async_try_call(client, add, {}, {1, 2}, [&](om::result<int> answer) {
      sum = answer.value();
      finish();
    });
  });
  io.run();  // returns when the transport is gone
  std::cout << "1 + 2 = " << sum << ", on one thread\n";
  expect(sum == 3, "the loop did it all");
}
