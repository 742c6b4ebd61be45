#include <array>
#include <charconv>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>

#include "core/json/json_number.hpp"
#include "core/json/json_text.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"

namespace oslo::messaging {
namespace {

using json_number::is_integer;

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

json_reader::json_reader(std::string_view text, unsigned max_depth) noexcept
    : begin_(text.data()),
      p_(begin_),
      end_(begin_ + text.size()),
      max_depth_(max_depth < default_max_depth ? max_depth : default_max_depth) {}

void json_reader::fail_at(const char* where, std::string_view what) const {
  std::string text = "Malformed JSON at byte " + std::to_string(where - begin_) + ": ";
  text += what;
  throw messaging_error({errc::malformed_message, std::move(text)});
}

void json_reader::fail(std::string_view expected) const {
  std::string text = "expected ";
  text += expected;
  const auto c = static_cast<unsigned char>(current());
  if (p_ == end_) {
    text += ", got the end of the text";
  } else if (p_ == begin_ && std::string_view(p_, static_cast<std::size_t>(end_ - p_))
                                 .starts_with("\xef\xbb\xbf")) {
    text += ", got a byte order mark";
  } else if (c > 0x20 && c < 0x7f) {
    text += ", got '";
    text += static_cast<char>(c);
    text += '\'';
  } else {
    constexpr char hex[] = "0123456789abcdef";
    text += ", got byte 0x";
    text += hex[c >> 4];
    text += hex[c & 15];
  }
  fail_at(p_, text);
}

json_reader::kind json_reader::peek() {
  skip_space();
  if (p_ == end_) return kind::end;
  switch (*p_) {
    case 'n': return kind::null;
    case 't':
    case 'f': return kind::boolean;
    case '"': return kind::string;
    case '[': return kind::array;
    case '{': return kind::object;
    case ']':
    case '}': return kind::end;
    case '-':
    case 'N':
    case 'I': return kind::number;
    default:
      if (is_digit(*p_)) return kind::number;
      fail("a value");
  }
}

void json_reader::expect_literal(std::string_view word) {
  if (!std::string_view(p_, static_cast<std::size_t>(end_ - p_)).starts_with(word)) fail("a value");
  p_ += word.size();
}

void json_reader::read_null() {
  skip_space();
  if (current() != 'n') fail("null");
  expect_literal("null");
}

bool json_reader::read_bool() {
  skip_space();
  const char c = current();
  if (c != 't' && c != 'f') fail("a boolean");
  expect_literal(c == 't' ? "true" : "false");
  return c == 't';
}

std::string_view json_reader::read_number() {
  skip_space();
  const char* const from = p_;
  if (const char* const to = json_number::end_of(p_, end_)) {
    p_ = to;
  } else if (current() == 'N') {
    expect_literal("NaN");
  } else if (current() == 'I') {
    expect_literal("Infinity");
  } else if (current() == '-') {
    expect_literal("-Infinity");
  } else {
    fail("a number");
  }
  return {from, static_cast<std::size_t>(p_ - from)};
}

template <class Integer>
Integer json_reader::read_integer() {
  skip_space();
  const char* const from = p_;
  const std::string_view text = read_number();
  if (!is_integer(text)) fail_at(from, "expected an integer");
  Integer v = 0;
  const auto [end, error] = std::from_chars(from, p_, v);
  if (error != std::errc{} && text != "-0") fail_at(from, "the integer is out of range");
  return v;
}

std::int64_t json_reader::read_int64() {
  return read_integer<std::int64_t>();
}
std::uint64_t json_reader::read_uint64() {
  return read_integer<std::uint64_t>();
}
double json_reader::read_double() {
  return json_number::to_double(read_number());
}

// ---- strings ------------------------------------------------------------------------------------

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
    if (is_digit(c))
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

// ---- containers ---------------------------------------------------------------------------------

void json_reader::enter(char open, std::string_view what) {
  skip_space();
  if (current() != open) fail(what);
  if (depth_ == max_depth_)
    fail_at(p_, "nested deeper than " + std::to_string(max_depth_) + " levels");
  ++depth_;
  ++p_;
  first_ = true;
}

inline bool json_reader::next_item(char close, std::string_view expected) {
  skip_space();
  const bool first = first_;
  first_ = false;
  const char c = current();
  if (c == close) {
    ++p_;
    --depth_;
    return false;
  }
  if (first) return true;
  if (c != ',') fail(expected);
  ++p_;
  skip_space();
  return true;
}

void json_reader::begin_array() {
  enter('[', "an array");
}
bool json_reader::next_element() {
  if (!next_item(']', "',' or ']'")) return false;
  if (current() == ']') fail("a value");
  return true;
}

void json_reader::expect_colon() {
  skip_space();
  if (current() != ':') fail("':'");
  ++p_;
}

void json_reader::begin_object() {
  enter('{', "an object");
}
bool json_reader::next_key(std::string_view& out, std::string& scratch) {
  if (!next_item('}', "',' or '}'")) return false;
  if (current() != '"') fail("a key in double quotes");
  out = read_string_view(scratch);
  expect_colon();
  return true;
}
bool json_reader::next_key(std::string& out) {
  std::string_view key;
  if (!next_key(key, out)) return false;
  if (key.data() != out.data()) out.assign(key);
  return true;
}

void json_reader::finish() {
  skip_space();
  if (p_ != end_) fail("nothing after the value");
}

}  // namespace oslo::messaging
