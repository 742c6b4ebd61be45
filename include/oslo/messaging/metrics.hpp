// Counters and timings, handed to whatever the application measures with.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace oslo::messaging {

/// One label of a measurement, such as method=add. Valid during the call that gets it.
struct metric_label {
  std::string_view name;
  std::string_view value;
};
/// The labels of a measurement. One that does not apply (a call without namespace) is left out.
using metric_labels = std::span<const metric_label>;

/// Receives measurements. Names and labels are fixed and documented in docs/architecture.md.
///
/// Thread safety: called from any thread, possibly at once from several. Must not block or throw.
class metrics {
 public:
  virtual ~metrics() = default;
  virtual void add(std::string_view name, metric_labels labels, std::int64_t delta) = 0;
  virtual void set(std::string_view name, metric_labels labels, double level) = 0;
  virtual void observe(std::string_view name, metric_labels labels, double seconds) = 0;
};

}  // namespace oslo::messaging
