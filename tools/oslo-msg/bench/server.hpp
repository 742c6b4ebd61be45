// The server half of a benchmark.
#pragma once

#include <atomic>
#include <boost/describe/class.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/rpc/endpoint.hpp>
#include <oslo/messaging/rpc/responder.hpp>
#include <oslo/messaging/rpc/server.hpp>
#include <oslo/messaging/transport.hpp>
#include <oslo/messaging/value.hpp>
#include <string>
#include <vector>

#include "bench/patience.hpp"
#include "bench/work.hpp"
#include "child_process.hpp"
#include "executor_options.hpp"
#include "program.hpp"

namespace oslo::messaging::cli {

struct reached_args {
  std::uint64_t hits = 0;
};
BOOST_DESCRIBE_STRUCT(reached_args, (), (hits))

/// echo(**kw) -> kw · add(a, b) -> a + b · hit(**kw) counts · reached(hits) answers once there were
/// so many hits.
///
/// Thread safety: as endpoints; `reached` one at a time.
class bench_endpoint : public rpc::endpoint {
 public:
  bench_endpoint();

 private:
  raw_json echo(raw_json kw) { return kw; }
  int add(const bench_add_args& args) { return args.a + args.b; }
  void hit();
  void reached(reached_args args, rpc::responder<std::uint64_t> answer);

  std::atomic<std::uint64_t> hits_{0}, wanted_{~std::uint64_t{0}};
  std::mutex mutex_;
  std::optional<rpc::responder<std::uint64_t>> answer_;
};

/// Servers of one topic in one process, on one transport: "bench-0", "bench-1", and so on.
///
/// Thread safety: one thread.
class bench_servers {
 public:
  bench_servers(const transport& bus, const target& on, std::size_t count,
                const executor_options& run_on);
  void stop();

 private:
  std::vector<std::unique_ptr<rpc::server>> servers_;
};

/// The same for as long as the object lives: in a process of their own, or in this one when the bus
/// does not reach further.
///
/// Thread safety: one thread.
class bench_server {
 public:
  bench_server(const program& p, const transport& bus, const target& on, std::size_t count,
               const executor_options& run_on);
  ~bench_server();
  bench_server(const bench_server&) = delete;
  bench_server& operator=(const bench_server&) = delete;

  /// Null when they share this process.
  const child_process* process() const noexcept { return child_.get(); }
  void stop();

 private:
  std::unique_ptr<child_process> child_;
  std::unique_ptr<bench_servers> local_;
};

/// Serves until SIGTERM: the program of that process.
int run_bench_servers(const program& p, const target& on, std::size_t count,
                      const executor_options& run_on);

}  // namespace oslo::messaging::cli
