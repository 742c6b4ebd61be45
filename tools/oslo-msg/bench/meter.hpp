// What the processes of a benchmark use while it runs.
#pragma once

#include <sys/types.h>

#include <optional>

#include "bench/figures.hpp"
#include "bench/measure.hpp"
#include "child_process.hpp"

namespace oslo::messaging::cli {

/// CPU time, memory and connections of all processes that take part, over one measurement: from
/// the constructor to `read`.
class meter {
 public:
  /// `server`: null when it shares this process.
  meter(const bench_options& o, const child_process* server);
  void read(figures& f) const;

 private:
  const std::optional<pid_t> broker_, server_;
  double client_cpu_ = 0, server_cpu_ = 0, broker_cpu_ = 0;
};

}  // namespace oslo::messaging::cli
