#include <boost/json/value_stack.hpp>
#include <charconv>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>

#include "core/json/json_number.hpp"

namespace oslo::messaging {
namespace {

using json_number::is_digit;
using json_number::is_integer;

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

// ---- whole values -------------------------------------------------------------------------------

/// Goes through one value of any depth. The handler reads the flat values and the keys.
template <class Handler>
void json_reader::walk(Handler& handler) {
  std::uint64_t objects[default_max_depth / 64];  // one bit a level: is it an object?
  const unsigned bottom = depth_;
  const auto inside_object = [&] {
    const unsigned level = depth_ - 1;
    return (objects[level / 64] >> (level % 64) & 1) != 0;
  };
  const auto read_key = [&] {
    if (current() != '"') fail("a key in double quotes");
    handler.key(*this);
    expect_colon();
  };
  for (;;) {
    skip_space();
    const char c = current();
    if (c == '{' || c == '[') {
      const bool object = c == '{';
      enter(c, "");
      const std::uint64_t bit = std::uint64_t{1} << ((depth_ - 1) % 64);
      auto& word = objects[(depth_ - 1) / 64];
      word = object ? word | bit : word & ~bit;
      handler.open();
      skip_space();
      if (current() != (object ? '}' : ']')) {
        if (object) read_key();
        continue;
      }
      ++p_;
      --depth_;
      handler.close(object);
    } else {
      handler.flat(*this);
    }
    for (;;) {  // after a value: leave what ends here
      if (depth_ == bottom) {
        first_ = false;
        return;
      }
      skip_space();
      const bool object = inside_object();
      const char next = current();
      if (next == ',') {
        ++p_;
        handler.next();
        skip_space();
        if (object) read_key();
        break;
      }
      if (next != (object ? '}' : ']')) fail(object ? "',' or '}'" : "',' or ']'");
      ++p_;
      --depth_;
      handler.next();
      handler.close(object);
    }
  }
}

struct json_reader::skip_handler {
  void open() {}
  void close(bool) {}
  void next() {}
  void key(json_reader& r) { r.scan_string(); }
  void flat(json_reader& r) {
    switch (r.current()) {
      case '"': r.scan_string(); break;
      case 't': r.expect_literal("true"); break;
      case 'f': r.expect_literal("false"); break;
      case 'n': r.expect_literal("null"); break;
      default:
        if (r.peek() != kind::number) r.fail("a value");
        r.read_number();
    }
  }
};

std::string_view json_reader::skip_value() {
  skip_space();
  const char* const from = p_;
  skip_handler handler;
  if (const char c = current(); c == '{' || c == '[')
    walk(handler);
  else
    handler.flat(*this);
  return {from, static_cast<std::size_t>(p_ - from)};
}

struct json_reader::value_handler {
  unsigned char memory[2048];
  boost::json::value_stack stack{{}, memory, sizeof memory};
  std::size_t counts[default_max_depth + 1];  // values so far in each open container
  unsigned level = 0;
  std::string scratch;
  digits integers = digits::kept;

  void open() { counts[++level] = 0; }
  void next() { ++counts[level]; }
  void close(bool object) {
    const std::size_t count = counts[level--];
    if (object)
      stack.push_object(count);
    else
      stack.push_array(count);
  }
  void key(json_reader& r) { stack.push_key(view(r)); }
  void flat(json_reader& r) {
    switch (r.peek()) {
      case kind::null:
        r.read_null();
        stack.push_null();
        break;
      case kind::boolean: stack.push_bool(r.read_bool()); break;
      case kind::string: stack.push_string(view(r)); break;
      case kind::number: number(r.read_number()); break;
      default: r.fail("a value");
    }
  }

 private:
  boost::json::string_view view(json_reader& r) {
    const std::string_view text = r.read_string_view(scratch);
    return {text.data(), text.size()};
  }
  void number(std::string_view text) {
    if (is_integer(text)) {
      const char* const end = text.data() + text.size();
      std::int64_t i = 0;
      if (std::from_chars(text.data(), end, i).ec == std::errc{}) return stack.push_int64(i);
      std::uint64_t u = 0;
      if (text.front() != '-' && std::from_chars(text.data(), end, u).ec == std::errc{})
        return stack.push_uint64(u);
      if (text.size() - (text.front() == '-') > longest_integer)
        integers = digits::too_many;
      else if (integers == digits::kept)
        integers = digits::lost;
    }
    stack.push_double(json_number::to_double(text));
  }
};

value json_reader::read_value() {
  digits ignored;
  return read_value(ignored);
}
value json_reader::read_value(digits& what_became) {
  value_handler handler;
  walk(handler);
  what_became = handler.integers;
  return handler.stack.release();
}

value parse_json(std::string_view text, unsigned max_depth) {
  json_reader reader(text, max_depth);
  value v = reader.read_value();
  reader.finish();
  return v;
}

}  // namespace oslo::messaging
