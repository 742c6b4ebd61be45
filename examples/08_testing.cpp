// How an application tests code that uses the bus: no broker, no waiting, no luck.
#include <boost/describe/class.hpp>
#include <chrono>
#include <future>
#include <iostream>
#include <oslo/messaging/messaging.hpp>
#include <oslo/messaging/testing.hpp>
#include <string>

#include "expect.hpp"

namespace om = oslo::messaging;
using namespace std::chrono_literals;

struct boot_args {
  std::string flavor;
};
BOOST_DESCRIBE_STRUCT(boot_args, (), (flavor))
constexpr om::rpc::method<std::string(boot_args)> boot{"boot"};

/// What is tested: it asks a compute node, and has an answer for every outcome.
std::string start_machine(const om::transport& bus) {
  const om::blocking::client compute{bus, {.topic = "compute"}, {.timeout = 60s}};
  const auto id = compute.try_call(boot, om::context{{"user", "ada"}}, {.flavor = "small"});
  if (id) return "started " + *id;
  return id.error().code() == om::errc::timed_out ? "no answer in a minute" : "refused";
}

int main() {
  om::testing::test_bus bus;
  const om::transport transport = bus.open();

  // A minute passes at once: the clock is the test's.
  auto outcome = std::async(std::launch::async, start_machine, transport);
  const auto sent = bus.wait_for_sent(1).front();
  bus.advance(60s);
  expect(outcome.get() == "no answer in a minute", "the call timed out");

  // What was sent can be looked at.
  std::cout << sent << '\n';
  expect(sent.method == "boot" && sent.to.topic == "compute", "it was for the compute nodes");
  expect(sent.args_as<boot_args>().flavor == "small", "the arguments were right");
  expect(sent.ctxt == om::context{{"user", "ada"}}, "the context went along");

  // Faults happen when they are wanted.
  bus.fail_sends({om::errc::unreachable, "The broker is on fire."});
  expect(start_machine(transport) == "refused", "it can live with a lost broker");

  // Servers are real ones. The inline executor keeps them on the bus's own loop.
  auto node = std::make_shared<om::rpc::endpoint>();
  node->bind(boot, [](const boot_args& args) { return args.flavor + "-1"; });
  om::rpc::server server{bus.open(),
                         {.topic = "compute", .server = "node1"},
                         {node},
                         {.executor = om::inline_executor()}};
  server.start();
  expect(start_machine(transport) == "started small-1", "the node answered");
  bus.drop_replies(1);
  outcome = std::async(std::launch::async, start_machine, transport);
  bus.wait_for_sent(4);
  bus.advance(60s);
  expect(outcome.get() == "no answer in a minute", "the reply was lost");
  std::cout << bus.sent("boot").size() << " boots were asked for\n";
}
