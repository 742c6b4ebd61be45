// Bytes of JSON strings: eight at a time where they stand for themselves, UTF-8, escaping.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace oslo::messaging::json_text {

inline constexpr std::uint64_t ones = 0x0101010101010101;
inline constexpr std::uint64_t highs = 0x8080808080808080;

/// Eight bytes; the first one is the lowest.
inline std::uint64_t load8(const char* p) noexcept {
  std::uint64_t word;
  std::memcpy(&word, p, 8);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

// Each mask has the high bit of the first matching byte set. Bytes above it may be set wrongly (the
// subtractions borrow), so only the lowest bit may be looked at.
inline std::uint64_t zero_bytes(std::uint64_t word) noexcept {
  return (word - ones) & ~word & highs;
}
inline std::uint64_t equal_bytes(std::uint64_t word, unsigned char c) noexcept {
  return zero_bytes(word ^ (ones * c));
}
inline std::uint64_t control_bytes(std::uint64_t word) noexcept {
  return (word - ones * 0x20) & ~word & highs;
}

/// What ends a run of plain characters inside a JSON string.
inline std::uint64_t string_stops(std::uint64_t word) noexcept {
  return equal_bytes(word, '"') | equal_bytes(word, '\\') | control_bytes(word) | (word & highs);
}
/// What has to be escaped; Python also escapes DEL.
inline std::uint64_t escape_stops(std::uint64_t word) noexcept {
  return string_stops(word) | equal_bytes(word, 0x7f);
}
/// Index of the first byte set in a mask that is not zero.
inline int first_byte(std::uint64_t mask) noexcept {
  return std::countr_zero(mask) >> 3;
}

/// Length of the UTF-8 sequence at `p`, which is a byte above 0x7f; 0 when it is invalid. The
/// three-byte form of a surrogate counts as valid: it stands for a lone surrogate of Python.
unsigned utf8_length(const char* p, const char* end) noexcept;

/// Writes a character (or a lone surrogate) as one to four bytes and returns where they end.
char* put_utf8(char* to, unsigned code) noexcept;

/// What to do with bytes that are not UTF-8.
enum class invalid_text {
  refuse,   ///< throw `errc::serialization_failed`
  replace,  ///< write U+FFFD for each byte, for texts that must get through (error messages)
};

/// Appends `text` as the inside of a JSON string, all but printable ASCII escaped.
void escape(std::string& out, std::string_view text, invalid_text policy = invalid_text::refuse);

}  // namespace oslo::messaging::json_text
