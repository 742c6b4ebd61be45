#include "bench/server.hpp"

#include <unistd.h>

#include <atomic>
#include <boost/describe/class.hpp>
#include <cstdint>
#include <mutex>
#include <oslo/messaging/rpc/endpoint.hpp>
#include <oslo/messaging/rpc/responder.hpp>
#include <oslo/messaging/value.hpp>
#include <string>
#include <utility>

#include "bench/messages.hpp"
#include "exit_status.hpp"
#include "output.hpp"
#include "signals.hpp"

namespace oslo::messaging::cli {
namespace {

struct reached_args {
  std::uint64_t hits = 0;
};
BOOST_DESCRIBE_STRUCT(reached_args, (), (hits))

/// Thread safety: as endpoints; `reached` one at a time.
class bench_endpoint : public rpc::endpoint {
 public:
  bench_endpoint() {
    bind(bench_echo, &bench_endpoint::echo);
    bind(bench_add, &bench_endpoint::add);
    bind("hit", &bench_endpoint::hit).allow_unknown();
    bind("reached", &bench_endpoint::reached);
  }

 private:
  raw_json echo(raw_json kw) { return kw; }
  int add(const bench_add_args& args) { return args.a + args.b; }
  void hit() {
    const auto now = hits_.fetch_add(1) + 1;
    if (now < wanted_) return;
    const std::lock_guard lock{mutex_};
    if (answer_) answer_->reply(now);
    answer_.reset();
  }
  void reached(reached_args args, rpc::responder<std::uint64_t> answer) {
    const std::lock_guard lock{mutex_};
    wanted_ = args.hits;
    if (const auto now = hits_.load(); now >= args.hits)
      answer.reply(now);
    else
      answer_ = std::move(answer);
  }

  std::atomic<std::uint64_t> hits_{0}, wanted_{~std::uint64_t{0}};
  std::mutex mutex_;
  std::optional<rpc::responder<std::uint64_t>> answer_;
};

std::vector<rpc::server> start_servers(const transport& bus, const target& on, std::size_t count,
                                       const executor_options& run_on) {
  std::vector<rpc::server> all;
  for (std::size_t i = 0; i < count; ++i) {
    target to = on;
    to.server = "bench-" + std::to_string(i);
    all.emplace_back(
        bus, to, std::vector<std::shared_ptr<rpc::endpoint>>{std::make_shared<bench_endpoint>()},
        rpc::server_options{.executor = run_on.make()});
    all.back().start();
  }
  return all;
}

void stop_servers(std::vector<rpc::server>& all) {
  for (auto& server : all) server.stop();
  for (auto& server : all) server.wait(bench_patience);
}

}  // namespace

target bench_target() {
  target on;
  on.topic = on.exchange = "oslo-msg-bench-" + std::to_string(getpid());
  return on;
}

rpc::client bench_client(const transport& bus, const target& on) {
  return {bus, on, {.timeout = bench_patience}};
}

bool within_process(const transport& bus) {
  return bus.url().transport == "fake";
}

bench_server::bench_server(const program& p, const transport& bus, const target& on,
                           std::size_t count, const executor_options& run_on) {
  if (within_process(bus)) {
    local_ = start_servers(bus, on, count, run_on);
    return;
  }
  auto arguments = p.global_arguments();
  arguments.insert(arguments.end(), {"bench-serve", *on.topic, "--exchange", *on.exchange,
                                     "--servers", std::to_string(count)});
  run_on.append_to(arguments);
  child_ = std::make_unique<child_process>(arguments);
  child_->read_line(bench_patience);
}

std::optional<pid_t> bench_server::process() const {
  return child_ ? std::optional{child_->id()} : std::nullopt;
}

void bench_server::stop() {
  if (child_) child_->stop(bench_patience);
  child_.reset();
  stop_servers(local_);
}

int run_bench_servers(const program& p, const target& on, std::size_t count,
                      const executor_options& run_on) {
  const signals parent_says;  // before any thread starts
  const transport bus = p.open();
  auto all = start_servers(bus, on, count, run_on);
  print("ready\n");
  while (parent_says.wait() != signals::event::interrupted) {
  }
  stop_servers(all);
  return done;
}

}  // namespace oslo::messaging::cli
