#include "bench/measure.hpp"

#include <malloc.h>
#include <unistd.h>

#include <memory>
#include <oslo/messaging/notify/notifier.hpp>
#include <utility>

#include "ask.hpp"
#include "bench/bodies.hpp"
#include "bench/calls.hpp"
#include "bench/common.hpp"
#include "bench/keeper.hpp"
#include "bench/load.hpp"
#include "bench/messages.hpp"
#include "bench/meter.hpp"
#include "bench/progress.hpp"
#include "bench/queues.hpp"
#include "bench/server.hpp"
#include "bench/taker.hpp"
#include "interruption.hpp"
#include "process_usage.hpp"

namespace oslo::messaging::cli {
namespace {

/// Returns when a server has had so many casts.
void expect_hits(const rpc::client& client, std::uint64_t count) {
  call_text(client, "reached", {}, "{\"hits\": " + std::to_string(count) + "}").value();
}

void measure_casts(const program& p, const bench_options& o, const bench_bodies& bodies,
                   figures& f) {
  const transport bus = p.open();
  const target on = bench_target();
  bench_server server{p, bus, on, 1, o.run_on};
  const rpc::client client = bench_client(bus, on);
  const bench_plan plan = plan_of(o);
  const progress_line line{plan};
  cast_source source{client, bodies};
  bench_load load{bus.loop(), source, f.latencies};
  auto outcome = load.run(warm_up_of(o), line.of("warming up:"));
  f.latencies.clear();
  if (!outcome.errors) {
    const auto warmed_up = outcome.count;
    expect_hits(client, warmed_up);
    const meter m{o, server.process()};
    outcome = load.run(plan, line.of("casts:"));
    if (!outcome.errors) expect_hits(client, warmed_up + outcome.count);
    m.read(f);
  }
  fill_in(f, std::move(outcome));
  server.stop();
}

void measure_fanout(const program& p, const bench_options& o, const bench_bodies& bodies,
                    figures& f) {
  const transport bus = p.open();
  const target on = bench_target();
  bench_server server{p, bus, on, o.servers, o.run_on};
  const rpc::client client = bench_client(bus, on);
  const auto expect_everywhere = [&](std::uint64_t count) {
    for (std::size_t i = 0; i < o.servers; ++i) {
      const std::string name = "bench-" + std::to_string(i);
      expect_hits(client.prepare({.server = name}), count);
    }
  };
  const bench_plan plan = plan_of(o);
  const progress_line line{plan};
  cast_source source{client.prepare({.fanout = true}), bodies};
  bench_load load{bus.loop(), source, f.latencies};
  auto outcome = load.run(warm_up_of(o), line.of("warming up:"));
  f.latencies.clear();
  if (!outcome.errors) {
    const auto warmed_up = outcome.count;
    expect_everywhere(warmed_up);
    const meter m{o, server.process()};
    outcome = load.run(plan, line.of("fanout casts:"));
    if (!outcome.errors) {
      expect_everywhere(warmed_up + outcome.count);
      // A cast is done when every server has it.
      outcome.end = std::chrono::steady_clock::now();
    }
    m.read(f);
  }
  f.servers = o.servers;
  fill_in(f, std::move(outcome));
  server.stop();
}

void measure_notifications(program p, const bench_options& o, const bench_bodies& bodies,
                           figures& f, const interruption& operator_says) {
  const target on = bench_target();
  p.control_exchange = *on.exchange;
  const transport bus = p.open_for_notifications();
  notify::notifier_options options;
  options.publisher_id = "oslo-msg.bench";
  options.drivers = {{"messagingv2"}};
  options.topics = {{*on.topic}};
  options.timeout = bench_patience;
  const notify::notifier tells{bus, options};
  const bench_plan plan = plan_of(o);
  const progress_line line{plan};
  notification_source source{tells, bodies};
  bench_load load{bus.loop(), source, f.latencies};
  const auto watched = [&](const char* what) {
    return [&, what](std::uint64_t so_far) {
      line.show(what, so_far);
      return !operator_says.seen();
    };
  };
  auto outcome = load.run(warm_up_of(o), watched("warming up:"));
  std::uint64_t on_the_bus = outcome.count - outcome.errors;
  f.latencies.clear();
  if (!outcome.errors && !operator_says.seen()) {
    const meter m{o, nullptr};
    outcome = load.run(plan, watched("notifications:"));
    m.read(f);
    on_the_bus += outcome.count - outcome.errors;
  }
  line.show("taking out:", on_the_bus);
  f.taken_rate = take_notifications(bus, on, on_the_bus);
  fill_in(f, std::move(outcome));
}

/// What is sent from now on waits on the bus, as long as the result lives.
std::unique_ptr<bench_keeper> keep_queue(const program& p, const transport& bus, const target& on,
                                         const executor_options& run_on) {
  if (bus.url().transport != "fake") return std::make_unique<bench_keeper>(p, on);
  run_sink(bus, on, 0, run_on);
  return nullptr;
}

void measure_drain(const program& p, const bench_options& o, const bench_bodies& bodies,
                   figures& f) {
  const transport bus = p.open();
  const target on = bench_target();
  const auto keeper = keep_queue(p, bus, on, o.run_on);
  const bench_plan plan = plan_of(o);
  const progress_line line{plan};
  cast_source source{bench_client(bus, on), bodies};
  latency_histogram unused;
  const meter m{o, nullptr};
  auto filled = bench_load{bus.loop(), source, unused}.run(plan, line.of("filling:"));
  m.read(f);
  f.count = filled.count;
  f.errors = filled.errors;
  f.first_error = std::move(filled.first_error);
  if (filled.errors) return;

  line.show("draining:", filled.count);
  const meter drained{o, nullptr};
  const auto sink = run_sink_elsewhere(p, bus, on, filled.count, o.run_on);
  figures during;
  drained.read(during);
  f.broker_cpu = during.broker_cpu;
  f.seconds = sink.seconds;
  f.server_cpu = sink.cpu_seconds;
  f.server_peak_kib = sink.peak_kib;
  f.server_connections = sink.connections;
}

// ---- memory -------------------------------------------------------------------------------------

struct memory {
  double heap, resident;
};
memory memory_now() {
  const auto heap = mallinfo2();
  return {static_cast<double>(heap.uordblks + heap.hblkhd),
          static_cast<double>(resident_bytes_of(getpid()))};
}

/// Tells when so many calls are on their way.
class announced_calls : public call_source {
 public:
  announced_calls(const rpc::client& client, const bench_bodies& bodies, std::size_t count)
      : call_source{client, bodies}, left_{count} {}
  void send(std::uint64_t n, bench_ticket t) override {
    call_source::send(n, t);
    if (--left_ == 0) all_sent_.set_value();
  }
  void wait() { all_sent_.get_future().get(); }

