// Bytes of JSON strings: many at a time where they stand for themselves, escaping.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

/// Index of the first byte set in a mask that is not zero.
inline int first_byte(std::uint64_t mask) noexcept {
  return std::countr_zero(mask) >> 3;
}

enum class direction {
  reading,  ///< stops: quote, backslash, control characters, bytes above 0x7f
  writing,  ///< and DEL, which Python escapes
};

/// Not zero where one of eight bytes does not stand for itself.
template <direction d>
std::uint64_t stops_of_8(const char* p) noexcept {
  const std::uint64_t word = load8(p);
  std::uint64_t stops =
      equal_bytes(word, '"') | equal_bytes(word, '\\') | control_bytes(word) | (word & highs);
  if constexpr (d == direction::writing) stops |= equal_bytes(word, 0x7f);
  return stops;
}
/// Of eight bytes, how many from the first on stand for themselves inside a string.
template <direction d>
int plain_of_8(const char* p) noexcept {
  const std::uint64_t stops = stops_of_8<d>(p);
  return stops == 0 ? 8 : first_byte(stops);
}

#if defined(__SSE2__)
/// As many bytes as are looked at in one step.
inline constexpr int step = 16;

template <direction d>
__m128i stops_of_step(const char* p) noexcept {
  __m128i bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  // Signed: bytes above 0x7f are below the blank, too.
  __m128i stops = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
                               _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                            _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
  if constexpr (d == direction::writing)
    stops = _mm_or_si128(stops, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
  return stops;
}
template <direction d>
int plain_of_step(const char* p) noexcept {
  const auto stops = static_cast<unsigned>(_mm_movemask_epi8(stops_of_step<d>(p)));
  return std::countr_zero(stops | 1u << step);
}
/// Whether four steps stand for themselves as a whole.
template <direction d>
bool is_plain_block(const char* p) noexcept {
  const __m128i stops =
      _mm_or_si128(_mm_or_si128(stops_of_step<d>(p), stops_of_step<d>(p + step)),
                   _mm_or_si128(stops_of_step<d>(p + 2 * step), stops_of_step<d>(p + 3 * step)));
  return _mm_movemask_epi8(stops) == 0;
}
#else
inline constexpr int step = 8;

template <direction d>
int plain_of_step(const char* p) noexcept {
  return plain_of_8<d>(p);
}
template <direction d>
bool is_plain_block(const char* p) noexcept {
  return (stops_of_8<d>(p) | stops_of_8<d>(p + 8) | stops_of_8<d>(p + 16) |
          stops_of_8<d>(p + 24)) == 0;
}
#endif

/// Past all whole blocks from `p` on that stand for themselves.
template <direction d>
[[gnu::noinline]] const char* skip_blocks(const char* p, const char* end) noexcept {
  while (end - p >= 4 * step && is_plain_block<d>(p)) p += 4 * step;
  return p;
}
/// The same for what follows a whole step in a long text. In a short one looking for them costs
/// more than it saves.
template <direction d>
const char* skip_plain_blocks(const char* p, const char* end) noexcept {
  constexpr std::ptrdiff_t long_text = 512;
  return end - p < long_text ? p : skip_blocks<d>(p, end);
}
/// The same for a text that is collected in `buffer`, up to `to`: both go to `out`.
template <direction d>
void append_plain_blocks(std::string& out, char* buffer, char*& to, const char*& p,
                         const char* end) {
  const char* const past = skip_plain_blocks<d>(p, end);
  if (past == p) return;
  out.append(buffer, to);
  to = buffer;
  out.append(p, past);
  p = past;
}

/// How many bytes from `p` on stand for themselves: as far as a step looks, which may be too short.
template <direction d>
int plain_run(const char* p, const char* end) noexcept {
  if (end - p >= step) [[likely]]
    return plain_of_step<d>(p);
  return end - p >= 8 ? plain_of_8<d>(p) : 0;
}
/// The same, and copies that many; `to` must have room for a whole step.
template <direction d>
int copy_plain(char* to, const char* p, const char* end) noexcept {
  if (end - p >= step) [[likely]] {
    std::memcpy(to, p, step);
    return plain_of_step<d>(p);
  }
  if (end - p < 8) return 0;
  std::memcpy(to, p, 8);
  return plain_of_8<d>(p);
}

/// Whether all of it stands for itself inside a string.
template <direction d>
bool is_plain(std::string_view text) noexcept {
  const char* p = text.data();
  const char* const end = p + text.size();
  if (text.empty()) return true;
  if (text.size() < 8) {
    char padded[8] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};
    std::memcpy(padded, p, text.size());
    return plain_of_8<d>(padded) == 8;
  }
  for (; end - p >= step; p += step)
    if (plain_of_step<d>(p) != step) return false;
  if (text.size() >= std::size_t{step}) return plain_of_step<d>(end - step) == step;
  return plain_of_8<d>(p) == 8 && plain_of_8<d>(end - 8) == 8;
}

/// What to do with bytes that are not UTF-8.
enum class invalid_text {
  refuse,   ///< throw `errc::serialization_failed`
  replace,  ///< write U+FFFD for each byte, for texts that must get through (error messages)
};

/// Appends `text` as the inside of a JSON string, all but printable ASCII escaped.
void escape(std::string& out, std::string_view text, invalid_text policy = invalid_text::refuse);

}  // namespace oslo::messaging::json_text
