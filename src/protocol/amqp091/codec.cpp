#include "protocol/amqp091/codec.hpp"

#include <bit>
#include <limits>
#include <stdexcept>
#include <type_traits>

namespace amqp091 {
namespace {

class table_reader {
 public:
  explicit table_reader(reader& in) noexcept : in_(in) {}

  field_table table(int depth) {
    check_depth(depth);
    reader body{in_.longstr()};
    field_table result;
    table_reader inner{body, elements_};
    while (body.left() > 0) {
      std::string key{body.shortstr()};
      result.append(std::move(key), inner.value(depth));
    }
    elements_ = inner.elements_;
    return result;
  }

 private:
  table_reader(reader& in, std::size_t elements) noexcept : in_(in), elements_(elements) {}

  static void check_depth(int depth) {
    if (depth > max_table_depth)
      throw violation(
          reply_code::syntax_error,
          "a table is nested more than " + std::to_string(max_table_depth) + " levels deep");
  }

  field_array array(int depth) {
    check_depth(depth);
    reader body{in_.longstr()};
    field_array result;
    table_reader inner{body, elements_};
    while (body.left() > 0) result.push_back(inner.value(depth));
    elements_ = inner.elements_;
    return result;
  }

  field_value value(int depth) {
    if (++elements_ > max_table_elements)
      throw violation(reply_code::syntax_error,
                      "a table has more than " + std::to_string(max_table_elements) + " values");
    const char type = static_cast<char>(in_.u8());
    switch (type) {
      case 'V': return {};
      case 't': return in_.u8() != 0;
      case 'b': return static_cast<std::int8_t>(in_.u8());
      case 'B': return in_.u8();
      case 's': return static_cast<std::int16_t>(in_.u16());
      case 'u': return in_.u16();
      case 'I': return static_cast<std::int32_t>(in_.u32());
      case 'i': return in_.u32();
      case 'l':
      case 'L': return static_cast<std::int64_t>(in_.u64());
      case 'f': return std::bit_cast<float>(in_.u32());
      case 'd': return std::bit_cast<double>(in_.u64());
      case 'D': {
        const std::uint8_t scale = in_.u8();
        return decimal{scale, static_cast<std::int32_t>(in_.u32())};
      }
      case 'S': return std::string{in_.longstr()};
      case 'x': return byte_array{std::string{in_.longstr()}};
      case 'T': return timestamp{in_.u64()};
      case 'A': return array(depth + 1);
      case 'F': return table(depth + 1);
      default:
        throw violation(reply_code::syntax_error,
                        "a table has a value of the unknown type " +
                            std::to_string(static_cast<unsigned char>(type)));
    }
  }

  reader& in_;
  std::size_t elements_ = 0;
};

class table_writer {
 public:
  table_writer(writer& out, std::string& text) noexcept : out_(out), text_(text) {}

  void table(const field_table& t, int depth) {
    with_length([&] { entries(t, depth); });
  }

  void entries(const field_table& t, int depth) {
    check_depth(depth);
    for (const auto& [key, v] : t.entries()) {
      out_.shortstr(key);
      value(v, depth);
    }
  }

 private:
  static void check_depth(int depth) {
    if (depth > max_table_depth)
      throw std::length_error("A field table may be nested at most " +
                              std::to_string(max_table_depth) + " levels deep.");
  }

  template <class Fill>
  void with_length(Fill fill) {
    const std::size_t at = text_.size();
    out_.u32(0);
    fill();
    const std::size_t size = text_.size() - at - 4;
    if (size > std::numeric_limits<std::uint32_t>::max())
      throw std::length_error("A field table may have at most 4 GiB.");
    for (std::size_t i = 0; i < 4; ++i) text_[at + i] = static_cast<char>(size >> (8 * (3 - i)));
  }

  void value(const field_value& v, int depth) {
    if (++elements_ > max_table_elements)
      throw std::length_error("A field table may have at most " +
                              std::to_string(max_table_elements) + " values.");
    std::visit([&](const auto& x) { put(x, depth); }, v.data);
  }

  void type(char letter) { out_.u8(static_cast<std::uint8_t>(letter)); }

