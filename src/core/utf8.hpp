// UTF-8: where a character ends, what it is, and what to do with bytes that are none.
#pragma once

#include <string>
#include <string_view>

namespace oslo::messaging {

/// The three-byte form of a lone surrogate is no UTF-8, but stands for one of Python's.
enum class surrogates { refuse, take };

struct utf8_part {
  unsigned length;  ///< of the sequence, or of the longest prefix that could have become one
  bool valid;
};
/// Looks at the sequence at `p`, which is not `end`.
utf8_part next_utf8(const char* p, const char* end, surrogates lone) noexcept;

/// Length of the sequence at `p`, which is not `end`; 0 when it is invalid. Takes lone surrogates.
inline unsigned utf8_length(const char* p, const char* end) noexcept {
  const auto part = next_utf8(p, end, surrogates::take);
  return part.valid ? part.length : 0;
}

/// The character of the valid sequence at `p`.
char32_t utf8_character(const char* p, unsigned length) noexcept;

/// True for what no line of text holds and a terminal may obey; there are such behind ASCII, too.
constexpr bool is_control_character(char32_t c) noexcept {
  return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/// Writes a character (or a lone surrogate) as one to four bytes and returns where they end.
char* put_utf8(char* to, unsigned code) noexcept;

/// True when `text` is well-formed UTF-8.
bool is_utf8(std::string_view text) noexcept;

/// Replaces each ill-formed sequence by U+FFFD, one for each maximal part as Unicode recommends.
std::string to_valid_utf8(std::string_view text, surrogates lone = surrogates::refuse);

/// What others say as a part of a line of ours: valid, and with spaces for control characters.
std::string to_one_line(std::string_view text);

}  // namespace oslo::messaging
