#include "core/json/json_text.hpp"

#include <oslo/messaging/error.hpp>

#include "core/utf8.hpp"

namespace oslo::messaging::json_text {
namespace {

constexpr char hex[] = "0123456789abcdef";

char* put_u(char* to, unsigned unit) noexcept {
  to[0] = '\\';
  to[1] = 'u';
  to[2] = hex[unit >> 12 & 15];
  to[3] = hex[unit >> 8 & 15];
  to[4] = hex[unit >> 4 & 15];
  to[5] = hex[unit & 15];
  return to + 6;
}

char short_escape(unsigned char c) noexcept {
  switch (c) {
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return 0;
  }
}

char* put_ascii(char* to, unsigned char c) noexcept {
  if (const char letter = short_escape(c)) {
    to[0] = '\\';
    to[1] = letter;
    return to + 2;
  }
  return put_u(to, c);
}

char* put_multibyte(char* to, const char* p, unsigned length) noexcept {
  const unsigned code = utf8_character(p, length);
  if (code < 0x10000) return put_u(to, code);
  return put_u(put_u(to, 0xd800 + ((code - 0x10000) >> 10)), 0xdc00 + (code & 0x3ff));
}

}  // namespace

void escape(std::string& out, std::string_view text, invalid_text policy) {
  // The text grows while it is copied, so it goes through a small buffer: one bounds check a step,
  // and no byte of the string is written twice.
  constexpr std::size_t room = 512;
  char buffer[room + step + 12];  // and one escaped character

  char* to = buffer;
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p != end) {
    if (to >= buffer + room) {
      out.append(buffer, static_cast<std::size_t>(to - buffer));
      to = buffer;
    }
    const int plain = copy_plain<direction::writing>(to, p, end);
    p += plain;
    to += plain;
    if (plain == step) {
      append_plain_blocks<direction::writing>(out, buffer, to, p, end);
      continue;
    }
    if (p == end) break;
    const auto c = static_cast<unsigned char>(*p);
    if (c == '"' || c == '\\') [[likely]] {
      to[0] = '\\';
      to[1] = static_cast<char>(c);
      to += 2;
      ++p;
      continue;
    }
    if (c > 0x7f) {
      const unsigned length = utf8_length(p, end);
      if (length == 0 && policy == invalid_text::replace) {
        to = put_u(to, 0xfffd);
        ++p;
        continue;
      }
      if (length == 0)
        throw messaging_error({errc::serialization_failed,
                               "Text cannot be written as JSON: it is not valid UTF-8 at byte " +
                                   std::to_string(p - text.data())});
      to = put_multibyte(to, p, length);
      p += length;
      continue;
    }
    if (c >= 0x20 && c != 0x7f)
      *to++ = static_cast<char>(c);
    else
      to = put_ascii(to, c);
    ++p;
  }
  out.append(buffer, static_cast<std::size_t>(to - buffer));
}

}  // namespace oslo::messaging::json_text
