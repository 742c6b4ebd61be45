// What a benchmark found out, for people and for programs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <string>

#include "bench/histogram.hpp"

namespace oslo::messaging::cli {

struct figures {
  std::string mode, executor, callers, body;
  std::uint64_t count = 0;  ///< messages measured
  std::size_t in_flight = 0;
  std::size_t servers = 1;
  std::size_t transports = 1;
  double seconds = 0;
  std::uint64_t errors = 0;
  std::optional<failure> first_error{};
  latency_histogram latencies{};
  std::optional<double> wanted_rate{}, sent_rate{};  ///< at a fixed rate
  std::optional<double> taken_rate{};                ///< by the listener afterwards
  /// Seconds of all messages; none where nothing was measured.
  std::optional<double> client_cpu{}, server_cpu{}, broker_cpu{};
  std::optional<std::uint64_t> client_peak_kib{}, server_peak_kib{};
  std::optional<std::uint64_t> client_connections{}, server_connections{};
  std::optional<double> heap_a_call{}, resident_a_call{};  ///< bytes
};

/// CPU time, memory and connections of all processes that take part, over one measurement: from
/// the constructor to `read`.
class meter {
 public:
  /// `server`: none when it shares this process.
  meter(std::optional<pid_t> broker, std::optional<pid_t> server);
  void read(figures& f) const;

 private:
  const std::optional<pid_t> broker_, server_;
  double client_cpu_ = 0, server_cpu_ = 0, broker_cpu_ = 0;
};

/// Whether messages went out at the rate that was asked for (99 % of it).
bool rate_reached(const figures& f) noexcept;
/// One JSON object and a newline.
std::string to_json_line(const figures& f);
/// The same as a few lines of text.
std::string to_text(const figures& f);

}  // namespace oslo::messaging::cli
