#include "bench/server.hpp"

#include <utility>

#include "exit_status.hpp"
#include "output.hpp"
#include "signals.hpp"

namespace oslo::messaging::cli {

bench_endpoint::bench_endpoint() {
  bind(bench_echo, &bench_endpoint::echo);
  bind(bench_add, &bench_endpoint::add);
  bind("hit", &bench_endpoint::hit).allow_unknown();
  bind("reached", &bench_endpoint::reached);
}

void bench_endpoint::hit() {
  const auto now = hits_.fetch_add(1) + 1;
  if (now < wanted_) return;
  const std::lock_guard lock{mutex_};
  if (answer_) answer_->reply(now);
  answer_.reset();
}

void bench_endpoint::reached(reached_args args, rpc::responder<std::uint64_t> answer) {
  const std::lock_guard lock{mutex_};
  wanted_ = args.hits;
  if (const auto now = hits_.load(); now >= args.hits)
    answer.reply(now);
  else
    answer_ = std::move(answer);
}

bench_servers::bench_servers(const transport& bus, const target& on, std::size_t count,
                             const executor_options& run_on) {
  for (std::size_t i = 0; i < count; ++i) {
    target to = on;
    to.server = "bench-" + std::to_string(i);
    servers_.push_back(std::make_unique<rpc::server>(
        bus, to, std::vector<std::shared_ptr<rpc::endpoint>>{std::make_shared<bench_endpoint>()},
        rpc::server_options{.executor = run_on.make()}));
    servers_.back()->start();
  }
}

void bench_servers::stop() {
  for (auto& server : servers_) server->stop();
  for (auto& server : servers_) server->wait(bench_patience);
}

bench_server::bench_server(const program& p, const transport& bus, const target& on,
                           std::size_t count, const executor_options& run_on) {
  if (bus.url().transport == "fake") {
    local_ = std::make_unique<bench_servers>(bus, on, count, run_on);
    return;
  }
  auto arguments = p.global_arguments();
  arguments.insert(arguments.end(), {"bench-serve", *on.topic, "--exchange", *on.exchange,
                                     "--servers", std::to_string(count)});
  run_on.append_to(arguments);
  child_ = std::make_unique<child_process>(arguments);
  child_->read_line(bench_patience);
}

bench_server::~bench_server() = default;

void bench_server::stop() {
  if (child_) {
    child_->stop(bench_patience);
    child_.reset();
  } else {
    local_->stop();
  }
}

int run_bench_servers(const program& p, const target& on, std::size_t count,
                      const executor_options& run_on) {
  const signals parent_says;  // before any thread starts
  const transport bus = p.open();
  bench_servers servers{bus, on, count, run_on};
  print("ready\n");
  while (parent_says.wait() != signals::event::interrupted) {
  }
  servers.stop();
  return done;
}

}  // namespace oslo::messaging::cli
