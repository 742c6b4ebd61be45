// Counters and timings, handed to whatever the application measures with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <oslo/messaging/logger.hpp>
#include <span>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// One label of a measurement, such as method=add. Valid during the call that gets it.
struct metric_label {
  std::string_view name;   ///< "method"
  std::string_view value;  ///< "add"
};
/// The labels of a measurement. One that does not apply (a call without namespace) is left out.
using metric_labels = std::span<const metric_label>;

/// Receives measurements. Names and labels are fixed and documented in docs/metrics.md.
///
/// Thread safety: called from any thread, possibly at once from several. Must not block. What
/// it throws is one error line in the log, and ends nothing.
class metrics {
 public:
  virtual ~metrics() = default;
  /// A counter grows by `delta`.
  virtual void add(std::string_view name, metric_labels labels, std::int64_t delta) = 0;
  /// A gauge has this level now.
  virtual void set(std::string_view name, metric_labels labels, double level) = 0;
  /// Something took so many seconds.
  virtual void observe(std::string_view name, metric_labels labels, double seconds) = 0;
};

/// Where `oslo_metrics` sends to; the options of [oslo_messaging_metrics] (docs/options.md).
struct oslo_metrics_options {
  /// The UNIX datagram socket of the collector, at most 107 bytes.
  std::string socket = "/var/tmp/metrics_collector.sock";
  /// Label `process` of every measurement.
  std::string process{};
  /// Measurements that wait for the collector at most; what comes beyond is dropped, with a
  /// warning.
  std::size_t buffer = 1'000;
};

/// Sends the measurements of calls, casts and requests to the collector of oslo.metrics, as
/// oslo.messaging does (docs/rpc.md); others, which it does not know, are left out. A thread
/// of its own sends; while the collector is away it tries again once a second, with one error in
/// the log. Destroying it sends what waits, for a second or two at most, unless the collector is
/// away.
///
/// A transport makes one itself when option metrics_enabled is on and it is given no `metrics`.
/// Throws `configuration_error` for a path that is too long or a buffer of 0.
std::shared_ptr<metrics> oslo_metrics(oslo_metrics_options o = {}, logger log = stderr_logger());

}  // namespace oslo::messaging

#pragma GCC visibility pop
