#include "bench/measure.hpp"

#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <future>
#include <optional>
#include <oslo/messaging/notify/notifier.hpp>
#include <utility>

#include "ask.hpp"
#include "bench/queues.hpp"
#include "bench/server.hpp"
#include "exit_status.hpp"
#include "interruption.hpp"
#include "process_usage.hpp"

namespace oslo::messaging::cli {
namespace {

constexpr std::uint64_t usual_count = 20'000;
/// How long a bus that says nothing holds up whoever wants to end.
constexpr std::chrono::seconds interrupted_patience{3};
/// The most that an open loop lets pile up before it waits (and the wait counts).
constexpr std::size_t open_loop_limit = 50'000;

/// Casts to one server, or to all of them.
void measure_casts(const program& p, const bench_options& o, const bench_bodies& bodies,
                   figures& f) {
  const bool fanout = o.mode == "fanout";
  f.servers = fanout ? o.servers : 1;
  const transport bus = p.open();
  const target on = bench_target();
  bench_server server{p, bus, on, f.servers, o.run_on};
  const rpc::client client = bench_client(bus, on);
  // Returns when every server has had so many casts.
  const auto expect_hits = [&](std::uint64_t count) {
    const std::string arguments = "{\"hits\": " + std::to_string(count) + "}";
    for (std::size_t i = 0; i < f.servers; ++i)
      call_text(client.prepare({.server = "bench-" + std::to_string(i)}), "reached", {}, arguments)
          .value();
  };
  const bench_plan plan = plan_of(o);
  const progress_line line{plan};
  bench_load load{bus.loop(), casts_of(fanout ? client.prepare({.fanout = true}) : client, bodies),
                  f.latencies};
  auto outcome = load.run(warm_up_of(o), line.of("warming up:"));
  f.latencies.clear();
  if (!outcome.errors) {
    const auto warmed_up = outcome.count;
    expect_hits(warmed_up);
    const meter m{o.broker, server.process()};
    outcome = load.run(plan, line.of(fanout ? "fanout casts:" : "casts:"));
    if (!outcome.errors) {
      expect_hits(warmed_up + outcome.count);
      // A cast to all is done when every server has it.
      if (fanout) outcome.end = std::chrono::steady_clock::now();
    }
    m.read(f);
  }
  fill_in(f, std::move(outcome));
  server.stop();
}

/// Takes out so many notifications; 0: the queue goes with its last listener, whatever is in it.
/// What keeps an operator waiting who has interrupted it is only told.
std::optional<double> take_out(const transport& bus, const target& from, std::uint64_t count,
                               const interruption& operator_says) {
  try {
    return take_notifications(bus, from, count, [&] {
      return operator_says.seen() ? interrupted_patience : bench_patience;
    });
  } catch (const std::exception& e) {
    if (!operator_says.seen()) throw;
    std::fprintf(stderr, "oslo-msg: %s\n", e.what());
    return std::nullopt;
  }
}

void measure_notifications(program p, const bench_options& o, const bench_bodies& bodies,
                           figures& f, const interruption& operator_says) {
  const target on = bench_target();
  p.control_exchange = *on.exchange;
  transport bus = p.open_for_notifications();
  notify::notifier_options options;
  options.publisher_id = "oslo-msg.bench";
  options.drivers = {{"messagingv2"}};
  options.topics = {{*on.topic}};
  options.timeout = bench_patience;
  const notify::notifier tells{bus, options};
  const bench_plan plan = plan_of(o);
  const progress_line line{plan};
  bench_load load{bus.loop(), notifications_of(tells, bodies), f.latencies};
  std::optional<std::chrono::steady_clock::time_point> give_up_at;
  bool given_up = false;
  const auto watched = [&](const char* what) {
    return [&, what](std::uint64_t so_far) {
      line.show(what, so_far);
      if (!operator_says.seen()) return true;
      const auto now = std::chrono::steady_clock::now();
      if (!give_up_at) give_up_at = now + interrupted_patience;
      // What is under way ends with the transport, though the bus does not say what became of it.
      if (now >= *give_up_at && !std::exchange(given_up, true))
        bus.close(std::chrono::milliseconds(0));
      return false;
    };
  };
  auto outcome = load.run(warm_up_of(o), watched("warming up:"));
  std::uint64_t on_the_bus = outcome.count - outcome.errors;
  f.latencies.clear();
  if (!outcome.errors && !operator_says.seen()) {
    const meter m{o.broker, {}};
    outcome = load.run(plan, watched("notifications:"));
    m.read(f);
    on_the_bus += outcome.count - outcome.errors;
  }
  line.show("taking out:", on_the_bus);
  if (given_up)
    take_out(p.open_for_notifications(), on, 0, operator_says);
  else
    f.taken_rate = take_out(bus, on, on_the_bus, operator_says);
  if (operator_says.seen()) bus.close(std::chrono::milliseconds(0));
  fill_in(f, std::move(outcome));
}

void measure_drain(const program& p, const bench_options& o, const bench_bodies& bodies,
                   figures& f) {
  const transport bus = p.open();
  const target on = bench_target();
  const bench_keeper keeper{p, bus, on, o.run_on};
  const bench_plan plan = plan_of(o);
  const progress_line line{plan};
  latency_histogram unused;
  bench_load load{bus.loop(), casts_of(bench_client(bus, on), bodies), unused};
  const meter m{o.broker, {}};
  auto filled = load.run(plan, line.of("filling:"));
  m.read(f);
  f.count = filled.count;
  f.errors = filled.errors;
  f.first_error = std::move(filled.first_error);
  if (filled.errors) return;

  line.show("draining:", filled.count);
  const meter drained{o.broker, {}};
  const auto sink = drain(p, bus, on, filled.count, o.run_on);
  figures during;
  drained.read(during);
  f.broker_cpu = during.broker_cpu;
  f.seconds = sink.seconds;
  f.server_cpu = sink.cpu_seconds;
  f.server_peak_kib = sink.peak_kib;
  f.server_connections = sink.connections;
}

struct memory {
  double heap, resident;
};
memory memory_now() {
  const auto heap = mallinfo2();
  return {static_cast<double>(heap.uordblks + heap.hblkhd),
          static_cast<double>(resident_bytes_of(getpid()))};
}

/// Calls that wait on the bus until somebody answers.
///
/// Thread safety: one thread.
class pending_calls {
 public:
  pending_calls(const transport& bus, const rpc::client& client, const bench_bodies& bodies,
                std::size_t count, latency_histogram& latencies)
      : client_{client}, load_{bus.loop(), announced(calls_of(client, bodies)), latencies} {
    plan_.count = plan_.in_flight = left_ = count;
  }