 private:
  std::size_t left_;
  std::promise<void> all_sent_;
};

/// Calls wait on the bus while nobody answers; then a server answers them all.
void measure_memory(const program& p, const bench_options& o, const bench_bodies& bodies,
                    figures& f) {
  const transport bus = p.open();
  const target on = bench_target();
  const auto keeper = keep_queue(p, bus, on, o.run_on);
  const rpc::client client = bench_client(bus, on);
  announced_calls one{client, bodies, 1}, many{client, bodies, o.in_flight};
  latency_histogram unused;
  // What is confirmed was written, and everything before it.
  const auto settle = [&](announced_calls& calls) {
    calls.wait();
    cast_text(client, "hit", {}, "{}").value();
  };
  const auto pending = [&](bench_load& load, std::size_t calls) {
    bench_plan plan;
    plan.count = plan.in_flight = calls;
    return std::async(std::launch::async,
                      [&load, plan] { return load.run(plan, [](auto) { return true; }); });
  };
  bench_load first{bus.loop(), one, unused}, all{bus.loop(), many, f.latencies};
  // The first call brings the reply queue and the buffers.
  auto first_done = pending(first, 1);
  settle(one);
  const memory before = memory_now();
  auto all_done = pending(all, o.in_flight);
  settle(many);
  const memory after = memory_now();
  const auto calls = static_cast<double>(o.in_flight);
  f.heap_a_call = (after.heap - before.heap) / calls;
  f.resident_a_call = (after.resident - before.resident) / calls;

  const meter m{o, nullptr};
  bench_server server{p, bus, on, 1, o.run_on};
  first_done.get();
  fill_in(f, all_done.get());
  m.read(f);
  server.stop();
}

}  // namespace

void measure(program p, const bench_options& o, figures& f) {
  const bench_bodies bodies{o.body};
  f.mode = o.mode;
  f.executor = o.run_on.kind;
  f.callers = o.callers;
  f.body = o.body;
  f.in_flight = o.in_flight;
  f.transports = o.transports;
  f.wanted_rate = o.rate;
  p.temporary = true;
  if (o.mode == "call")
    measure_calls(p, o, bodies, f);
  else if (o.mode == "cast")
    measure_casts(p, o, bodies, f);
  else if (o.mode == "fanout")
    measure_fanout(p, o, bodies, f);
  else if (o.mode == "notify") {
    // Nobody else would take out what is on the bus by then.
    const interruption operator_says;
    measure_notifications(p, o, bodies, f, operator_says);
    operator_says.obey();
  } else if (o.mode == "drain")
    measure_drain(p, o, bodies, f);
  else
    measure_memory(p, o, bodies, f);
}

}  // namespace oslo::messaging::cli
