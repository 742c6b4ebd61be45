#include <charconv>
#include <cmath>
#include <limits>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>
#include <vector>

#include "core/json/json_text.hpp"

namespace oslo::messaging {
namespace {

template <class Number>
void append_number(std::string& out, Number v) {
  char buffer[24];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, v);
  out.append(buffer, static_cast<std::size_t>(end - buffer));
}

/// Python's repr: the shortest digits that give the number back; with an exponent below 1e-4 and
/// from 1e16 on, always with a point or an exponent.
template <class Float>
void append_float(std::string& out, Float v) {
  if (std::isnan(v)) {
    out += "NaN";
    return;
  }
  if (std::isinf(v)) {
    out += v < 0 ? "-Infinity" : "Infinity";
    return;
  }
  char text[40];
  const auto [end, error] =
      std::to_chars(text, text + sizeof text, v, std::chars_format::scientific);
  // text is [-]d[.ddd]e±xx
  const char* p = text;
  if (*p == '-') out += *p++;
  char digits[24];
  int count = 0;
  for (; *p != 'e'; ++p)
    if (*p != '.') digits[count++] = *p;
  ++p;
  const bool negative = *p++ == '-';
  int exponent = 0;
  std::from_chars(p, end, exponent);
  if (negative) exponent = -exponent;

  const auto append_digits = [&](int from, int to) {
    out.append(digits + from, static_cast<std::size_t>(to - from));
  };
  if (exponent < -4 || exponent >= 16) {
    append_digits(0, 1);
    if (count > 1) {
      out += '.';
      append_digits(1, count);
    }
    out += 'e';
    out += negative ? '-' : '+';
    const int magnitude = std::abs(exponent);
    if (magnitude < 10) out += '0';
    append_number(out, magnitude);
  } else if (exponent < 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-exponent - 1), '0');
    append_digits(0, count);
  } else if (count <= exponent + 1) {
    append_digits(0, count);
    out.append(static_cast<std::size_t>(exponent + 1 - count), '0');
    out += ".0";
  } else {
    append_digits(0, exponent + 1);
    out += '.';
    append_digits(exponent + 1, count);
  }
}

std::string_view view(const boost::json::string& s) {
  return {s.data(), s.size()};
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  if (json_text::is_plain<json_text::direction::writing>(text))
    out += text;
  else
    json_text::escape(out, text);
  out += '"';
}

/// Writes nested values without recursion: a program may build values of any depth.
class tree_writer {
 public:
  explicit tree_writer(std::string& out) : out_(out) {}

  void put(const value& v) {
    switch (v.kind()) {
      case boost::json::kind::null: out_ += "null"; break;
      case boost::json::kind::bool_: write_json(out_, v.get_bool()); break;
      case boost::json::kind::int64: append_number(out_, v.get_int64()); break;
      case boost::json::kind::uint64: append_number(out_, v.get_uint64()); break;
      case boost::json::kind::double_: append_float(out_, v.get_double()); break;
      case boost::json::kind::string: append_string(out_, view(v.get_string())); break;
      case boost::json::kind::array: put(v.get_array()); break;
      case boost::json::kind::object: put(v.get_object()); break;
    }
  }
  void put(const object& o) {
    out_ += '{';
    levels_.push_back({.close = '}', .member = o.begin(), .member_end = o.end()});
  }
  void put(const array& a) {
    out_ += '[';
    levels_.push_back({.close = ']', .element = a.begin(), .element_end = a.end()});
  }
  /// Writes what the containers that were put still hold.
  void finish() {
    while (!levels_.empty()) {
      level& top = levels_.back();
      if (top.member != top.member_end) {
        const auto& member = *top.member++;
        separate(top);
        append_string(out_, {member.key().data(), member.key().size()});
        out_ += ": ";
        put(member.value());
      } else if (top.element != top.element_end) {
        const value& element = *top.element++;
        separate(top);
        put(element);
      } else {
        out_ += top.close;
        levels_.pop_back();
      }
    }
  }

 private:
  struct level {
    char close;
    bool first = true;
    object::const_iterator member = nullptr, member_end = nullptr;
    array::const_iterator element = nullptr, element_end = nullptr;
  };

  void separate(level& l) {
    if (!l.first) out_ += ", ";
    l.first = false;
  }

  std::string& out_;
  std::vector<level> levels_;
};

template <class Tree>
void write_tree(std::string& out, const Tree& tree) {
  tree_writer writer(out);
  writer.put(tree);
  writer.finish();
}

}  // namespace

namespace detail {
void write_signed(std::string& out, std::int64_t v) {
  append_number(out, v);
}
void write_unsigned(std::string& out, std::uint64_t v) {
  append_number(out, v);
}
}  // namespace detail

void write_json(std::string& out, const value& v) {
  write_tree(out, v);
}
void write_json(std::string& out, const object& v) {
  write_tree(out, v);
}
void write_json(std::string& out, const array& v) {
  write_tree(out, v);
}
void write_json(std::string& out, std::nullptr_t) {
  out += "null";
}
void write_json(std::string& out, double v) {
  append_float(out, v);
}
void write_json(std::string& out, float v) {
  append_float(out, v);
}
void write_json(std::string& out, std::string_view v) {
  append_string(out, v);
}

std::string to_json(const value& v) {
  std::string out;
  write_json(out, v);
  return out;
}

}  // namespace oslo::messaging
