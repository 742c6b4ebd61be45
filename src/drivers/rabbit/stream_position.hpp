// Where in a stream its reader goes on. A stream keeps what was read, so the reader has to know.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "protocol/amqp091/field_table.hpp"

namespace oslo::messaging::rabbit {

/// What the consumer of a stream asks for with `x-stream-offset`.
///
/// A new reader begins with what is published from then on ("next"), as a queue of its own would
/// give it. From its first message on it goes on behind the last one; until then, and when offsets
/// count anew because the stream was deleted, it goes by the clock.
///
/// Thread safety: one thread at a time.
class stream_position {
 public:
  using wall_clock = std::chrono::system_clock;

  amqp091::field_value argument() const;
  /// Of a message that has arrived; nothing when it does not say, or says nonsense.
  static std::optional<std::uint64_t> offset_in(const amqp091::field_table* headers);

  void received(std::uint64_t offset) noexcept {
    next_ = offset + 1;
    before_.reset();
  }
  /// Everything from this message on is still to be handled.
  void back_to(std::uint64_t offset) noexcept { next_ = offset; }
  /// It is being read: what comes later must not be missed.
  void reading_since(wall_clock::time_point now) noexcept {
    if (!next_ && !since_) since_ = now;
  }
  /// Where it goes on, if it knows.
  std::optional<std::uint64_t> next() const noexcept { return next_; }
  /// The stream may be another one.
  void restart(wall_clock::time_point now) noexcept {
    next_.reset();
    before_.reset();
    since_ = now;
  }
  /// It seems to be another one. What comes first tells.
  void doubt(wall_clock::time_point since) noexcept {
    const auto before = next_;
    restart(since);
    before_ = before;
  }
  /// That is as far as only the one before can be: it is the same, and something was passed over.
  /// Goes back to that.
  bool goes_back(std::uint64_t offset) noexcept {
    if (!before_ || offset <= *before_) return false;
    next_ = *std::exchange(before_, std::nullopt);
    return true;
  }

 private:
  std::optional<std::uint64_t> next_;
  std::optional<std::uint64_t> before_;  ///< in doubt: the next one if it is the same stream
  std::optional<wall_clock::time_point> since_;
};

}  // namespace oslo::messaging::rabbit
