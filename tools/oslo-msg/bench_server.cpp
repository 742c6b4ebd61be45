#include "bench_server.hpp"

#include <stdexcept>
#include <utility>
#include <vector>

namespace oslo::messaging::cli {

bench_server::bench_server(const program& p, const transport& bus, const target& on,
                           const executor_options& run_on) {
  if (bus.url().transport == "fake") {
    local_ = std::make_unique<rpc::server>(
        bus, on,
        std::vector<std::shared_ptr<rpc::endpoint>>{
            std::make_shared<served_methods>(target{}, bus.shared_loop())},
        rpc::server_options{.executor = run_on.make()});
    local_->start();
    return;
  }
  auto arguments = p.global_arguments();
  arguments.insert(arguments.end(),
                   {"serve", *on.topic, "--server", *on.server, "--executor", run_on.kind});
  if (on.exchange) arguments.insert(arguments.end(), {"--exchange", *on.exchange});
  if (run_on.workers)
    arguments.insert(arguments.end(), {"--workers", std::to_string(*run_on.workers)});
  child_ = std::make_unique<child_process>(arguments);
  child_->read_line(bench_patience);
}

bench_server::~bench_server() = default;

std::optional<double> bench_server::cpu_seconds() const {
  if (!child_) return std::nullopt;
  return child_->cpu_seconds();
}

void bench_server::stop() {
  if (child_) {
    child_->stop(bench_patience);
    child_.reset();
  } else {
    local_->stop();
    local_->wait(bench_patience);
  }
}

bench_sink::bench_sink(std::uint64_t count) : count_{count} {
  bind("hit", &bench_sink::hit);
}

void bench_sink::hit() {
  std::call_once(first_, [this] {
    begin_cpu_ = own_cpu_seconds();
    begin_ = std::chrono::steady_clock::now();
  });
  if (taken_.fetch_add(1, std::memory_order_acq_rel) + 1 != count_) return;
  const auto end = std::chrono::steady_clock::now();
  last_.set_value(
      {std::chrono::duration<double>(end - begin_).count(), own_cpu_seconds() - begin_cpu_});
}

bench_sink::timing bench_sink::wait() {
  auto end = last_.get_future();
  for (std::uint64_t before = 0;;) {
    if (end.wait_for(bench_patience) == std::future_status::ready) return end.get();
    const auto now = taken_.load();
    if (now == before)
      throw std::runtime_error{"Only " + std::to_string(now) + " of " + std::to_string(count_) +
                               " messages came."};
    before = now;
  }
}

bench_sink::timing run_sink(const transport& bus, const target& on, std::uint64_t count,
                            const executor_options& run_on) {
  const auto sink = std::make_shared<bench_sink>(count);
  rpc::server server{bus, on, {sink}, {.executor = run_on.make()}};
  server.start();
  const auto timing = count > 0 ? sink->wait() : bench_sink::timing{};
  server.stop();
  server.wait(bench_patience);
  return timing;
}

}  // namespace oslo::messaging::cli
