// What a busy server takes, and what it must not hold up.
#include <atomic>
#include <thread>

#include "bus.hpp"

namespace oslo::messaging::conformance {
namespace {

class back_pressure_over : public bus_test {
 protected:
  void SetUp() override { OSLO_NEEDS(rpc); }
  blocking::client client(const transport& bus, const std::string& to_topic) {
    target to;
    to.topic = to_topic;
    rpc::client_options o;
    o.timeout = patience;
    return {bus, to, o};
  }
};

/// An endpoint whose method `work` waits at a gate.
struct slow_endpoint {
  std::shared_ptr<gate> let_go = std::make_shared<gate>();
  std::shared_ptr<expected<int>> entered = std::make_shared<expected<int>>();
  std::shared_ptr<expected<int>> left = std::make_shared<expected<int>>();
  std::shared_ptr<expected<int>> ended = std::make_shared<expected<int>>();
  std::shared_ptr<rpc::endpoint> endpoint = std::make_shared<rpc::endpoint>();

  slow_endpoint() {
    endpoint->bind("work", [g = let_go, in = entered, out = ended] {
      in->set(1);
      const bool open = g->wait();
      out->set(1);
      return open;
    });
  }
};

TEST_P(back_pressure_over, a_server_holds_no_more_than_it_runs_and_its_prefetch) {
  if (GetParam().without_broker) GTEST_SKIP() << "Casts wait for room at a server.";
  constexpr std::size_t workers = 2, prefetch = 3, sent = 20;
  const slow_endpoint slow;
  rpc::server_options busy;
  busy.executor = thread_pool(workers);
  busy.prefetch = prefetch;
  const auto first = serve(server_bus, topic, "first", {slow.endpoint}, busy);
  const auto c = client(client_bus, topic);
  for (std::size_t i = 0; i < sent; ++i) c.cast("work", {});
  for (std::size_t i = 0; i < workers; ++i) slow.entered->get();

  // Another server gets all that the first one does not hold.
  expected<int> taken;
  auto quick = std::make_shared<rpc::endpoint>();
  quick->bind("work", [&] {
    taken.set(1);
    slow.ended->set(1);
  });
  const auto second = serve(server_bus, topic, "second", {quick});
  for (std::size_t i = 0; i < sent - workers - prefetch; ++i) taken.get();
  EXPECT_EQ(slow.entered->count(), workers);
  EXPECT_EQ(first->running(), workers);

  // What the first one holds is still served by it, and nothing is lost.
  slow.let_go->open();
  for (std::size_t i = 0; i < sent; ++i) slow.ended->get();
  first->stop();
  first->wait(patience);
  second->stop();
  second->wait(patience);
  EXPECT_LE(slow.entered->count(), workers + prefetch);
  EXPECT_EQ(slow.entered->count() + taken.count(), sent);
}

TEST_P(back_pressure_over, a_busy_server_stops_no_other_one_of_its_transport) {
  if (GetParam().without_broker) GTEST_SKIP() << "Casts wait for room at a server.";
  const slow_endpoint slow;
  rpc::server_options one_worker;
  one_worker.executor = thread_pool(1);
  one_worker.prefetch = 5;
  const auto busy = serve(server_bus, topic, "busy", {slow.endpoint}, one_worker);
  const auto free = serve(server_bus, topic + "-free", "free", {standard_endpoint()});
  // The client shares the transport as well, so that requests and replies pass where the busy
  // server's messages pile up.
  const auto to_busy = client(server_bus, topic);
  const auto to_free = client(server_bus, topic + "-free");
  for (int i = 0; i < 300; ++i) to_busy.cast("work", {});
  slow.entered->get();
  const value args{{"x", 1}};
  for (int i = 0; i < 50; ++i) EXPECT_EQ(to_free.call("echo", {}, args), args);
  EXPECT_EQ(busy->running(), 1u);
  slow.let_go->open();
  while (slow.entered->count() < 300) slow.entered->get();
}

TEST_P(back_pressure_over, a_blocked_handler_does_not_stop_its_heartbeats) {
  const slow_endpoint slow;
  rpc::server_options one_worker;
  one_worker.executor = thread_pool(1);
  const auto busy = serve(server_bus, topic, "busy", {slow.endpoint}, one_worker);
  target to;
  to.topic = topic;
  rpc::client_options monitored;
  monitored.timeout = patience;
  monitored.call_monitor_timeout = 2s;
  const blocking::client c(client_bus, to, monitored);
  auto answer = std::async(std::launch::async, [&] { return c.call("work", {}); });
  slow.entered->get();
  // Longer than the caller would wait without heartbeats.
  auto& loop = client_bus.loop();
  loop.run_at(loop.now() + 2'500ms, [&] { slow.let_go->open(); });
  EXPECT_EQ(answer.get(), true);
}

TEST_P(back_pressure_over, handlers_that_block_a_shared_pool_leave_the_transport_alone) {
  const slow_endpoint slow;
  const auto pool = thread_pool(1);
  rpc::server_options shared;
  shared.executor = pool;
  const auto busy = serve(server_bus, topic, "busy", {slow.endpoint}, shared);
  const auto waiting = serve(server_bus, topic + "-2", "waiting", {standard_endpoint()}, shared);
  client(server_bus, topic).cast("work", {});
  slow.entered->get();
  // The second server has no thread, but the transport still tells the time.
  target to;
  to.topic = topic + "-2";
  rpc::client_options hasty;
  hasty.timeout = 100ms;
  const blocking::client c(server_bus, to, hasty);
  EXPECT_EQ(c.try_call("echo", {}, value{{"x", 1}}).error().code(), errc::timed_out);
  slow.let_go->open();
  const value args{{"x", 2}};
  EXPECT_EQ(client(server_bus, topic + "-2").call("echo", {}, args), args);
}

OSLO_CONFORMANCE_SUITE(back_pressure_over);

}  // namespace
}  // namespace oslo::messaging::conformance
