#include "bench/callers.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <mutex>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/blocking.hpp>
#include <thread>
#include <vector>

#include "bench/work.hpp"

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

}  // namespace

bench_outcome call_by_coroutines(const rpc::client& client, const bench_bodies& bodies,
                                 const bench_plan& plan, latency_histogram& latencies,
                                 const bench_load::progress& p) {
  if (bodies.integers()) return by_coroutines(client, sum_work{}, plan, latencies, p);
  return by_coroutines(client, echo_work{bodies}, plan, latencies, p);
}

bench_outcome call_by_threads(const rpc::client& client, const bench_bodies& bodies,
                              const bench_plan& plan, latency_histogram& latencies,
                              const bench_load::progress& p) {
  if (bodies.integers()) return by_threads(client, sum_work{}, plan, latencies, p);
  return by_threads(client, echo_work{bodies}, plan, latencies, p);
}

}  // namespace oslo::messaging::cli
