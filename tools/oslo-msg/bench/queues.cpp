#include "bench/queues.hpp"

#include <unistd.h>

#include <boost/json/parse.hpp>
#include <cstdio>
#include <future>
#include <stdexcept>

#include "exit_status.hpp"
#include "output.hpp"
#include "process_usage.hpp"

namespace oslo::messaging::cli {
namespace {

/// Thread safety: `hit` from any thread; the rest on one.
class timed_endpoint : public rpc::endpoint {
 public:
  explicit timed_endpoint(std::uint64_t count) : count_{count} {
    bind("hit", &timed_endpoint::hit).allow_unknown();
  }
  sink_figures wait() {
    return wait_while_taking(last_.get_future(), taken_, count_, "messages came");
  }

 private:
  void hit() {
    std::call_once(first_, [this] {
      begin_cpu_ = cpu_seconds_of(getpid());
      begin_ = std::chrono::steady_clock::now();
    });
    if (taken_.fetch_add(1, std::memory_order_acq_rel) + 1 != count_) return;
    const auto end = std::chrono::steady_clock::now();
    last_.set_value({std::chrono::duration<double>(end - begin_).count(),
                     cpu_seconds_of(getpid()) - begin_cpu_, peak_memory_kib_of(getpid()),
                     connections_of(getpid())});
  }

  const std::uint64_t count_;
  std::atomic<std::uint64_t> taken_{0};
  std::once_flag first_;
  std::chrono::steady_clock::time_point begin_{};
  double begin_cpu_ = 0;
  std::promise<sink_figures> last_;
};

}  // namespace

sink_figures run_sink(const transport& bus, const target& on, std::uint64_t count,
                      const executor_options& run_on) {
  const auto sink = std::make_shared<timed_endpoint>(count);
  target to = on;
  to.server = "bench";
  rpc::server server{bus, to, {sink}, {.executor = run_on.make()}};
  server.start();
  const auto figures = count > 0 ? sink->wait() : sink_figures{};
  server.stop();
  server.wait(bench_patience);
  return figures;
}

sink_figures run_sink_elsewhere(const program& p, const transport& bus, const target& on,
                                std::uint64_t count, const executor_options& run_on) {
  if (bus.url().transport == "fake") return run_sink(bus, on, count, run_on);
  auto arguments = p.global_arguments();
  arguments.insert(arguments.end(), {"bench-sink", *on.topic, "--exchange", *on.exchange, "--count",
                                     std::to_string(count)});
  run_on.append_to(arguments);
  child_process child{arguments};
  // It gives up by itself when messages stop coming, and its end ends the wait.
  const auto v = boost::json::parse(child.read_line(std::chrono::hours{24}));
  child.wait(bench_patience);
  return {v.at("seconds").as_double(), v.at("cpu_seconds").as_double(),
          v.at("peak_kib").to_number<std::uint64_t>(),
          v.at("connections").to_number<std::uint64_t>()};
}

int run_bench_sink(const program& p, const target& on, std::uint64_t count,
                   const executor_options& run_on) {
  const transport bus = p.open();
  const auto f = run_sink(bus, on, count, run_on);
  char line[256];
  std::snprintf(
      line, sizeof line,
      "{\"seconds\": %.9f, \"cpu_seconds\": %.9f, \"peak_kib\": %llu, \"connections\": %llu}\n",
      f.seconds, f.cpu_seconds, static_cast<unsigned long long>(f.peak_kib),
      static_cast<unsigned long long>(f.connections));
  print(line);
  return done;
}

}  // namespace oslo::messaging::cli
