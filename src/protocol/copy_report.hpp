// What the log says of second copies.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace oslo::messaging::protocol {

/// A restart of the broker may bring thousands of second copies: the first one is a line, those
/// after it are counted, and their number is a line every 30 s.
///
/// Not thread safe. No clock.
class copy_report {
 public:
  using instant = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds period{30};

  /// The line to log; nothing: it was counted.
  std::optional<std::string> ignored(std::string_view unique_id, instant now);
  std::optional<std::string> on_tick(instant now);
  /// `instant::max()`: there is no number to tell.
  instant next_deadline() const noexcept { return counted_ == 0 ? instant::max() : quiet_until_; }

 private:
  instant quiet_until_ = instant::min();
  std::size_t counted_ = 0;
};

}  // namespace oslo::messaging::protocol
