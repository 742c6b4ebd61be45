// A server that times itself while it works off what waits for it.
#pragma once

#include <cstdint>
#include <oslo/messaging/transport.hpp>

#include "bench/server.hpp"

namespace oslo::messaging::cli {

struct sink_figures {
  double seconds = 0;      ///< from the start of the first handler to the end of the last
  double cpu_seconds = 0;  ///< of the whole process in that time
  std::uint64_t peak_kib = 0;
  std::uint64_t connections = 0;
};

/// Serves `count` casts to hit that wait on the bus; 0: only declares the queues. Throws
/// `std::runtime_error` when messages stop coming before that.
sink_figures run_sink(const transport& bus, const target& on, std::uint64_t count,
                      const executor_options& run_on);
/// The same in a process of its own, where the bus reaches that far.
sink_figures run_sink_elsewhere(const program& p, const transport& bus, const target& on,
                                std::uint64_t count, const executor_options& run_on);
/// The program of that process: one line for the one that started it.
int run_bench_sink(const program& p, const target& on, std::uint64_t count,
                   const executor_options& run_on);

}  // namespace oslo::messaging::cli
