// The server half of a benchmark, and how to reach it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <oslo/messaging/rpc/client.hpp>
#include <oslo/messaging/rpc/server.hpp>
#include <oslo/messaging/target.hpp>
#include <oslo/messaging/transport.hpp>
#include <vector>

#include "child_process.hpp"
#include "executor_options.hpp"
#include "program.hpp"

namespace oslo::messaging::cli {

/// How long a server may take to start, to end, or to go without taking a message.
constexpr std::chrono::seconds bench_patience{60};

/// A topic and an exchange that nobody else has.
target bench_target();
rpc::client bench_client(const transport& bus, const target& on);
/// Whether other processes are out of reach of the bus.
bool within_process(const transport& bus);

/// Servers "bench-0", "bench-1", and so on, of one topic and on one transport, for as long as the
/// object lives: in a process of their own, or in this one when the bus does not reach further.
/// Their methods: echo(**kw) -> kw · add(a, b) -> a + b · hit(**kw) counts · reached(hits) answers
/// once there were so many hits; one such call at a time.
///
/// Thread safety: one thread.
class bench_server {
 public:
  bench_server(const program& p, const transport& bus, const target& on, std::size_t count,
               const executor_options& run_on);
  bench_server(const bench_server&) = delete;
  bench_server& operator=(const bench_server&) = delete;

  /// None when they share this process.
  std::optional<pid_t> process() const;
  void stop();

 private:
  std::unique_ptr<child_process> child_;
  std::vector<rpc::server> local_;
};

/// Serves until SIGTERM: the program of that process.
int run_bench_servers(const program& p, const target& on, std::size_t count,
                      const executor_options& run_on);

}  // namespace oslo::messaging::cli
