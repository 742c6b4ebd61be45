// Handlers on fibers: one that waits for another server holds no thread.
#include <boost/describe/class.hpp>
#include <chrono>
#include <iostream>
#include <oslo/messaging/messaging.hpp>

#include "expect.hpp"

namespace om = oslo::messaging;
using namespace std::chrono_literals;

struct count_args {
  int n = 0;
};
BOOST_DESCRIBE_STRUCT(count_args, (), (n))
constexpr om::rpc::method<int(count_args)> sum_up_to{"sum_up_to"};

int main() {
  const om::transport bus = om::open_transport("fake://");
  const om::blocking::client client{bus, {.topic = "sums"}};

  auto sums = std::make_shared<om::rpc::endpoint>();
  sums->bind(sum_up_to, [client](count_args args) {
    if (args.n == 0) return 0;
    om::this_task::sleep_for(1ms);  // suspends the fiber; std::this_thread would stop them all
    return args.n + client.call(sum_up_to, {}, {.n = args.n - 1});
  });
  // One thread, and still every one of the nested calls finds a fiber.
  om::rpc::server server{bus,
                         {.topic = "sums", .server = "host1"},
                         {sums},
                         {.executor = om::fiber_executor({.threads = 1, .max_fibers = 1'000})}};
  server.start();

  const int sum = client.call(sum_up_to, {}, {.n = 20});
  std::cout << "1 + 2 + ... + 20 = " << sum << '\n';
  expect(sum == 210, "the calls did not wait for each other's thread");
}
