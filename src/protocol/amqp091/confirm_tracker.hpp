// Publishes of one channel that the broker has not confirmed yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/amqp091/ring.hpp"

namespace amqp091 {

/// What a returned message has in common with its publish: exchange, routing key, message id, size
/// and both ends of the body. Never 0 or 1.
std::uint64_t return_fingerprint(std::string_view exchange, std::string_view routing_key,
                                 std::string_view message_id, std::string_view body) noexcept;

/// Eight bytes for each publish since the oldest unconfirmed one; constant time for each, however
/// confirms are ordered.
///
/// Returns: a broker returns an unroutable message when it routes it, in the order of publishing,
/// and confirms it afterwards. The return carries no tag, so it is matched to the oldest mandatory
/// publish that is unconfirmed, not matched before, and has the same fingerprint. With message ids
/// that differ (or bodies whose ends or sizes differ) the match is exact. Messages that are alike
/// in all of this are taken in the order of publishing.
class confirm_tracker {
 public:
  explicit confirm_tracker(std::size_t limit) noexcept : limit_(limit) {}

  static constexpr std::uint64_t not_mandatory = 1;

  /// True when `add` would go beyond the limit.
  bool full() const noexcept { return entries_.size() >= limit_; }
  std::size_t unsettled() const noexcept { return unsettled_; }
  /// Takes the next sequence number for a publish: its fingerprint, or `not_mandatory`.
  std::uint64_t add(std::uint64_t fingerprint);
  /// The last number given out.
  std::uint64_t last() const noexcept { return first_ + entries_.size() - 1; }
  /// The oldest unconfirmed number; 0 when there is none.
  std::uint64_t oldest() const noexcept { return entries_.empty() ? 0 : first_; }
  /// False: the number was confirmed before.
  bool settle(std::uint64_t sequence) noexcept;
  /// The publish that a return belongs to; 0 when there is none.
  std::uint64_t match_return(std::uint64_t fingerprint) noexcept;

 private:
  static constexpr std::uint64_t settled = 0;

  ring<std::uint64_t> entries_;    // fingerprint, `not_mandatory` or `settled`; the front unsettled
  std::uint64_t first_ = 1;        // sequence number of the front
  std::uint64_t return_from_ = 1;  // behind the last matched return
  std::size_t unsettled_ = 0;
  std::size_t limit_;
};

}  // namespace amqp091
