#include "bench/calls.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "bench/callers.hpp"
#include "bench/common.hpp"
#include "bench/messages.hpp"
#include "bench/meter.hpp"
#include "bench/progress.hpp"
#include "bench/server.hpp"

namespace oslo::messaging::cli {
namespace {

/// A transport with a loop of its own, and what it has to do. Within one process its server is on
/// the same loop and topic, so that transports have nothing in common but the bus.
class lane {
 public:
  lane(const program& p, const bench_options& part, target on, std::size_t number)
      : part_{part}, bus_{p.open()} {
    const bool one_process = bus_.url().transport == "fake";
    if (one_process) *on.topic += '-' + std::to_string(number);
    // Elsewhere the server of the first serves all.
    if (one_process || number == 0)
      server_ = std::make_unique<bench_server>(p, bus_, on, 1, part.run_on);
    client_.emplace(bench_client(bus_, on));
  }

  const bench_options& part() const noexcept { return part_; }
  latency_histogram& latencies() noexcept { return latencies_; }
  const child_process* process() const noexcept { return server_ ? server_->process() : nullptr; }

  bench_outcome run(const bench_bodies& bodies, const bench_plan& plan,
                    const bench_load::progress& p) {
    latencies_.clear();
    if (part_.callers == "coroutines")
      return call_by_coroutines(*client_, bodies, plan, latencies_, p);
    if (part_.callers == "threads") return call_by_threads(*client_, bodies, plan, latencies_, p);
    const auto source = make_call_source(*client_, bodies);
    return bench_load{bus_.loop(), *source, latencies_}.run(plan, p);
  }
  void stop() {
    if (server_) server_->stop();
  }

 private:
  const bench_options part_;
  const transport bus_;
  std::unique_ptr<bench_server> server_{};
  std::optional<rpc::client> client_{};
  latency_histogram latencies_{};
};

using lanes = std::vector<std::unique_ptr<lane>>;

/// Runs all of them at once, the first on this thread; `plan` makes the plan of each from its part.
bench_outcome run(const lanes& all, bench_plan (*plan)(const bench_options&),
                  const bench_bodies& bodies, const bench_load::progress& p) {
  std::vector<std::atomic<std::uint64_t>> so_far(all.size());
  const auto show = [&](std::size_t i, std::uint64_t n) {
    so_far[i] = n;
    if (i == 0) p(std::accumulate(so_far.begin(), so_far.end(), std::uint64_t{0}));
  };
  const auto run_one = [&](std::size_t i) {
    return all[i]->run(bodies, plan(all[i]->part()), [&, i](std::uint64_t n) {
      show(i, n);
      return true;
    });
  };
  std::vector<std::future<bench_outcome>> others;
  for (std::size_t i = 1; i < all.size(); ++i)
    others.push_back(std::async(std::launch::async, run_one, i));
  bench_outcome outcome = run_one(0);
  for (auto& other : others) outcome.add(other.get());
  return outcome;
}

}  // namespace

void measure_calls(const program& p, const bench_options& o, const bench_bodies& bodies,
                   figures& f) {
  const target on = bench_target();
  lanes all;
  for (std::size_t i = 0; i < o.transports; ++i)
    all.push_back(std::make_unique<lane>(p, part_of(o, i), on, i));
  const progress_line line{plan_of(o)};
  auto outcome = run(all, warm_up_of, bodies, line.of("warming up:"));
  if (!outcome.errors) {
    const meter m{o, all.front()->process()};
    outcome = run(all, plan_of, bodies, line.of("calls:"));
    m.read(f);
    for (auto& each : all) f.latencies.add(each->latencies());
  }
  fill_in(f, std::move(outcome));
  for (auto& each : all) each->stop();
}

}  // namespace oslo::messaging::cli
