// A memory alarm that outlasts what a dead peer is granted: whoever publishes waits, nothing else.
#include <gmock/gmock.h>

#include <memory>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/rpc.hpp>
#include <set>
#include <sstream>
#include <string>

#include "support/broker.hpp"
#include "support/marks.hpp"
#include "support/outcomes.hpp"

namespace oslo::messaging::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using ::testing::IsEmpty;

/// The peer ports of the connections of that name, as the broker lists them.
std::set<std::string> ports_of(private_broker& broker, const std::string& name) {
  std::set<std::string> ports;
  std::istringstream lines{
      broker.rabbitmqctl({"list_connections", "--silent", "peer_port", "client_properties"})};
  for (std::string line; std::getline(lines, line);)
    if (line.find(name) != std::string::npos) ports.insert(line.substr(0, line.find('\t')));
  return ports;
}

int messages_in(private_broker& broker, const std::string& queue) {
  std::istringstream lines{
      broker.rabbitmqctl({"list_queues", "--silent", "--no-table-headers", "name", "messages"})};
  std::string name;
  for (int count = 0; lines >> name >> count;)
    if (name == queue) return count;
  return -1;
}

rpc::server marking_server(const transport& bus, const std::string& topic,
                           const std::shared_ptr<marks>& seen) {
  auto endpoint = std::make_shared<rpc::endpoint>();
  endpoint->bind("mark", [seen](mark m) { seen->add(m.id); });
  return {bus, {.topic = topic, .server = "s1"}, {endpoint}, {.executor = thread_pool(4)}};
}

TEST(long_block, every_cast_arrives_once_over_the_same_connection) {
  constexpr int casts = 300;
  // The first is more than the buffers of the sockets hold: half of it is with the broker when that
  // stops to read.
  const auto size_of = [](int i) { return i == 0 ? 16'000'000u : 50'000u; };
  // TCP_USER_TIMEOUT of the library is 20 s; this is well beyond.
  constexpr auto long_time = 32s;
  private_broker broker("long-block");
  const auto topic = unique_name("blocked"), name = unique_name("caster");
  const auto seen = std::make_shared<marks>();
  const auto server_bus = open_transport(broker.url());
  {
    auto server = marking_server(server_bus, topic, seen);
    server.start();
    server.stop();
    server.wait(20s);
  }
  const auto bus = open_transport(broker.url(), {.client_name = name});
  const rpc::client client(bus, {.topic = topic}, {.timeout = 120s});
  bus.probe(20s);
  const auto ports = ports_of(broker, name);
  ASSERT_EQ(ports.size(), 2u);
  ASSERT_EQ(messages_in(broker, topic), 0) << "the queue waits for its server";

  broker.rabbitmqctl({"set_vm_memory_high_watermark", "0"});
  const auto blocked_at = steady_clock::now();
  outcomes ended;
  for (int i = 0; i < casts; ++i)
    rpc::detail::start_cast(client, "mark", {}, mark_json(i, size_of(i)), {}, ended.completion(i));

  // Others do not wait longer than they were told to.
  auto begin = steady_clock::now();
  child_process caller({environment("OSLO_TEST_OSLO_MSG"), "--url", broker.url(), "call", "nobody",
                        "x", "--timeout", "2"});
  EXPECT_EQ(caller.wait(20s), 3) << "timed out";
  EXPECT_LT(steady_clock::now() - begin, 2s + 4s) << "not the 5 s of an orderly close on top";
  begin = steady_clock::now();
  {
    const auto impatient = open_transport(broker.url());
    const blocking::client one(impatient, {.topic = "nobody"}, {.timeout = 2s});
    EXPECT_EQ(one.try_call("x", {}).error().code(), errc::timed_out);
  }
  EXPECT_LT(steady_clock::now() - begin, 2s + 4s);

  const auto left = long_time - (steady_clock::now() - blocked_at);
  EXPECT_FALSE(ended.wait(1, std::chrono::duration_cast<std::chrono::seconds>(left)))
      << "a cast failed, or the broker was not blocked: " << ended;
  broker.rabbitmqctl({"set_vm_memory_high_watermark", "0.4"});
  ASSERT_TRUE(ended.wait(casts, 60s));
  EXPECT_THAT(ended.failed(), IsEmpty()) << ended;
  EXPECT_EQ(ports_of(broker, name), ports) << "a connection was replaced";
  // Below the server, which recognises a second copy.
  EXPECT_EQ(messages_in(broker, topic), casts);

  auto server = marking_server(server_bus, topic, seen);
  server.start();
  EXPECT_TRUE(seen->wait(casts, 60s));
  for (const auto& [id, times] : seen->seen()) EXPECT_EQ(times, 1) << id;
}

}  // namespace
}  // namespace oslo::messaging::testing
