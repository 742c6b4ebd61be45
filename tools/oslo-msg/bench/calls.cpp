// Calls over several transports, by completions, and as applications make them: by coroutines, or
// by threads that wait.
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <future>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/blocking.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "bench/measure.hpp"
#include "bench/server.hpp"

namespace oslo::messaging::cli {
namespace {

using clock = std::chrono::steady_clock;

/// What the callers of one run share.
template <class Work>
class shared_run {
 public:
  shared_run(const Work& work, const bench_plan& plan, latency_histogram& latencies)
      : work_{work}, plan_{plan}, latencies_{latencies}, callers_{plan.in_flight} {}

  /// Whether the caller has another call to make, and with what.
  bool next(clock::time_point now, typename Work::arguments& arguments) {
    if (now - begin_ >= plan_.time) return false;
    const auto number = started_.fetch_add(1, std::memory_order_relaxed);
    if (number >= plan_.count) return false;
    work_.prepare(number, arguments);
    return true;
  }
  template <class R>
  void done(clock::time_point sent, clock::time_point now,
            const typename Work::arguments& arguments, const result<R>& r) {
    finished_.fetch_add(1, std::memory_order_relaxed);
    if (r && Work::right(arguments, *r)) {
      latencies_.add(now - sent);
      return;
    }
    const std::lock_guard lock{mutex_};
    ++errors_;
    if (!first_error_) first_error_ = r ? failure{errc::malformed_message, Work::wrong} : r.error();
  }
  void caller_ends() {
    if (callers_.fetch_sub(1) != 1) return;
    end_ = clock::now();
    all_ended_.set_value();
  }

  bench_outcome wait(const bench_load::progress& p) {
    auto end = all_ended_.get_future();
    while (end.wait_for(std::chrono::milliseconds{200}) != std::future_status::ready)
      p(finished_.load(std::memory_order_relaxed));
    return {.begin = begin_,
            .end = end_,
            .count = finished_,
            .errors = errors_,
            .first_error = first_error_};
  }

 private:
  const Work work_;
  const bench_plan plan_;
  latency_histogram& latencies_;
  const clock::time_point begin_ = clock::now();
  clock::time_point end_{};
  std::atomic<std::uint64_t> started_{0}, finished_{0};
  std::atomic<std::size_t> callers_;
  std::mutex mutex_;
  std::uint64_t errors_ = 0;
  std::optional<failure> first_error_{};
  std::promise<void> all_ended_{};
};

template <class Work>
boost::asio::awaitable<void> one_coroutine(const rpc::client& client, shared_run<Work>& run) {
  const context nobody;
  typename Work::arguments arguments;
  for (auto sent = clock::now(); run.next(sent, arguments);) {
    const auto r = co_await client.try_call(Work::method, nobody, arguments);
    const auto now = clock::now();
    run.done(sent, now, arguments, r);
    sent = now;
  }
  run.caller_ends();
}

template <class Work>
void one_thread(const blocking::client& client, shared_run<Work>& run) {
  typename Work::arguments arguments;
  for (auto sent = clock::now(); run.next(sent, arguments);) {
    const auto r = client.try_call(Work::method, {}, arguments);
    const auto now = clock::now();
    run.done(sent, now, arguments, r);
    sent = now;
  }
  run.caller_ends();
}

template <class Work>
bench_outcome by_coroutines(const rpc::client& client, const Work& work, const bench_plan& plan,
                            latency_histogram& latencies, const bench_load::progress& p) {
  shared_run<Work> run{work, plan, latencies};
  const auto loop = as_asio_executor(client.bus().shared_loop());
  for (std::size_t i = 0; i < plan.in_flight; ++i)
    boost::asio::co_spawn(loop, one_coroutine(client, run), boost::asio::detached);
  return run.wait(p);
}

template <class Work>
bench_outcome by_threads(const rpc::client& client, const Work& work, const bench_plan& plan,
                         latency_histogram& latencies, const bench_load::progress& p) {
  const blocking::client waiting{client};
  shared_run<Work> run{work, plan, latencies};
  std::vector<std::jthread> threads;
  threads.reserve(plan.in_flight);
  for (std::size_t i = 0; i < plan.in_flight; ++i)
    threads.emplace_back([&] { one_thread(waiting, run); });
  return run.wait(p);
}

/// A transport with a loop of its own, and what it has to do. Within one process its server is on
/// the same loop and topic, so that transports have nothing in common but the bus.
class lane {
 public:
  lane(const program& p, const bench_options& part, target on, std::size_t number)
      : part_{part}, bus_{p.open()} {
    const bool one_process = within_process(bus_);
    if (one_process) *on.topic += '-' + std::to_string(number);
    // Elsewhere the server of the first serves all.
    if (one_process || number == 0)
      server_ = std::make_unique<bench_server>(p, bus_, on, 1, part.run_on);
    client_.emplace(bench_client(bus_, on));
  }

  const bench_options& part() const noexcept { return part_; }
  latency_histogram& latencies() noexcept { return latencies_; }
  std::optional<pid_t> process() const { return server_ ? server_->process() : std::nullopt; }

  bench_outcome run(const bench_bodies& bodies, const bench_plan& plan,
                    const bench_load::progress& p) {
    latencies_.clear();
    if (part_.callers == "completions")
      return bench_load{bus_.loop(), calls_of(*client_, bodies), latencies_}.run(plan, p);
    if (bodies.integers()) return run_callers(sum_work{}, plan, p);
    return run_callers(echo_work{bodies}, plan, p);
  }
  void stop() {
    if (server_) server_->stop();
  }

 private:
  template <class Work>
  bench_outcome run_callers(const Work& work, const bench_plan& plan,
                            const bench_load::progress& p) {
    return part_.callers == "threads" ? by_threads(*client_, work, plan, latencies_, p)
                                      : by_coroutines(*client_, work, plan, latencies_, p);
  }

  const bench_options part_;
  const transport bus_;
  std::unique_ptr<bench_server> server_{};
  std::optional<rpc::client> client_{};
  latency_histogram latencies_{};
};

/// The part of transport number `i`, of `o.transports`: the parts add up to `o`.
bench_options part_of(const bench_options& o, std::size_t i) {
  bench_options part = o;
  const auto part_of_all = [&](auto all) { return all / o.transports + (i < all % o.transports); };
  part.in_flight = part_of_all(o.in_flight);
  if (const auto count = plan_of(o).count; count != bench_plan::no_end)
    part.count = part_of_all(count);
  return part;
}

using lanes = std::vector<std::unique_ptr<lane>>;

/// Runs all of them at once, the first on this thread; `plan` makes the plan of each from its part.
bench_outcome run(const lanes& all, bench_plan (*plan)(const bench_options&),
                  const bench_bodies& bodies, const bench_load::progress& p) {
  std::vector<std::atomic<std::uint64_t>> so_far(all.size());
  const auto run_one = [&](std::size_t i) {
    return all[i]->run(bodies, plan(all[i]->part()), [&, i](std::uint64_t n) {
      so_far[i] = n;
      if (i == 0) p(std::accumulate(so_far.begin(), so_far.end(), std::uint64_t{0}));
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
    const meter m{o.broker, all.front()->process()};
    outcome = run(all, plan_of, bodies, line.of("calls:"));
    m.read(f);
    for (auto& each : all) f.latencies.add(each->latencies());
  }
  fill_in(f, std::move(outcome));
  for (auto& each : all) each->stop();
}

}  // namespace oslo::messaging::cli
