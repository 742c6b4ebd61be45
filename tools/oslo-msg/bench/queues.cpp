#include "bench/queues.hpp"

#include <unistd.h>

#include <atomic>
#include <boost/json/parse.hpp>
#include <cstdio>
#include <future>
#include <mutex>
#include <oslo/messaging/notify/listener.hpp>
#include <oslo/messaging/rpc/responder.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "ask.hpp"
#include "bench/server.hpp"
#include "child_process.hpp"
#include "exit_status.hpp"
#include "output.hpp"
#include "process_usage.hpp"

namespace oslo::messaging::cli {
namespace {

/// Waits for `ready`. False when `counter` stood still for as long as `how_long` says.
template <class Future>
bool wait_for(const Future& ready, const std::atomic<std::uint64_t>& counter,
              const bench_limit& how_long) {
  using clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds step{100};
  auto before = counter.load();
  for (auto since = clock::now(); ready.wait_for(step) != std::future_status::ready;) {
    const auto now = counter.load();
    if (now != before)
      since = clock::now();
    else if (clock::now() - since >= how_long())
      return false;
    before = now;
  }
  return true;
}

std::chrono::seconds usual_patience() {
  return bench_patience;
}

/// Waits until so many messages have come.
///
/// Thread safety: `came` from any thread; `wait` once.
class countdown {
 public:
  explicit countdown(std::uint64_t count) : count_{count} {}

  /// One more, `at_the_last` before `wait` returns.
  template <class F>
  void came(F at_the_last) {
    if (taken_.fetch_add(1, std::memory_order_acq_rel) + 1 != count_) return;
    at_the_last();
    all_.set_value();
  }
  /// Throws `std::runtime_error` when no more come; `what` says of what: "messages came".
  void wait(const char* what, const bench_limit& how_long = usual_patience) {
    if (count_ != 0 && !wait_for(all_.get_future(), taken_, how_long))
      throw std::runtime_error{"Only " + std::to_string(taken_.load()) + " of " +
                               std::to_string(count_) + " " + what + "."};
  }

 private:
  const std::uint64_t count_;
  std::atomic<std::uint64_t> taken_{0};
  std::promise<void> all_;
};

/// Thread safety: `hit` from any thread; the rest on one.
class timed_endpoint : public rpc::endpoint {
 public:
  explicit timed_endpoint(std::uint64_t count) : left_{count} {
    bind("hit", &timed_endpoint::hit).allow_unknown();
  }
  drain_figures wait() {
    left_.wait("messages came");
    return figures_;
  }

 private:
  void hit() {
    std::call_once(first_, [this] {
      begin_cpu_ = cpu_seconds_of(getpid());
      begin_ = std::chrono::steady_clock::now();
    });
    left_.came([this] {
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin_;
      figures_ = {taken.count(), cpu_seconds_of(getpid()) - begin_cpu_,
                  peak_memory_kib_of(getpid()), connections_of(getpid())};
    });
  }

  countdown left_;
  std::once_flag first_;
  std::chrono::steady_clock::time_point begin_{};
  double begin_cpu_ = 0;
  drain_figures figures_;
};

/// No `count`: only declares the queues.
drain_figures drain_here(const transport& bus, const target& on, std::uint64_t count,
                         const executor_options& run_on) {
  const auto sink = std::make_shared<timed_endpoint>(count);
  target to = on;
  to.server = "bench";
  rpc::server server{bus, to, {sink}, {.executor = run_on.make()}};
  server.start();
  const auto figures = sink->wait();
  server.stop();
  server.wait(bench_patience);
  return figures;
}

}  // namespace

class bench_keeper::busy_endpoint : public rpc::endpoint {
 public:
  busy_endpoint() {
    bind("keep", &busy_endpoint::keep).acknowledge(rpc::acknowledge_when::after_success);
  }
  bool busy_within(std::chrono::seconds limit) {
    return busy_.get_future().wait_for(limit) == std::future_status::ready;
  }
  void let_go() {
    if (answer_) answer_->reply();
  }

 private:
  void keep(rpc::responder<void> answer) {
    answer_ = std::move(answer);
    busy_.set_value();
  }

  std::promise<void> busy_;
  std::optional<rpc::responder<void>> answer_;
};

bench_keeper::bench_keeper(const program& p, const transport& bus, const target& on,
                           const executor_options& run_on) {
  const auto kind = bus.url().transport;
  if (kind == "amqp") return;
  if (kind == "fake") {
    drain_here(bus, on, 0, run_on);
    return;
  }
  busy_ = std::make_shared<busy_endpoint>();
  auto options = p.make_options();
  options.conf.set("oslo_messaging_rabbit", "rabbit_qos_prefetch_count", "1");
  bus_ = open_transport(p.url, std::move(options));
  target to = on;
  to.server = "bench-keeper";
  server_.emplace(*bus_, to, std::vector<std::shared_ptr<rpc::endpoint>>{busy_},
                  rpc::server_options{.executor = inline_executor()});
  server_->start();
  cast_text(bench_client(*bus_, on), "keep", {}, "{}").value();
  if (!busy_->busy_within(bench_patience))
    throw std::runtime_error{"A message that keeps the queue in being did not come."};
}

bench_keeper::~bench_keeper() {
  if (!server_) return;
  server_->stop();
  busy_->let_go();
  server_->wait(bench_patience);
}

drain_figures drain(const program& p, const transport& bus, const target& on, std::uint64_t count,
                    const executor_options& run_on) {
  if (within_process(bus)) return drain_here(bus, on, count, run_on);
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
  const auto f = drain_here(bus, on, count, run_on);
  char line[256];
  std::snprintf(
      line, sizeof line,
      "{\"seconds\": %.9f, \"cpu_seconds\": %.9f, \"peak_kib\": %llu, \"connections\": %llu}\n",
      f.seconds, f.cpu_seconds, static_cast<unsigned long long>(f.peak_kib),
      static_cast<unsigned long long>(f.connections));
  print(line);
  return done;
}

double take_notifications(const transport& bus, const target& from, std::uint64_t count,
                          const bench_limit& how_long) {
  const auto counts = std::make_shared<notify::endpoint>();
  const auto left = std::make_shared<countdown>(count);
  const auto begin = std::make_shared<std::optional<std::chrono::steady_clock::time_point>>();
  counts->bind(notify::priority::info, [left, begin](const notify::notification&) {
    if (!*begin) *begin = std::chrono::steady_clock::now();
    left->came([] {});
  });
  notify::listener_options options;
  options.executor = inline_executor();
  notify::listener listener{bus, {from}, {counts}, std::move(options)};
  const auto started = std::make_shared<std::promise<result<void>>>();
  auto outcome = started->get_future();
  listener.async_start([started](result<void> r) { started->set_value(std::move(r)); });
  if (!wait_for(outcome, {}, how_long))
    throw std::runtime_error{"The bus did not say whether it lets the program listen."};
  outcome.get().value();
  left->wait("notifications came back", how_long);
  const auto end = std::chrono::steady_clock::now();
  listener.stop();
  listener.wait(how_long());
  const std::chrono::duration<double> taken = end - begin->value_or(end);
  return static_cast<double>(count) / taken.count();
}

}  // namespace oslo::messaging::cli
