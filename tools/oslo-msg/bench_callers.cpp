#include "bench_callers.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <mutex>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/convert.hpp>
#include <thread>
#include <vector>

namespace oslo::messaging::cli {
namespace {

using clock = std::chrono::steady_clock;

constexpr rpc::method<raw_json(raw_json)> echo{"echo"};

/// What the callers of one run share.
class shared_run {
 public:
  shared_run(const bench_bodies& bodies, const bench_plan& plan, latency_histogram& latencies)
      : bodies_{bodies}, plan_{plan}, latencies_{latencies}, callers_{plan.in_flight} {}

  /// Whether the caller has another call to make, and with what.
  bool next(clock::time_point now, raw_json& arguments) {
    if (now - begin_ >= plan_.time) return false;
    const auto number = started_.fetch_add(1, std::memory_order_relaxed);
    if (number >= plan_.count) return false;
    arguments.text = bodies_.arguments(number);
    return true;
  }
  void done(clock::time_point sent, clock::time_point now, const raw_json& arguments,
            const result<raw_json>& r) {
    finished_.fetch_add(1, std::memory_order_relaxed);
    if (r && *r == arguments) {
      latencies_.add(now - sent);
      return;
    }
    const std::lock_guard lock{mutex_};
    ++errors_;
    if (!first_error_)
      first_error_ =
          r ? failure{errc::malformed_message, "An echo differs from what was sent."} : r.error();
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
    return {.seconds = std::chrono::duration<double>(end_ - begin_).count(),
            .count = finished_,
            .errors = errors_,
            .first_error = first_error_};
  }

 private:
  const bench_bodies& bodies_;
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

boost::asio::awaitable<void> one_coroutine(const rpc::client& client, shared_run& run) {
  const context nobody;
  raw_json arguments;
  for (auto sent = clock::now(); run.next(sent, arguments);) {
    const result<raw_json> r = co_await client.try_call(echo, nobody, arguments);
    const auto now = clock::now();
    run.done(sent, now, arguments, r);
    sent = now;
  }
  run.caller_ends();
}

void one_thread(const blocking::client& client, shared_run& run) {
  raw_json arguments;
  for (auto sent = clock::now(); run.next(sent, arguments);) {
    const result<raw_json> r = client.try_call(echo, {}, arguments);
    const auto now = clock::now();
    run.done(sent, now, arguments, r);
    sent = now;
  }
  run.caller_ends();
}

}  // namespace

bench_outcome call_by_coroutines(const rpc::client& client, const bench_bodies& bodies,
                                 const bench_plan& plan, latency_histogram& latencies,
                                 const bench_load::progress& p) {
  shared_run run{bodies, plan, latencies};
  const auto loop = as_asio_executor(client.bus().shared_loop());
  for (std::size_t i = 0; i < plan.in_flight; ++i)
    boost::asio::co_spawn(loop, one_coroutine(client, run), boost::asio::detached);
  return run.wait(p);
}

bench_outcome call_by_threads(const rpc::client& client, const bench_bodies& bodies,
                              const bench_plan& plan, latency_histogram& latencies,
                              const bench_load::progress& p) {
  const blocking::client waiting{client};
  shared_run run{bodies, plan, latencies};
  std::vector<std::jthread> threads;
  threads.reserve(plan.in_flight);
  for (std::size_t i = 0; i < plan.in_flight; ++i)
    threads.emplace_back([&] { one_thread(waiting, run); });
  return run.wait(p);
}

}  // namespace oslo::messaging::cli
