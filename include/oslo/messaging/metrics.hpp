// Counters and timings, handed to whatever the application measures with.
#pragma once

#include <cstdint>
#include <string_view>

namespace oslo::messaging {

/// Receives measurements. Names are fixed and documented in docs/architecture.md; `label` is one
/// value (method, topic or driver) and may be empty.
///
/// Thread safety: called from any thread, possibly at once from several. Must not block or throw.
class metrics {
 public:
  virtual ~metrics() = default;
  virtual void add(std::string_view name, std::string_view label, std::int64_t delta) = 0;
  virtual void set(std::string_view name, std::string_view label, double level) = 0;
  virtual void observe(std::string_view name, std::string_view label, double seconds) = 0;
};

}  // namespace oslo::messaging
