// What can go wrong with a call, and how a program sees it.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/describe/class.hpp>
#include <chrono>
#include <iostream>
#include <oslo/messaging/messaging.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "expect.hpp"

namespace om = oslo::messaging;
namespace asio = boost::asio;
using namespace std::chrono_literals;

struct flavor_args {
  std::string name;
};
BOOST_DESCRIBE_STRUCT(flavor_args, (), (name))
constexpr om::rpc::method<int(flavor_args)> ram_of{"ram_of"};
constexpr om::rpc::method<void()> rebuild{"rebuild"};

class flavors : public om::rpc::endpoint {
 public:
  flavors() {
    // `expect`: this exception is part of the contract and not worth an error in the server's log.
    bind(ram_of, &flavors::on_ram_of).expect<om::rpc::remote_exception>();
    bind(rebuild, &flavors::on_rebuild);
  }

 private:
  int on_ram_of(flavor_args args) {
    if (args.name == "m1.small") return 2048;
    if (args.name.empty()) throw std::invalid_argument{"a flavor has a name"};
    throw om::rpc::remote_exception{"nova.exception", "FlavorNotFound", args.name + " is unknown"};
  }
  // Answers when it is dropped, at the end of the program: too late for anybody.
  void on_rebuild(om::rpc::responder<void> answer) { late_.push_back(std::move(answer)); }

  std::vector<om::rpc::responder<void>> late_;
};

asio::awaitable<void> client_side(om::rpc::client client) {
  const om::context ctxt;
  // Named, because g++ 12 destroys a braced temporary with a string inside a co_await expression
  // twice.
  const flavor_args nameless, unknown{.name = "m1.huge"}, small{.name = "m1.small"};

  // A C++ exception arrives as the Python class that means the same, and here as remote_error.
  try {
    co_await client.call(ram_of, ctxt, nameless);
    expect(false, "an empty name fails");
  } catch (const om::remote_error& e) {
    std::cout << e.module() << '.' << e.type() << ": " << e.message() << '\n';
    expect(e.module() == "builtins" && e.type() == "ValueError", "invalid_argument is ValueError");
  }

  // remote_exception says itself which class the peer sees. try_call: errors as values.
  const om::result<int> ram = co_await client.try_call(ram_of, ctxt, unknown);
  expect(ram.has_error() && ram.error().code() == om::errc::remote_error, "the call failed there");
  expect(ram.error().remote()->type == "FlavorNotFound", "with the class that was thrown");
  std::cout << ram.error().message() << '\n';
  expect(co_await client.call(ram_of, ctxt, small) == 2048, "and this one worked");

  // A method that the server does not have: the server says so.
  const auto no_method = co_await client.try_call("no_such_thing", ctxt);
  expect(no_method.has_error() && no_method.error().remote()->type == "NoSuchMethod",
         "no such method");
  std::cout << no_method.error().message() << '\n';

  // No answer in time. The failure says where the message was.
  const auto late = co_await client.prepare({.timeout = 50ms}).try_call(rebuild, ctxt);
  expect(late.has_error() && late.error().code() == om::errc::timed_out, "the time is up");
  std::cout << late.error().message() << '\n';

  // A mistake of the program itself never leaves it.
  const auto fanout = co_await client.prepare({.fanout = true}).try_call(rebuild, ctxt);
  expect(fanout.has_error() && fanout.error().code() == om::errc::invalid_target,
         "nobody can wait for the answers of all servers");
  std::cout << fanout.error().message() << '\n';
}

int main() {
  const om::transport bus = om::open_transport("fake://");
  om::rpc::server server{bus,
                         {.topic = "compute", .server = "host1"},
                         {std::make_shared<flavors>()},
                         {.executor = om::inline_executor(), .drain_timeout = 0ms}};
  server.start();

  asio::io_context loop;
  std::exception_ptr failed;
  asio::co_spawn(loop, client_side({bus, {.topic = "compute"}, {.timeout = 5s}}),
                 [&](std::exception_ptr e) { failed = e; });
  loop.run();
  if (failed) std::rethrow_exception(failed);
}
