// What a benchmark found out, for people and for programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging::cli {

struct figures {
  std::string_view mode;
  std::string_view executor;
  std::uint64_t count = 0;  ///< messages measured
  std::size_t in_flight = 0;
  std::size_t body = 0;
  double seconds = 0;
  std::uint64_t errors = 0;
  std::vector<float> latencies{};  ///< seconds; sorted by the functions below
  /// Seconds of all messages; none where nothing was measured.
  std::optional<double> client_cpu{}, server_cpu{};
};

/// One JSON object, with "rate", "latency_us", "cpu_us" (a message) and "errors" among its keys.
std::string to_json_line(figures& f);
/// The same as a few lines of text.
std::string to_text(figures& f);

}  // namespace oslo::messaging::cli