  template <class T>
  void put(const T& v, int depth) {
    (void)depth;
    if constexpr (std::is_same_v<T, std::monostate>) {
      type('V');
    } else if constexpr (std::is_same_v<T, bool>) {
      type('t');
      out_.u8(v ? 1 : 0);
    } else if constexpr (std::is_same_v<T, std::int8_t>) {
      type('b');
      out_.u8(static_cast<std::uint8_t>(v));
    } else if constexpr (std::is_same_v<T, std::uint8_t>) {
      type('B');
      out_.u8(v);
    } else if constexpr (std::is_same_v<T, std::int16_t>) {
      type('s');
      out_.u16(static_cast<std::uint16_t>(v));
    } else if constexpr (std::is_same_v<T, std::uint16_t>) {
      type('u');
      out_.u16(v);
    } else if constexpr (std::is_same_v<T, std::int32_t>) {
      type('I');
      out_.u32(static_cast<std::uint32_t>(v));
    } else if constexpr (std::is_same_v<T, std::uint32_t>) {
      type('i');
      out_.u32(v);
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
      type('l');
      out_.u64(static_cast<std::uint64_t>(v));
    } else if constexpr (std::is_same_v<T, float>) {
      type('f');
      out_.u32(std::bit_cast<std::uint32_t>(v));
    } else if constexpr (std::is_same_v<T, double>) {
      type('d');
      out_.u64(std::bit_cast<std::uint64_t>(v));
    } else if constexpr (std::is_same_v<T, decimal>) {
      type('D');
      out_.u8(v.scale);
      out_.u32(static_cast<std::uint32_t>(v.digits));
    } else if constexpr (std::is_same_v<T, std::string>) {
      type('S');
      out_.longstr(v);
    } else if constexpr (std::is_same_v<T, byte_array>) {
      type('x');
      out_.longstr(v.bytes);
    } else if constexpr (std::is_same_v<T, timestamp>) {
      type('T');
      out_.u64(v.seconds);
    } else if constexpr (std::is_same_v<T, field_array>) {
      type('A');
      check_depth(depth + 1);
      with_length([&] {
        for (const field_value& each : v) value(each, depth + 1);
      });
    } else {
      static_assert(std::is_same_v<T, field_table>);
      type('F');
      table(v, depth + 1);
    }
  }

  writer& out_;
  std::string& text_;
  std::size_t elements_ = 0;
};

}  // namespace

field_table reader::table() {
  return table_reader{*this}.table(1);
}

void reader::fail_short(std::size_t wanted, const char* what) const {
  throw violation(reply_code::syntax_error, std::string{what} + " of " + std::to_string(wanted) +
                                                " bytes does not fit in the " +
                                                std::to_string(left()) + " that are left");
}

void reader::fail_trailing() const {
  throw violation(reply_code::syntax_error, std::to_string(left()) + " bytes are left over");
}

void writer::longstr(std::string_view v) {
  if (v.size() > std::numeric_limits<std::uint32_t>::max())
    throw std::length_error("A long string of AMQP may have at most 4 GiB.");
  u32(static_cast<std::uint32_t>(v.size()));
  out_.append(v);
}

void writer::table(const field_table& t) {
  if (t.empty())
    u32(0);
  else
    table_writer{*this, out_}.table(t, 1);
}

void writer::table_entries(const field_table& t) {
  table_writer{*this, out_}.entries(t, 1);
}

void writer::end_frame(std::size_t start, std::uint32_t frame_max) {
  const std::size_t size = out_.size() - start - frame_header_size;
  if (size + frame_overhead > frame_max)
    throw std::length_error("A frame of " + std::to_string(size + frame_overhead) +
                            " bytes exceeds the limit of " + std::to_string(frame_max) +
                            " bytes of the connection.");
  for (std::size_t i = 0; i < 4; ++i)
    out_[start + 3 + i] = static_cast<char>(size >> (8 * (3 - i)));
  u8(frame_end);
}

void writer::fail_shortstr(std::string_view v) {
  throw std::length_error("A name of AMQP may have at most 255 bytes; \"" +
                          std::string{v.substr(0, 40)} + "…\" has " + std::to_string(v.size()) +
                          ".");
}

}  // namespace amqp091
