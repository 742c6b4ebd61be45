#include "core/percent.hpp"

#include <cstddef>

namespace oslo::messaging {
namespace {

using byte = unsigned char;

struct utf8_step {
  std::size_t length;  // bytes of the sequence, or of the longest prefix that could have been one
  bool valid;
};

/// Looks at the sequence at the start of `text`, which is not empty.
utf8_step next_sequence(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<byte>(text[i]); };
  const byte lead = at(0);
  if (lead < 0x80) return {1, true};
  std::size_t length = 0;
  byte low = 0x80, high = 0xbf;  // range of the second byte
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size() || at(i) < low || at(i) > high) return {i, false};
    low = 0x80;
    high = 0xbf;
  }
  return {length, true};
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-' || c == '~';
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto step = next_sequence(text);
    if (!step.valid) return false;
    text.remove_prefix(step.length);
  }
  return true;
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto step = next_sequence(text);
    out += step.valid ? text.substr(0, step.length) : std::string_view{"\xef\xbf\xbd"};
    text.remove_prefix(step.length);
  }
  return out;
}

std::string percent_decode(std::string_view text, bool plus_is_space) {
  std::string bytes;
  bytes.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%' && text.size() - i > 2) {
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        bytes += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    bytes += plus_is_space && c == '+' ? ' ' : c;
  }
  return to_valid_utf8(bytes);
}

std::string percent_encode(std::string_view text, std::string_view safe, bool space_is_plus) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || safe.find(c) != std::string_view::npos) {
      out += c;
    } else if (space_is_plus && c == ' ') {
      out += '+';
    } else {
      const auto b = static_cast<byte>(c);
      out += '%';
      out += "0123456789ABCDEF"[b >> 4];
      out += "0123456789ABCDEF"[b & 15];
    }
  }
  return out;
}

}  // namespace oslo::messaging
