#include "core/utf8.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace oslo::messaging {
namespace {

unsigned byte_at(const char* p, unsigned i) noexcept {
  return static_cast<unsigned char>(p[i]);
}

}  // namespace

utf8_part next_utf8(const char* p, const char* end, surrogates lone) noexcept {
  const unsigned lead = byte_at(p, 0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xc2 || lead > 0xf4 || end - p < 2) return {1, false};
  const unsigned length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // Overlong forms, surrogates and what is beyond U+10FFFF show in the second byte.
  unsigned low = 0x80, high = 0xbf;
  switch (lead) {
    case 0xe0: low = 0xa0; break;
    case 0xed: high = lone == surrogates::refuse ? 0x9f : 0xbf; break;
    case 0xf0: low = 0x90; break;
    case 0xf4: high = 0x8f; break;
    default: break;
  }
  const unsigned second = byte_at(p, 1);
  if (second < low || second > high) return {1, false};
  for (unsigned i = 2; i < length; ++i)
    if (end - p == static_cast<std::ptrdiff_t>(i) || (byte_at(p, i) & 0xc0) != 0x80)
      return {i, false};
  return {length, true};
}

char32_t utf8_character(const char* p, unsigned length) noexcept {
  if (length == 1) return byte_at(p, 0);
  unsigned code = byte_at(p, 0) & (0x7fu >> length);
  for (unsigned i = 1; i < length; ++i) code = code << 6 | (byte_at(p, i) & 0x3f);
  return code;
}

char* put_utf8(char* to, unsigned code) noexcept {
  if (code < 0x80) {
    *to++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *to++ = static_cast<char>(0xc0 | code >> 6);
    *to++ = static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *to++ = static_cast<char>(0xe0 | code >> 12);
    *to++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
    *to++ = static_cast<char>(0x80 | (code & 0x3f));
  } else {
    *to++ = static_cast<char>(0xf0 | code >> 18);
    *to++ = static_cast<char>(0x80 | (code >> 12 & 0x3f));
    *to++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
    *to++ = static_cast<char>(0x80 | (code & 0x3f));
  }
  return to;
}

bool is_utf8(std::string_view text) noexcept {
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p != end;) {
    if (std::uint64_t eight = 0; end - p >= static_cast<std::ptrdiff_t>(sizeof eight)) {
      std::memcpy(&eight, p, sizeof eight);
      if ((eight & 0x8080808080808080u) == 0) {  // all ASCII, as nearly everything is
        p += sizeof eight;
        continue;
      }
    }
    if (byte_at(p, 0) < 0x80) {
      ++p;
      continue;
    }
    const auto part = next_utf8(p, end, surrogates::refuse);
    if (!part.valid) return false;
    p += part.length;
  }
  return true;
}

std::string to_valid_utf8(std::string_view text, surrogates lone) {
  std::string out;
  out.reserve(text.size());
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p != end;) {
    const auto part = next_utf8(p, end, lone);
    out += part.valid ? std::string_view(p, part.length) : std::string_view("\xef\xbf\xbd");
    p += part.length;
  }
  return out;
}

std::string to_one_line(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p != end;) {
    const auto part = next_utf8(p, end, surrogates::refuse);
    if (!part.valid)
      out += "\xef\xbf\xbd";
    else if (is_control_character(utf8_character(p, part.length)))
      out += ' ';
    else
      out.append(p, part.length);
    p += part.length;
  }
  return out;
}

}  // namespace oslo::messaging
