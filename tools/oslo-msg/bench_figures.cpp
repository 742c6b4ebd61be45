#include "bench_figures.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <oslo/messaging/value.hpp>

namespace oslo::messaging::cli {
namespace {

double rate(const figures& f) {
  return f.seconds > 0 ? static_cast<double>(f.count - f.errors) / f.seconds : 0;
}

std::optional<double> percentile_us(const figures& f, double fraction) {
  if (f.latencies.empty()) return std::nullopt;
  const auto size = f.latencies.size();
  const auto at = static_cast<std::size_t>(fraction * static_cast<double>(size));
  return 1e6 * static_cast<double>(f.latencies[std::min(at, size - 1)]);
}

std::optional<double> us_a_message(const figures& f, std::optional<double> seconds) {
  if (!seconds || f.count == 0) return std::nullopt;
  return 1e6 * *seconds / static_cast<double>(f.count);
}

value or_null(std::optional<double> v) {
  return v ? value(*v) : value(nullptr);
}

/// "12345.6 us", or "-".
std::string us(std::optional<double> v) {
  if (!v) return "-";
  char text[64];
  std::snprintf(text, sizeof text, "%.1f us", *v);
  return text;
}

}  // namespace

std::string to_json_line(figures& f) {
  std::sort(f.latencies.begin(), f.latencies.end());
  const value v{{"mode", f.mode},
                {"executor", f.executor},
                {"in_flight", f.in_flight},
                {"count", f.count},
                {"body", f.body},
                {"seconds", f.seconds},
                {"rate", rate(f)},
                {"latency_us",
                 {{"p50", or_null(percentile_us(f, 0.5))},
                  {"p99", or_null(percentile_us(f, 0.99))},
                  {"p999", or_null(percentile_us(f, 0.999))}}},
                {"cpu_us",
                 {{"client", or_null(us_a_message(f, f.client_cpu))},
                  {"server", or_null(us_a_message(f, f.server_cpu))}}},
                {"errors", f.errors}};
  return boost::json::serialize(v) + '\n';
}

std::string to_text(figures& f) {
  std::sort(f.latencies.begin(), f.latencies.end());
  char text[256];
  std::string out;
  std::snprintf(text, sizeof text, "rate      %.0f a second (%llu in %.2f s, %llu errors)\n",
                rate(f), static_cast<unsigned long long>(f.count), f.seconds,
                static_cast<unsigned long long>(f.errors));
  out += text;
  if (!f.latencies.empty())
    out += "latency   p50 " + us(percentile_us(f, 0.5)) + ", p99 " + us(percentile_us(f, 0.99)) +
           ", p99.9 " + us(percentile_us(f, 0.999)) + '\n';
  return out + "cpu       client " + us(us_a_message(f, f.client_cpu)) + ", server " +
         us(us_a_message(f, f.server_cpu)) + " a message\n";
}

}  // namespace oslo::messaging::cli
