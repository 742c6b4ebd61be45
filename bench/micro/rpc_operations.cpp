// Whole calls within one process, and the way to another thread.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <oslo/messaging/executor.hpp>
#include <oslo/messaging/rpc.hpp>
#include <oslo/messaging/rpc/completion.hpp>
#include <stdexcept>
#include <utility>

#include "calculator.hpp"
#include "operation.hpp"

namespace micro {
namespace {

using namespace oslo::messaging;

/// A server and a client that keeps some calls or casts under way, from completion to completion.
struct pair {
  pair(transport at_server, transport at_client, const char* topic, std::shared_ptr<executor> on,
       std::size_t window)
      : in_flight(window),
        server_bus(std::move(at_server)),
        bus(std::move(at_client)),
        server(server_bus, {.topic = topic, .server = "one"}, {std::make_shared<calculator>()},
               {.executor = std::move(on)}),
        client(bus, {.topic = topic}) {
    server.start();
  }

  void run_calls(std::size_t times) {
    run(times, [this] {
      rpc::async_try_call(client, add, {}, {1, 2}, [this](result<int> sum) {
        if (!sum || *sum != 3) failed = true;
        next();
      });
    });
  }
  void run_casts(std::size_t times) {
    run(times, [this] {
      rpc::async_cast(client, note, {}, {1, 2}, [this](std::exception_ptr e) {
        if (e) failed = true;
        next();
      });
    });
  }

  void run(std::size_t times, std::function<void()> one) {
    to_start = to_end = times;
    step = std::move(one);
    finished = {};
    auto end = finished.get_future();
    bus.loop().post([this] {
      for (std::size_t i = 0; i < in_flight; ++i) start();
    });
    end.get();
    if (failed) throw std::runtime_error("A call failed.");
  }
  void start() {
    if (to_start == 0) return;
    --to_start;
    step();
  }
  void next() {
    if (--to_end == 0)
      finished.set_value();
    else
      start();
  }

  const std::size_t in_flight;
  transport server_bus, bus;
  rpc::server server;
  rpc::client client;
  std::size_t to_start = 0, to_end = 0;
  std::function<void()> step;
  std::promise<void> finished;
  bool failed = false;
};

}  // namespace

void add_rpc(std::vector<operation>& all) {
  const transport here = open_transport("fake://");
  const auto direct = std::make_shared<pair>(here, here, "inline", inline_executor(), 1);
  all.push_back({"inproc/call/inline", [direct](std::size_t times) { direct->run_calls(times); }});
  all.push_back({"inproc/cast/inline", [direct](std::size_t times) { direct->run_casts(times); }});
  const auto pooled = std::make_shared<pair>(here, here, "thread", thread_pool(1), 1);
  all.push_back({"inproc/call/thread", [pooled](std::size_t times) { pooled->run_calls(times); }});
  const auto window = std::make_shared<pair>(here, here, "window", inline_executor(), 64);
  all.push_back(
      {"inproc/call/inline_64", [window](std::size_t times) { window->run_calls(times); }});
  // What it costs over a broker depends on how busy that is: for profiles, not for the record.
  if (const char* url = std::getenv("OSLO_BENCH_URL")) {
    for (const std::size_t in_flight : {1u, 64u}) {
      const auto remote =
          std::make_shared<pair>(open_transport(url), open_transport(url),
                                 in_flight == 1 ? "one" : "many", inline_executor(), in_flight);
      all.push_back({"broker/call/" + std::to_string(in_flight),
                     [remote](std::size_t times) { remote->run_calls(times); }});
    }
  }
  const auto pool = thread_pool(1);
  all.push_back({"executor/thread", [pool](std::size_t times) {
                   std::promise<void> last;
                   auto end = last.get_future();
                   std::size_t left = times;
                   for (std::size_t i = 0; i < times; ++i)
                     pool->execute([&left, &last] {
                       if (--left == 0) last.set_value();
                     });
                   end.get();
                 }});
}

}  // namespace micro
