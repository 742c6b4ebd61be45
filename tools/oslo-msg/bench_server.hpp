// The server half of a benchmark.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/rpc/server.hpp>
#include <oslo/messaging/transport.hpp>
#include <string>

#include "child_process.hpp"
#include "executor_options.hpp"
#include "program.hpp"
#include "served_methods.hpp"

namespace oslo::messaging::cli {

/// How long a server may take to start, to end, or to go without taking a message.
constexpr std::chrono::seconds bench_patience{60};

/// A server of the methods of `serve` for as long as the object lives: in a process of its own, or
/// in this one when the bus does not reach further.
///
/// Thread safety: one thread.
class bench_server {
 public:
  bench_server(const program& p, const transport& bus, const target& on,
               const executor_options& run_on);
  ~bench_server();
  bench_server(const bench_server&) = delete;
  bench_server& operator=(const bench_server&) = delete;

  /// None when it shares this process.
  std::optional<double> cpu_seconds() const;
  void stop();

 private:
  std::unique_ptr<child_process> child_;
  std::unique_ptr<rpc::server> local_;
};

/// Times a server that takes `count` casts to `hit`: from the start of the first handler to the end
/// of the last.
///
/// Thread safety: `hit` from any thread; the rest on one.
class bench_sink : public rpc::endpoint {
 public:
  struct timing {
    double seconds = 0;
    double cpu_seconds = 0;  ///< of the whole process
  };
  explicit bench_sink(std::uint64_t count);
  /// Throws `std::runtime_error` when messages stop coming before there were `count`.
  timing wait();

 private:
  void hit();

  const std::uint64_t count_;
  std::atomic<std::uint64_t> taken_{0};
  std::once_flag first_;
  std::chrono::steady_clock::time_point begin_{};
  double begin_cpu_ = 0;
  std::promise<timing> last_;
};

/// Serves `count` casts that wait on the bus and times that; 0: only declares the queues.
bench_sink::timing run_sink(const transport& bus, const target& on, std::uint64_t count,
                            const executor_options& run_on);

}  // namespace oslo::messaging::cli
