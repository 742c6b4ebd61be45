// The W3C trace context, version 00.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oslo::messaging {

/// What `traceparent` says: the trace, the span that is the parent, and its flags.
struct trace_parent {
  static constexpr std::uint8_t sampled = 1;
  static constexpr std::uint8_t random_id = 2;

  std::array<std::uint64_t, 2> trace{};
  std::uint64_t span = 0;
  std::uint8_t flags = 0;

  /// None for text that breaks the rules: other lengths, upper-case digits, ids of zeros, version
  /// ff. Versions above 00 may have more text after the flags, which is ignored.
  static std::optional<trace_parent> parse(std::string_view text) noexcept;
  /// "00-<32 digits>-<16 digits>-<2 digits>".
  std::string text() const;
  std::string trace_id() const;
  std::string span_id() const;
};

}  // namespace oslo::messaging
