// When requests are forgotten by the bus, how long they are worth handling, and how a server ends.
#include <atomic>
#include <mutex>

#include "bus.hpp"

namespace oslo::messaging::conformance {
namespace {

/// Counts, by name.
class counters final : public metrics {
 public:
  void add(std::string_view name, metric_labels, std::int64_t delta) override {
    const std::lock_guard lock(mutex_);
    counts_[std::string(name)] += delta;
  }
  void set(std::string_view, metric_labels, double) override {}
  void observe(std::string_view, metric_labels, double) override {}
  std::int64_t count(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return counts_[name];
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::int64_t> counts_;
};

class delivery_over : public bus_test {
 protected:
  void SetUp() override { OSLO_NEEDS(rpc); }
  blocking::client client(std::optional<std::chrono::milliseconds> timeout = patience) {
    target to;
    to.topic = topic;
    rpc::client_options o;
    o.timeout = timeout;
    return {client_bus, to, o};
  }
};

constexpr auto late = rpc::acknowledge_when::after_success;

TEST_P(delivery_over, a_cast_that_fails_is_given_back_once) {
  OSLO_NEEDS(requeue);
  expected<bool> seen;
  auto endpoint = std::make_shared<rpc::endpoint>();
  endpoint
      ->bind("once",
             [&](const rpc::request_info& r) {
               seen.set(r.redelivered());
               if (!r.redelivered()) throw std::runtime_error("not yet");
             })
      .acknowledge(late);
  endpoint
      ->bind("always",
             [&](const rpc::request_info& r) {
               seen.set(r.redelivered());
               throw std::runtime_error("never");
             })
      .acknowledge(late);
  endpoint->bind("mark", [&] { seen.set(true); });
  const auto server = serve(server_bus, topic, "s1", {endpoint});
  const auto c = client();
  c.cast("once", {});
  EXPECT_FALSE(seen.get());
  EXPECT_TRUE(seen.get());
  c.cast("always", {});
  EXPECT_FALSE(seen.get());
  EXPECT_TRUE(seen.get());
  server->stop();
  server->wait(patience);
  // Neither of them is left in the queue.
  const auto next = serve(server_bus, topic, "s1", {endpoint});
  c.call("mark", {});
  EXPECT_EQ(seen.count(), 5u);
}

TEST_P(delivery_over, a_call_that_fails_is_finished) {
  OSLO_NEEDS(requeue);
  std::atomic<int> runs{0};
  auto endpoint = std::make_shared<rpc::endpoint>();
  endpoint
      ->bind("fail",
             [&] {
               ++runs;
               throw std::runtime_error("no");
             })
      .acknowledge(late);
  endpoint->bind("echo", [](value v) { return v; }).acknowledge(late);
  const auto server = serve(server_bus, topic, "s1", {endpoint});
  EXPECT_EQ(client().try_call("fail", {}).error().code(), errc::remote_error);
  const value args{{"x", 1}};
  EXPECT_EQ(client().call("echo", {}, args), args);
  server->stop();
  server->wait(patience);
  EXPECT_EQ(runs, 1);
}

/// A server that dies is one whose transport goes away while it works.
TEST_P(delivery_over, what_a_dying_server_was_working_on_goes_to_another) {
  OSLO_NEEDS(requeue);
  gate entered, let_go;
  expected<bool> second;
  auto slow = std::make_shared<rpc::endpoint>();
  slow->bind("work",
             [&](rpc::responder<void> r) {
               entered.open();
               let_go.wait();
               auto dropped = std::move(r);  // answers after the transport is gone
             })
      .acknowledge(late);
  auto quick = std::make_shared<rpc::endpoint>();
  quick->bind("work", [&](const rpc::request_info& r) { second.set(r.redelivered()); })
      .acknowledge(late);
  auto doomed_bus = open();
  auto doomed = serve(doomed_bus, topic, "s1", {slow});
  client().cast("work", {});
  ASSERT_TRUE(entered.wait());
  const auto survivor = serve(server_bus, topic, "s2", {quick});
  doomed_bus.close(1s);
  let_go.open();  // within one process nobody dies alone: what is held has to be let go of
  EXPECT_TRUE(second.get());
}

TEST_P(delivery_over, what_a_dying_server_was_working_on_is_lost_by_default) {
  gate entered, let_go;
  expected<bool> next;
  auto slow = std::make_shared<rpc::endpoint>();
  slow->bind("work", [&](rpc::responder<void> r) {
    entered.open();
    let_go.wait();
    auto dropped = std::move(r);
  });
  auto quick = std::make_shared<rpc::endpoint>();
  quick->bind("work", [&](const rpc::request_info& r) { next.set(r.redelivered()); });
  auto doomed_bus = open();
  auto doomed = serve(doomed_bus, topic, "s1", {slow});
  client().cast("work", {});
  ASSERT_TRUE(entered.wait());
  const auto survivor = serve(server_bus, topic, "s2", {quick});
  doomed_bus.close(1s);
  let_go.open();
  client().cast("work", {});
  EXPECT_FALSE(next.get()) << "it was acknowledged before its handler ran";
}

TEST_P(delivery_over, a_request_whose_caller_has_gone_is_not_handled) {
  gate entered, let_go;
  std::atomic<int> late_runs{0};
  auto endpoint = std::make_shared<rpc::endpoint>();
  endpoint->bind("block", [&] {
    entered.open();
    return let_go.wait();
  });
  endpoint->bind("count", [&] { ++late_runs; });
  endpoint->bind("echo", [](value v) { return v; });
  const auto meter = std::make_shared<counters>();
  transport_options with_meter;
  with_meter.meter = meter;
  const auto bus = open(with_meter);
  rpc::server_options one;
  one.executor = thread_pool(1);
  one.max_running = 2;  // the second is taken, and waits for the thread
  const auto server = serve(bus, topic, "s1", {endpoint}, one);
  // The way of a caller's first request does not count.
  const value args{{"x", 1}};
  EXPECT_EQ(client().call("echo", {}, args), args);
  client().cast("block", {});
  ASSERT_TRUE(entered.wait());
  EXPECT_EQ(client(300ms).try_call("count", {}).error().code(), errc::timed_out);
  // Deadlines travel in milliseconds: the server's may be a little later than the caller's.
  auto& loop = bus.loop();
  loop.run_at(loop.now() + 100ms, [&] { let_go.open(); });
  EXPECT_EQ(client().call("echo", {}, args), args);
  EXPECT_EQ(late_runs, 0);
  EXPECT_LE(meter->count("rpc_server_expired_total"), 1);
  if (!GetParam().drops_expired) {
    EXPECT_EQ(meter->count("rpc_server_expired_total"), 1);
  }
}

TEST_P(delivery_over, a_handler_knows_how_long_its_caller_waits) {
  using limit = std::optional<std::chrono::milliseconds>;
  expected<limit> left;
  auto endpoint = std::make_shared<rpc::endpoint>();
  endpoint->bind("ask", [&](const rpc::request_info& r) {
    left.set(r.remaining());
    return r.is_call();
  });
  const auto server = serve(server_bus, topic, "s1", {endpoint});
  EXPECT_EQ(client(20s).call("ask", {}), true);
  const auto of_call = left.get();
  ASSERT_TRUE(of_call.has_value());
  EXPECT_GT(*of_call, 0ms);
  EXPECT_LE(*of_call, 20s);
  client().cast("ask", {});
  EXPECT_EQ(left.get(), limit());
}

TEST_P(delivery_over, a_handler_hears_that_its_caller_has_gone) {
  gate stopped, let_go;
  expected<bool> heard;
  auto endpoint = std::make_shared<rpc::endpoint>();
  endpoint->bind("wait", [&](const rpc::request_info& r) {
    const std::stop_callback on_stop(r.cancellation(), [&] { stopped.open(); });
    heard.set(stopped.wait());
    let_go.wait();  // an answer at this moment may still be in time
  });
  const auto server = serve(server_bus, topic, "s1", {endpoint});
  EXPECT_EQ(client(300ms).try_call("wait", {}).error().code(), errc::timed_out);
  EXPECT_TRUE(heard.get());
  let_go.open();
}

TEST_P(delivery_over, draining_waits_for_what_runs) {
  gate entered, let_go;
  auto endpoint = std::make_shared<rpc::endpoint>();
  endpoint->bind("work", [&] {
    entered.open();
    let_go.wait();
    return 7;
  });
  const auto server = serve(server_bus, topic, "s1", {endpoint});
  auto answer = std::async(std::launch::async, [&] { return client().call("work", {}); });
  ASSERT_TRUE(entered.wait());
  expected<bool> drained;
  server->async_drain(patience, [&](bool all) { drained.set(all); });
  let_go.open();
  EXPECT_TRUE(drained.get());
  EXPECT_EQ(answer.get(), 7);
  EXPECT_EQ(server->running(), 0u);
  EXPECT_FALSE(server->health().listening);
  EXPECT_TRUE(server->drain(patience)) << "again is nothing";
  if (GetParam().private_queues) {
    EXPECT_EQ(GetParam().private_queues(topic), "");
  }
}

TEST_P(delivery_over, draining_is_bounded_and_tells_handlers_when_time_is_up) {
  gate entered, stopped;
  auto endpoint = std::make_shared<rpc::endpoint>();
  endpoint->bind("work", [&](const rpc::request_info& r) {
    const std::stop_callback on_stop(r.cancellation(), [&] { stopped.open(); });
    entered.open();
    return stopped.wait();
  });
  const auto server = serve(server_bus, topic, "s1", {endpoint});
  client().cast("work", {});
  ASSERT_TRUE(entered.wait());
  EXPECT_FALSE(server->drain(50ms));
  server->wait(patience);  // it has heard
  // The next round is not in a hurry.
  server->start();
  EXPECT_TRUE(server->health().ok());
}

TEST_P(delivery_over, a_server_tells_its_health) {
  auto endpoint = std::make_shared<rpc::endpoint>();
  target on;
  on.topic = topic;
  on.server = "s1";
  rpc::server server(server_bus, on, {endpoint});
  EXPECT_FALSE(server.health().ok());
  expected<bool> listening;
  auto watching = server.watch_health(
      [&](const rpc::server_health& h) { listening.set(h.listening && h.consuming); });
  server.start();
  while (!listening.get()) {
  }
  EXPECT_TRUE(server.health().ok());
  server.stop();
  while (listening.get()) {
  }
  EXPECT_FALSE(server.health().listening);
}

TEST_P(delivery_over, a_start_right_after_a_stop_serves) {
  const auto server = serve(server_bus, topic, "s1", {standard_endpoint()});
  const value args{{"x", 1}};
  for (int i = 0; i < 5; ++i) {
    server->stop();
    server->start();
    EXPECT_EQ(client().call("echo", {}, args), args);
  }
  expected<bool> started;
  server->async_stop(
      [&] { server->async_start([&](result<void> r) { started.set(r.has_value()); }); });
  EXPECT_TRUE(started.get());
  EXPECT_EQ(client().call("echo", {}, args), args);
}

TEST_P(delivery_over, a_completion_that_throws_harms_nobody_else) {
  const auto server = serve(server_bus, topic, "s1", {standard_endpoint()});
  const auto c = client();
  constexpr int calls = 50;
  expected<bool> answered;
  for (int i = 0; i < calls; ++i)
    rpc::detail::start_call(c.async(), "echo", {}, "{}", {}, [&, i](result<std::string> r) {
      answered.set(r.has_value());
      if (i % 5 == 0) throw std::runtime_error("a careless completion");
    });
  for (int i = 0; i < calls; ++i) EXPECT_TRUE(answered.get());
  const value args{{"x", 1}};
  EXPECT_EQ(c.call("echo", {}, args), args);
}

TEST_P(delivery_over, the_longest_timeout_is_none) {
  const auto server = serve(server_bus, topic, "s1", {standard_endpoint()});
  const value args{{"x", 1}};
  for (const auto limit :
       {std::chrono::milliseconds::max(), std::chrono::milliseconds(1h * 24 * 60)})
    EXPECT_EQ(client(limit).call("echo", {}, args), args);
}

OSLO_CONFORMANCE_SUITE(delivery_over);

}  // namespace
}  // namespace oslo::messaging::conformance
