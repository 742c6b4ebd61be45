#include "bench/figures.hpp"

#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <cstdio>
#include <oslo/messaging/value.hpp>

#include "process_usage.hpp"

namespace oslo::messaging::cli {
namespace {

double rate(const figures& f) {
  return f.seconds > 0 ? static_cast<double>(f.count - f.errors) / f.seconds : 0;
}

std::optional<double> percentile_us(const figures& f, double fraction) {
  if (f.latencies.count() == 0) return std::nullopt;
  return std::chrono::duration<double, std::micro>(f.latencies.at(fraction)).count();
}

std::optional<double> us_a_message(const figures& f, std::optional<double> seconds) {
  if (!seconds || f.count == 0) return std::nullopt;
  return 1e6 * *seconds / static_cast<double>(f.count);
}

template <class T>
value or_null(std::optional<T> v) {
  return v ? value(*v) : value(nullptr);
}

/// For a plot of the distribution: pairs of fraction and latency.
array curve(const figures& f) {
  array points;
  if (f.latencies.count() == 0) return points;
  for (const double fraction : {0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995,
                                0.998, 0.999, 0.9995, 0.9999, 1.0})
    points.push_back({fraction, percentile_us(f, fraction).value()});
  return points;
}

/// "12345.6 us", or "-".
std::string with_unit(std::optional<double> v, const char* unit) {
  if (!v) return "-";
  char text[64];
  std::snprintf(text, sizeof text, "%.1f %s", *v, unit);
  return text;
}
std::string us(std::optional<double> v) {
  return with_unit(v, "us");
}
std::string mib(std::optional<std::uint64_t> kib) {
  return with_unit(kib ? std::optional<double>(static_cast<double>(*kib) / 1024) : std::nullopt,
                   "MiB");
}
std::string number(std::optional<std::uint64_t> n) {
  return n ? std::to_string(*n) : "-";
}

}  // namespace

meter::meter(std::optional<pid_t> broker, std::optional<pid_t> server)
    : broker_{broker}, server_{server}, client_cpu_{cpu_seconds_of(getpid())} {
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

bool rate_reached(const figures& f) noexcept {
  return !f.wanted_rate || !f.sent_rate || *f.sent_rate >= 0.99 * *f.wanted_rate;
}

std::string to_json_line(const figures& f) {
  object o{{"mode", f.mode},
           {"executor", f.executor},
           {"callers", f.callers},
           {"in_flight", f.in_flight},
           {"servers", f.servers},
           {"transports", f.transports},
           {"count", f.count},
           {"body", f.body},
           {"seconds", f.seconds},
           {"rate", rate(f)},
           {"latency_us",
            {{"p50", or_null(percentile_us(f, 0.5))},
             {"p90", or_null(percentile_us(f, 0.9))},
             {"p99", or_null(percentile_us(f, 0.99))},
             {"p999", or_null(percentile_us(f, 0.999))},
             {"max", or_null(percentile_us(f, 1))},
             {"curve", curve(f)}}},
           {"cpu_us",
            {{"client", or_null(us_a_message(f, f.client_cpu))},
             {"server", or_null(us_a_message(f, f.server_cpu))},
             {"broker", or_null(us_a_message(f, f.broker_cpu))}}},
           {"peak_memory_kib",
            {{"client", or_null(f.client_peak_kib)}, {"server", or_null(f.server_peak_kib)}}},
           {"connections",
            {{"client", or_null(f.client_connections)}, {"server", or_null(f.server_connections)}}},
           {"errors", f.errors}};
  if (f.wanted_rate)
    o["open_loop"] = {
        {"rate", *f.wanted_rate}, {"sent", or_null(f.sent_rate)}, {"reached", rate_reached(f)}};
  if (f.taken_rate) o["taken_rate"] = *f.taken_rate;
  if (f.heap_a_call)
    o["bytes_a_call"] = {{"heap", *f.heap_a_call}, {"resident", or_null(f.resident_a_call)}};
  return boost::json::serialize(o) + '\n';
}

std::string to_text(const figures& f) {
  char text[256];
  std::string out;
  std::snprintf(text, sizeof text, "rate      %.0f a second (%llu in %.2f s, %llu errors)\n",
                rate(f), static_cast<unsigned long long>(f.count), f.seconds,
                static_cast<unsigned long long>(f.errors));
  out += text;
  if (f.wanted_rate) {
    std::snprintf(text, sizeof text, "sent      %.0f a second of %.0f that were asked for%s\n",
                  f.sent_rate.value_or(0), *f.wanted_rate,
                  rate_reached(f) ? "" : ": the rate was not reached");
    out += text;
  }
  if (f.taken_rate) {
    std::snprintf(text, sizeof text, "taken     %.0f a second by a listener afterwards\n",
                  *f.taken_rate);
    out += text;
  }
  if (f.latencies.count() != 0)
    out += "latency   p50 " + us(percentile_us(f, 0.5)) + ", p90 " + us(percentile_us(f, 0.9)) +
           ", p99 " + us(percentile_us(f, 0.99)) + ", p99.9 " + us(percentile_us(f, 0.999)) +
           ", max " + us(percentile_us(f, 1)) + '\n';
  if (f.heap_a_call)
    out += "memory    a pending call " + with_unit(f.heap_a_call, "bytes of heap, ") +
           with_unit(f.resident_a_call, "bytes resident\n");
  out += "cpu       client " + us(us_a_message(f, f.client_cpu)) + ", server " +
         us(us_a_message(f, f.server_cpu));
  if (f.broker_cpu) out += ", broker " + us(us_a_message(f, f.broker_cpu));
  return out + " a message\npeak      client " + mib(f.client_peak_kib) + ", server " +
         mib(f.server_peak_kib) + "; connections " + number(f.client_connections) + " and " +
         number(f.server_connections) + '\n';
}

}  // namespace oslo::messaging::cli