  void send() {
    outcome_ = std::async(std::launch::async,
                          [this] { return load_.run(plan_, [](auto) { return true; }); });
    all_sent_.get_future().get();
    // What is confirmed was written, and everything before it.
    cast_text(client_, "hit", {}, "{}").value();
  }
  bench_outcome answers() { return outcome_.get(); }

 private:
  bench_source announced(bench_source send_one) {
    return [this, send_one = std::move(send_one)](std::uint64_t n, bench_ticket t) {
      send_one(n, t);
      if (--left_ == 0) all_sent_.set_value();
    };
  }

  const rpc::client client_;
  bench_load load_;
  bench_plan plan_;
  std::size_t left_;
  std::promise<void> all_sent_;
  std::future<bench_outcome> outcome_;
};

/// Calls wait on the bus while nobody answers; then a server answers them all.
void measure_memory(const program& p, const bench_options& o, const bench_bodies& bodies,
                    figures& f) {
  const transport bus = p.open();
  const target on = bench_target();
  const bench_keeper keeper{p, bus, on, o.run_on};
  const rpc::client client = bench_client(bus, on);
  latency_histogram unused;
  pending_calls one{bus, client, bodies, 1, unused};
  pending_calls many{bus, client, bodies, o.in_flight, f.latencies};
  one.send();  // brings the reply queue and the buffers
  const memory before = memory_now();
  many.send();
  const memory after = memory_now();
  const auto calls = static_cast<double>(o.in_flight);
  f.heap_a_call = (after.heap - before.heap) / calls;
  f.resident_a_call = (after.resident - before.resident) / calls;

  const meter m{o.broker, {}};
  bench_server server{p, bus, on, 1, o.run_on};
  one.answers();
  fill_in(f, many.answers());
  m.read(f);
  server.stop();
}

}  // namespace

bench_plan plan_of(const bench_options& o) {
  bench_plan plan;
  if (o.seconds)
    plan.time = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>{*o.seconds});
  if (o.count || !o.seconds) plan.count = o.count.value_or(usual_count);
  plan.in_flight = o.rate ? open_loop_limit : o.in_flight;
  plan.rate = o.rate;
  return plan;
}

bench_plan warm_up_of(const bench_options& o) {
  bench_plan plan = plan_of(o);
  plan.in_flight = o.in_flight;
  plan.rate.reset();
  if (plan.count != bench_plan::no_end) plan.count = plan.count / 10 + 1;
  if (o.seconds) plan.time /= 10;
  return plan;
}

void fill_in(figures& f, bench_outcome outcome) {
  f.count = outcome.count;
  f.seconds = outcome.seconds();
  f.errors = outcome.errors;
  f.first_error = std::move(outcome.first_error);
  f.sent_rate = outcome.sent_rate;
}

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
  else if (o.mode == "cast" || o.mode == "fanout")
    measure_casts(p, o, bodies, f);
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
