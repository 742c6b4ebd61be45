// Whole values of json_reader: skipped, or taken.
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <oslo/messaging/json.hpp>

#include "core/hidden.hpp"
#include "core/json/json_number.hpp"

namespace oslo::messaging {

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

struct OSLO_HIDDEN json_reader::skip_handler {
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

struct OSLO_HIDDEN json_reader::value_handler {
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
    if (json_number::is_integer(text)) {
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
