// When a little input is worth waking up for.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace oslo::messaging::protocol {

/// How long a little input may lie unread, so that it is read in bulk, which saves a wake-up for
/// each piece.
enum class patience : std::uint8_t {
  none,
  brief,  ///< some 200 bytes, 1 ms: little beside what so many messages take anyway
  ample,  ///< some 1,000 bytes, 20 ms: nobody waits for it
};

/// The patience of one connection. The answers say with how many bytes to be woken from now on;
/// nothing when that stays as it is.
///
/// Once input may have lain as long as allowed, whatever comes next is read at once, and only then
/// in bulk again: the wake-up that the end of the patience brings would be lost if bytes were asked
/// for in bulk before it is seen.
class read_patience {
 public:
  using instant = std::chrono::steady_clock::time_point;

  std::optional<int> want(patience p, instant now);
  std::optional<int> on_tick(instant now);
  void on_input() noexcept { overdue_ = false; }
  /// The stream cannot do it: nothing is asked for any more.
  void disable() noexcept;
  /// When to call `on_tick`; `instant::max()`: never.
  instant next_wake() const noexcept { return until_; }

 private:
  patience now_ = patience::none;
  bool enabled_ = true;
  bool overdue_ = false;  ///< patience has ended, and nothing has been read since
  instant until_ = instant::max();
};

}  // namespace oslo::messaging::protocol
