// How long the caller of a request still waits, told to the server beside the message.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace oslo::messaging::wire {

using std::chrono::milliseconds;

// Names of headers, for drivers whose messages have some; Python peers ignore them. Short enough
// that a std::string needs no allocation.
inline constexpr const char* limit_header = "oslo-timeout-ms";
inline constexpr const char* sent_header = "oslo-steady-ms";
inline constexpr const char* sender_header = "oslo-sender";

/// What a message says about the time of its caller. From a peer: any value is possible.
struct call_time {
  std::optional<std::int64_t> limit_ms{};  ///< what the caller still gave it when it was sent
  std::optional<std::int64_t> sent_ms{};   ///< when that was, by the sender's monotonic clock
  std::optional<std::int64_t> sender{};    ///< whose clock it is: a random number of a transport
  bool operator==(const call_time&) const = default;
};

/// Puts the time on the messages of one transport.
///
/// A monotonic clock stands still while its host is suspended. The wall clock shows that: when the
/// two have moved apart the sender takes a new name, and receivers compare with what they know of
/// that name only.
class time_stamp {
 public:
  /// `name`: take `random_bits()`.
  explicit time_stamp(std::uint64_t name) noexcept : name_(name) {}

  call_time of(milliseconds left, std::chrono::steady_clock::time_point now,
               std::chrono::system_clock::time_point wall) noexcept;

 private:
  std::uint64_t name_;
  std::optional<milliseconds> apart_;  ///< wall clock less monotonic clock, when the name was taken
};

}  // namespace oslo::messaging::wire
