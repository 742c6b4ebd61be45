// A program without an event loop: threads that call and wait.
#include <boost/describe/class.hpp>
#include <chrono>
#include <iostream>
#include <numeric>
#include <oslo/messaging/messaging.hpp>
#include <string>
#include <thread>
#include <vector>

#include "expect.hpp"

namespace om = oslo::messaging;
using namespace std::chrono_literals;

struct square_args {
  int n = 0;
};
BOOST_DESCRIBE_STRUCT(square_args, (), (n))
constexpr om::rpc::method<int(square_args)> square{"square"};
constexpr om::rpc::method<std::string()> ask_again{"ask_again"};

int main() {
  const om::transport bus = om::open_transport("fake://");
  const om::blocking::client client{bus, {.topic = "math"}, {.timeout = 5s}};

  auto math = std::make_shared<om::rpc::endpoint>();
  math->bind(square, [](square_args args) { return args.n * args.n; });
  // Handlers run on the server's threads, so they may block, even in a call of their own.
  math->bind(ask_again, [&client] {
    return "the other thread says " + std::to_string(client.call(square, {}, {.n = 3}));
  });
  om::rpc::server server{
      bus, {.topic = "math", .server = "host1"}, {math}, {.executor = om::thread_pool(4)}};
  server.start();

  // One client, any number of threads: their calls share one connection.
  std::vector<int> squares(8);
  std::vector<std::thread> threads;
  for (int n = 0; n < 8; ++n)
    threads.emplace_back(
        [&, n] { squares[static_cast<std::size_t>(n)] = client.call(square, {}, {.n = n}); });
  for (auto& thread : threads) thread.join();
  const int sum = std::accumulate(squares.begin(), squares.end(), 0);
  std::cout << "0 + 1 + 4 + ... + 49 = " << sum << '\n';
  expect(sum == 140, "every thread got its own answer");

  const std::string said = client.call(ask_again, {});
  std::cout << said << '\n';
  expect(said == "the other thread says 9", "a handler may call");

  // stop: nothing new is taken. wait: what was taken is answered.
  server.stop();
  server.wait(5s);
}
