// How json_reader reads strings.
#include <array>
#include <cstring>
#include <oslo/messaging/json.hpp>

#include "core/json/json_number.hpp"
#include "core/json/json_text.hpp"
#include "core/utf8.hpp"

namespace oslo::messaging {
namespace {

/// What the character after a backslash means: 0 = not an escape, 'u' = \uXXXX.
constexpr auto escape_meanings = [] {
  std::array<char, 256> table{};
  for (const char c : {'"', '\\', '/', 'u'}) table[static_cast<unsigned char>(c)] = c;
  table['b'] = '\b';
  table['f'] = '\f';
  table['n'] = '\n';
  table['r'] = '\r';
  table['t'] = '\t';
  return table;
}();
char escape_meaning(char c) noexcept {
  return escape_meanings[static_cast<unsigned char>(c)];
}

}  // namespace

inline void json_reader::scan_plain() {
  for (;;) {
    const int plain = json_text::plain_run<json_text::direction::reading>(p_, end_);
    p_ += plain;
    if (plain == json_text::step) {
      p_ = json_text::skip_plain_blocks<json_text::direction::reading>(p_, end_);
      continue;
    }
    if (p_ == end_) fail_at(p_, "the string has no end");
    const auto c = static_cast<unsigned char>(*p_);
    if (c == '"' || c == '\\') return;
    if (c < 0x20) fail_at(p_, "control character inside a string");
    unsigned length = 1;
    if (c > 0x7f && (length = utf8_length(p_, end_)) == 0)
      fail_at(p_, "the text is not valid UTF-8");
    p_ += length;
  }
}

unsigned json_reader::hex4() {
  unsigned unit = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = current();
    const char lower = static_cast<char>(c | 0x20);
    unsigned digit;
    if (json_number::is_digit(c))
      digit = static_cast<unsigned>(c - '0');
    else if (lower >= 'a' && lower <= 'f')
      digit = static_cast<unsigned>(lower - 'a' + 10);
    else
      fail_at(p_, "expected four hexadecimal digits");
    unit = unit << 4 | digit;
    ++p_;
  }
  return unit;
}

inline void json_reader::scan_escape() {
  const char meaning = end_ - p_ < 2 ? '\0' : escape_meaning(p_[1]);
  if (meaning == 0) fail_at(p_, "invalid escape");
  p_ += 2;
  if (meaning == 'u') hex4();
}

/// Writes one escape (or surrogate pair): at most four bytes.
inline char* json_reader::decode_escape(char* to) {
  const char meaning = end_ - p_ < 2 ? '\0' : escape_meaning(p_[1]);
  if (meaning == 0) fail_at(p_, "invalid escape");
  p_ += 2;
  if (meaning != 'u') {
    *to = meaning;
    return to + 1;
  }
  unsigned code = hex4();
  if (code >> 10 == 0xd800 >> 10 && end_ - p_ >= 6 && p_[0] == '\\' && p_[1] == 'u') {
    const char* const second = p_;
    p_ += 2;
    const unsigned low = hex4();
    if (low >> 10 == 0xdc00 >> 10)
      code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
    else
      p_ = second;  // both stand alone
  }
  return put_utf8(to, code);
}

void json_reader::scan_string() {
  ++p_;
  for (;;) {
    scan_plain();
    if (*p_ == '"') break;
    scan_escape();
  }
  ++p_;
}

/// Appends the rest of a string from its first escape on, and leaves it.
void json_reader::decode_tail(std::string& out) {
  // Through a small buffer, as in `json_text::escape`.
  constexpr std::size_t room = 512;
  char buffer[room + json_text::step + 16];
  char* to = buffer;
  for (;;) {
    if (to >= buffer + room) {
      out.append(buffer, static_cast<std::size_t>(to - buffer));
      to = buffer;
    }
    const int plain = json_text::copy_plain<json_text::direction::reading>(to, p_, end_);
    p_ += plain;
    to += plain;
    if (plain == json_text::step) {
      json_text::append_plain_blocks<json_text::direction::reading>(out, buffer, to, p_, end_);
      continue;
    }
    if (p_ == end_) fail_at(p_, "the string has no end");
    const auto c = static_cast<unsigned char>(*p_);
    if (c == '"') break;
    if (c == '\\') {
      // What an envelope is full of.
      if (end_ - p_ >= 2 && p_[1] == '"') [[likely]] {
        *to++ = '"';
        p_ += 2;
        continue;
      }
      to = decode_escape(to);
    } else if (c < 0x20) {
      fail_at(p_, "control character inside a string");
    } else {
      unsigned length = 1;
      if (c > 0x7f && (length = utf8_length(p_, end_)) == 0)
        fail_at(p_, "the text is not valid UTF-8");
      std::memcpy(to, p_, length);
      to += length;
      p_ += length;
    }
  }
  ++p_;
  out.append(buffer, static_cast<std::size_t>(to - buffer));
}

std::string_view json_reader::read_string_view(std::string& scratch) {
  skip_space();
  if (current() != '"') fail("a string");
  const char* const from = ++p_;
  scan_plain();
  const std::size_t plain = static_cast<std::size_t>(p_ - from);
  if (*p_ == '"') {
    ++p_;
    return {from, plain};
  }
  scratch.assign(from, plain);
  decode_tail(scratch);
  return scratch;
}

void json_reader::read_string(std::string& out) {
  const std::string_view text = read_string_view(out);
  if (text.data() != out.data()) out.assign(text);
}

}  // namespace oslo::messaging
