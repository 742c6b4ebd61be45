// Ten thousand calls on one connection, while channels of it are closed by the broker.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/describe/class.hpp>
#include <fstream>
#include <future>
#include <map>
#include <mutex>
#include <oslo/messaging/messaging.hpp>
#include <string>
#include <vector>

#include "support/broker.hpp"
#include "support/log_lines.hpp"

namespace oslo::messaging::testing {

struct id_args {
  int id = 0;
};
BOOST_DESCRIBE_STRUCT(id_args, (), (id))

namespace {

using namespace std::chrono_literals;
constexpr auto patience = 120s;

target server_on(const std::string& topic) {
  target t;
  t.topic = topic;
  t.server = "s";
  return t;
}

/// Requests that wait for their answer.
struct held_requests {
  explicit held_requests(std::size_t n) : expected(n) {}
  const std::size_t expected;
  std::mutex mutex;
  std::vector<std::pair<int, rpc::responder<int>>> all;
  std::promise<void> complete;
};

/// The most memory that this process has had since the last call with `restart`, in MiB.
std::size_t peak_mebibytes(bool restart = false) {
  if (restart) std::ofstream("/proc/self/clear_refs") << 5;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) / 1024;
  throw std::runtime_error("/proc/self/status has no VmHWM.");
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool memory_tells = false;  // the sanitizer takes more than the program
#else
constexpr bool memory_tells = true;
#endif

TEST(rabbit_load, closed_channels_of_a_connection_leave_its_calls_alone) {
  constexpr std::size_t calls = 10'000;
  const auto topic = unique_name("load"), taken = unique_name("load_taken");

  // An exchange that exists with other properties than ours: to declare it closes the channel.
  target on_taken = server_on(taken);
  on_taken.exchange = taken;
  transport_options durable;
  durable.conf.set("oslo_messaging_rabbit", "amqp_durable_queues", "true");
  const transport other = open_transport(rabbit_url(), durable);
  rpc::server owner(other, on_taken, {std::make_shared<rpc::endpoint>()});
  owner.start();

  const auto held = std::make_shared<held_requests>(calls);
  auto e = std::make_shared<rpc::endpoint>();
  e->bind("ask", [held](id_args a, rpc::responder<int> r) {
    const std::lock_guard lock(held->mutex);
    held->all.emplace_back(a.id, std::move(r));
    if (held->all.size() == held->expected) held->complete.set_value();
  });
  const transport server_bus = open_transport(rabbit_url());
  rpc::server_options o;
  o.executor = inline_executor();
  o.max_running = 2 * calls;
  rpc::server server(server_bus, server_on(topic), {e}, o);
  server.start();

  const std::size_t memory_before = peak_mebibytes(true);
  log_lines lines;
  transport_options watched;
  watched.log = lines.into(log_level::warning);
  const transport bus = open_transport(rabbit_url(), watched);
  target to;
  to.topic = topic;
  const rpc::client client(bus, to, {.timeout = patience});
  // An exchange that is known to the publishing channel and then vanishes: to publish to it closes
  // the channel (404).
  target to_vanished = to;
  to_vanished.exchange = unique_name("vanished");
  const rpc::client vanished(bus, to_vanished, {.timeout = 10s});
  std::promise<result<void>> first_cast, last_cast;
  rpc::detail::start_cast(vanished, "ask", {}, "{}", {},
                          [&](result<void> r) { first_cast.set_value(std::move(r)); });
  ASSERT_TRUE(first_cast.get_future().get());
  rabbitmqctl({"eval", "rabbit_exchange:delete(rabbit_misc:r(<<\"/\">>, exchange, <<\"" +
                           *to_vanished.exchange + "\">>), false, <<\"test\">>)."});

  std::vector<std::atomic<int>> ends(calls);
  std::atomic<std::size_t> left{calls}, right{0};
  std::promise<void> all_ended;
  std::promise<result<void>> lost;
  for (std::size_t i = 0; i < calls; ++i) {
    rpc::detail::start_call(client, "ask", {}, R"({"id": )" + std::to_string(i) + "}", {},
                            [&, i](const result<std::string>& r) {
                              ++ends[i];
                              if (r && *r == std::to_string(i)) ++right;
                              if (--left == 0) all_ended.set_value();
                            });
    if (i == calls / 4)
      rpc::detail::start_cast(vanished, "ask", {}, "{}", {},
                              [&](result<void> r) { last_cast.set_value(std::move(r)); });
    if (i != calls / 2) continue;
    // That exchange belongs to the broker and is of another type: to declare it closes the channel
    // that all others are published on (406).
    target nowhere;
    nowhere.topic = topic;
    nowhere.exchange = "amq.fanout";
    rpc::detail::start_cast(rpc::client(bus, nowhere, {.timeout = 10s}), "ask", {}, "{}", {},
                            [&](result<void> r) { lost.set_value(std::move(r)); });
  }
  // While all of them wait for their answers, the connection that will bring these loses a channel
  // (406).
  ASSERT_EQ(held->complete.get_future().wait_for(patience), std::future_status::ready);
  rpc::server refused(bus, on_taken, {std::make_shared<rpc::endpoint>()});
  try {
    refused.start();
    ADD_FAILURE() << "the broker took an exchange with other properties";
  } catch (const server_listen_error& why) {
    EXPECT_EQ(why.failure().code(), errc::precondition_failed) << why.what();
  }
  for (auto& [id, answer] : held->all) answer.reply(id);
  ASSERT_EQ(all_ended.get_future().wait_for(patience), std::future_status::ready);
  EXPECT_EQ(right, calls);
  EXPECT_EQ(std::count(ends.begin(), ends.end(), 1), std::ptrdiff_t{calls});
  auto outcome = lost.get_future();
  ASSERT_EQ(outcome.wait_for(patience), std::future_status::ready);
  EXPECT_TRUE(outcome.get()) << "it can still be published to";
  EXPECT_TRUE(last_cast.get_future().get()) << "the exchange is declared again";
  const auto closed = lines.with("[publish]");
  for (const auto* code : {"code 404", "code 406"})
    EXPECT_TRUE(std::any_of(closed.begin(), closed.end(),
                            [&](const std::string& line) { return line.find(code) != line.npos; }))
        << "the channel of the calls was not closed with " << code << ": "
        << ::testing::PrintToString(closed);
  const std::size_t memory = peak_mebibytes() - memory_before;
  RecordProperty("memory_mib", static_cast<int>(memory));
  if (memory_tells) {
    EXPECT_LT(memory, 100u) << "both ends of 10,000 calls, in MiB";
  }
  server.stop();
  server.wait(patience);
  // Nothing but this ends the durable ones.
  EXPECT_TRUE(owner.drain(patience));
  for (const auto& queue : {taken, taken + ".s"}) rabbitmqctl({"delete_queue", queue});
}

}  // namespace
}  // namespace oslo::messaging::testing
