// Messages that wait on the bus: what keeps them there, and what takes them out again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <oslo/messaging/rpc/server.hpp>
#include <oslo/messaging/target.hpp>
#include <oslo/messaging/transport.hpp>

#include "bench/server.hpp"
#include "executor_options.hpp"
#include "program.hpp"

namespace oslo::messaging::cli {

/// What is sent to the topic waits on the bus, as long as the object lives, and nothing stays there
/// when it ends. On a broker it is a server that is busy with one message, acknowledged late, and
/// takes no other, because the queue vanishes with its last consumer; over fake:// the queue is
/// only declared and ends with the process; over AMQP 1.0 a broker makes it for the first message,
/// and keeps it for the next one.
///
/// Thread safety: one thread.
class bench_keeper {
 public:
  bench_keeper(const program& p, const transport& bus, const target& on,
               const executor_options& run_on);
  ~bench_keeper();
  bench_keeper(const bench_keeper&) = delete;
  bench_keeper& operator=(const bench_keeper&) = delete;

 private:
  class busy_endpoint;

  std::shared_ptr<busy_endpoint> busy_;
  std::optional<transport> bus_;
  std::optional<rpc::server> server_;
};

struct drain_figures {
  double seconds = 0;      ///< from the start of the first handler to the end of the last
  double cpu_seconds = 0;  ///< of the whole process in that time
  std::uint64_t peak_kib = 0;
  std::uint64_t connections = 0;
};

/// Serves `count` casts to hit that wait on the bus, in a process of its own where the bus reaches
/// that far. Throws `std::runtime_error` when messages stop coming before that.
drain_figures drain(const program& p, const transport& bus, const target& on, std::uint64_t count,
                    const executor_options& run_on);
/// The program of that process: one line for the one that started it.
int run_bench_sink(const program& p, const target& on, std::uint64_t count,
                   const executor_options& run_on);

/// How long nothing may happen. Asked again while it waits: an operator may lose patience.
using bench_limit = std::function<std::chrono::seconds()>;

/// Listens until `count` notifications of priority info have come and returns how many came a
/// second, from the first one on: to join a group of Kafka takes a while. Throws
/// `std::runtime_error` when the bus does not let it listen, or they stop coming.
double take_notifications(const transport& bus, const target& from, std::uint64_t count,
                          const bench_limit& how_long);

}  // namespace oslo::messaging::cli
