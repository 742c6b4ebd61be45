#include "bench/meter.hpp"

#include <unistd.h>

#include "process_usage.hpp"

namespace oslo::messaging::cli {

meter::meter(const bench_options& o, const child_process* server)
    : broker_{o.broker}, server_{server ? std::optional<pid_t>{server->id()} : std::nullopt} {
  client_cpu_ = cpu_seconds_of(getpid());
  if (server_) server_cpu_ = cpu_seconds_of(*server_);
  if (broker_) broker_cpu_ = cpu_seconds_of(*broker_);
}

void meter::read(figures& f) const {
  f.client_cpu = cpu_seconds_of(getpid()) - client_cpu_;
  f.client_peak_kib = peak_memory_kib_of(getpid());
  f.client_connections = connections_of(getpid());
  if (broker_) f.broker_cpu = cpu_seconds_of(*broker_) - broker_cpu_;
  if (!server_) return;
  f.server_cpu = cpu_seconds_of(*server_) - server_cpu_;
  f.server_peak_kib = peak_memory_kib_of(*server_);
  f.server_connections = connections_of(*server_);
}

}  // namespace oslo::messaging::cli
