// The library's only way to say something to the operator.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// From the least important on; `off` is above all that is told.
enum class log_level { trace, debug, info, warning, error, off };

/// A level and a sink. Secrets never reach the sink.
///
/// Thread safety: `sink` is called from any thread, possibly at once from several.
/// It must not call back into the library. What it throws is dropped: a log must not end the work
/// that it tells of, and there is no other place to report to.
struct logger {
  log_level level = log_level::warning;  ///< the lowest that is told
  /// gets one line without its end; none: silent
  std::function<void(log_level, std::string_view)> sink;

  /// True when a line of that level would be told; for lines that cost something to make.
  bool enabled(log_level l) const noexcept { return sink && l >= level; }
  /// Tells a line, if its level is enabled. Nothing is thrown.
  void operator()(log_level l, std::string_view text) const noexcept {
    if (!enabled(l)) return;
    try {
      sink(l, text);
    } catch (...) {
    }
  }
};

/// Writes "2026-01-02T03:04:05.006Z WARNING text" lines to standard error.
logger stderr_logger(log_level level = log_level::warning);
/// "WARNING" and so on.
std::string_view to_string(log_level level) noexcept;

}  // namespace oslo::messaging

#pragma GCC visibility pop
