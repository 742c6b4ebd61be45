#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <charconv>
#include <cmath>
#include <oslo/messaging/convert.hpp>
#include <utility>

#include "core/json/json_number.hpp"
#include "core/json/json_text.hpp"
#include "core/json/one_value.hpp"

namespace oslo::messaging {
namespace {

using kind = json_reader::kind;

/// A failed conversion on its way up. Each level adds its step, so that the path costs nothing
/// until something fails.
class conversion_error : public messaging_error {
 public:
  conversion_error(std::string path, std::string what)
      : messaging_error({errc::malformed_message, text(path, what)}),
        path_(std::move(path)),
        what_(std::move(what)) {}

  conversion_error below(std::string step) const {
    if (!path_.empty() && path_.front() != '[') step += '.';
    return {step + path_, what_};
  }

 private:
  static std::string text(const std::string& path, const std::string& what) {
    return path.empty() ? what : path + ": " + what;
  }

  std::string path_;
  std::string what_;
};

/// What the application's codec appends to at the moment.
thread_local const std::string* written_by_codec = nullptr;

/// Text of the peer, short enough for an error.
std::string excerpt(std::string_view text) {
  constexpr std::size_t limit = 60;
  return text.size() <= limit ? std::string(text) : std::string(text.substr(0, limit)) + "...";
}

std::string key_step(std::string_view key) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  if (!key.empty() && key.size() <= 60 && key.find_first_not_of(plain) == key.npos)
    return std::string(key);
  std::string escaped;
  json_text::escape(escaped, key);
  return "[\"" + excerpt(escaped) + "\"]";
}

/// Of a type that contains itself: each level takes stack, and a peer chooses how many there are.
void check_depth(const json_reader& r) {
  constexpr unsigned deepest = 200;
  if (r.depth() >= deepest)
    conversion_failed("nested deeper than " + std::to_string(deepest) + " levels");
}

std::string index_step(std::size_t index) {
  return '[' + std::to_string(index) + ']';
}

const char* type_name(json_reader& r, kind k) {
  switch (k) {
    case kind::null: return "null";
    case kind::boolean: return "bool";
    case kind::string: return "string";
    case kind::array: return "array";
    case kind::object: return "object";
    case kind::number: return json_number::is_integer(r.read_number()) ? "int" : "float";
    case kind::end: break;
  }
  r.skip_value();  // throws: there is no value
  return "nothing";
}

template <class Integer>
[[noreturn]] void out_of_range(Integer low, Integer high, std::string_view got) {
  conversion_failed("expected int from " + std::to_string(low) + " to " + std::to_string(high) +
                    ", got " + excerpt(got));
}

template <class Integer>
Integer read_integer(json_reader& r, Integer low, Integer high) {
  detail::expect(r, kind::number, "int");
  const std::string_view text = r.read_number();
  if (!json_number::is_integer(text)) conversion_failed("expected int, got float");
  Integer v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if ((error != std::errc{} && text != "-0") || v < low || v > high) out_of_range(low, high, text);
  return v;
}

}  // namespace

void conversion_failed(std::string what) {
  throw conversion_error({}, std::move(what));
}

namespace detail {

codec_check::codec_check(const std::string& out) noexcept
    : out_(out), begin_(out.size()), outer_(std::exchange(written_by_codec, &out)) {}

codec_check::~codec_check() {
  written_by_codec = outer_;
}

void codec_check::written() const {
  if (outer_ != &out_)
    require_one_value("A value", std::string_view(out_).substr(std::min(begin_, out_.size())));
}

void mismatch(json_reader& r, std::string_view expected) {
  const char* const got = type_name(r, r.peek());
  conversion_failed("expected " + std::string(expected) + ", got " + got);
}

void wrong_length(std::size_t expected, std::size_t got) {
  conversion_failed("expected an array of length " + std::to_string(expected) + ", got length " +
                    std::to_string(got));
}

void rethrow_below(std::string_view step) {
  std::string what = "cannot be read";
  try {
    throw;
  } catch (const conversion_error& e) {
    if (step.empty()) throw;
    throw e.below(std::string(step));
  } catch (const messaging_error& e) {
    if (e.failure().code() == errc::malformed_message) throw;  // the text as such
    what += std::string(": ") + e.what();
  } catch (const std::exception& e) {
    what += std::string(": ") + e.what();
  } catch (...) {
    what += ": an exception that is no std::exception";
  }
  throw conversion_error(std::string(step), what);
}

void rethrow_unwritten() {
  std::string what = "A value cannot be written";
  try {
    throw;
  } catch (const messaging_error& e) {
    if (e.failure().code() == errc::serialization_failed) throw;
    what += std::string(": ") + e.what();
  } catch (const std::exception& e) {
    what += std::string(": ") + e.what();
  } catch (...) {
    what += ": an exception that is no std::exception";
  }
  throw messaging_error({errc::serialization_failed, what});
}

void expect(json_reader& r, kind k, std::string_view name) {
  if (r.peek() != k) mismatch(r, name);
}

std::int64_t read_signed(json_reader& r, std::int64_t low, std::int64_t high) {
  return read_integer(r, low, high);
}
std::uint64_t read_unsigned(json_reader& r, std::uint64_t high) {
  return read_integer(r, std::uint64_t{0}, high);
}

double read_float(json_reader& r, double limit) {
  expect(r, kind::number, "float");
  const double v = r.read_double();
  if (std::isfinite(v) && std::abs(v) > limit) conversion_failed("float is out of range");
  return v;
}

void write_raw(std::string& out, const raw_json& v) {
  try {
    json_reader r(v.text);
    const std::string_view text = r.skip_value();
    r.finish();
    out += text;
  } catch (const messaging_error& e) {
    throw messaging_error({errc::serialization_failed,
                           "Raw JSON does not hold one JSON value: " + e.failure().message()});
  }
}

void unnamed_enum_value() {
  throw messaging_error(
      {errc::serialization_failed, "An enum value without a name cannot be written as JSON"});
}

std::size_t read_enum(json_reader& r, std::span<const std::string_view> names) {
  expect(r, kind::string, "string");
  std::string scratch;
  const std::string_view name = r.read_string_view(scratch);
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return i;
  std::string what = "expected one of ";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) what += ", ";
    what += names[i];
  }
  std::string got;
  json_text::escape(got, name);
  conversion_failed(what + ", got \"" + excerpt(got) + '"');
}

void read_members(json_reader& r, void* object, std::span<const readable_member> members,
                  const member_rules* rules) {
  expect(r, kind::object, "object");
  check_depth(r);
  r.begin_object();
  boost::container::small_vector<bool, 32> seen(members.size());
  std::string scratch;
  std::string_view key;
  std::size_t guess = 0;  // peers mostly write the members in order
  while (r.next_key(key, scratch)) {
    std::size_t i = guess;
    std::size_t tried = 0;
    for (; tried < members.size(); ++tried, ++i) {
      if (i == members.size()) i = 0;
      if (members[i].name == key) break;
    }
    if (tried == members.size()) {
      if (rules != nullptr && rules->refuse_unknown)
        throw conversion_error(key_step(key),
                               std::string(rules->owner) + "() takes no argument of that name");
      r.skip_value();
      continue;
    }
    if (seen[i]) members[i].reset(object);
    seen[i] = true;
    guess = i + 1 == members.size() ? 0 : i + 1;
    try {
      members[i].read(r, object);
    } catch (...) {
      rethrow_below(members[i].name);
    }
  }
  if (rules == nullptr) return;
  for (const auto i : rules->required)
    if (!seen[i])
      throw conversion_error(std::string(members[i].name),
                             std::string(rules->owner) + "() requires this argument");
}

void write_members(std::string& out, const void* object, std::span<const writable_member> members) {
  out += '{';
  bool first = true;
  for (const auto& m : members) {
    if (m.absent != nullptr && m.absent(object)) continue;
    out += first ? "\"" : ", \"";
    first = false;
    out += m.name;
    out += "\": ";
    m.write(out, object);
  }
  out += '}';
}

void read_elements(json_reader& r, void* container, read_function append) {
  expect(r, kind::array, "array");
  check_depth(r);
  r.begin_array();
  std::size_t index = 0;
  try {
    for (; r.next_element(); ++index) append(r, container);
  } catch (...) {
    rethrow_below(index_step(index));
  }
}

void read_fixed(json_reader& r, void* tuple, std::span<const read_function> elements) {
  expect(r, kind::array, "array");
  check_depth(r);
  r.begin_array();
  std::size_t index = 0;
  try {
    for (; r.next_element(); ++index) {
      if (index < elements.size())
        elements[index](r, tuple);
      else
        r.skip_value();
    }
  } catch (...) {
    rethrow_below(index_step(index));
  }
  if (index != elements.size()) wrong_length(elements.size(), index);
}

void read_entries(json_reader& r, void* map, void (*assign)(json_reader&, void*, std::string&&)) {
  expect(r, kind::object, "object");
  check_depth(r);
  r.begin_object();
  std::string key;
  while (r.next_key(key)) {
    const std::string kept = key;
    try {
      assign(r, map, std::move(key));
    } catch (...) {
      rethrow_below(key_step(kept));
    }
  }
}

}  // namespace detail

void json_codec<bool>::read(json_reader& r, bool& v) {
  detail::expect(r, kind::boolean, "bool");
  v = r.read_bool();
}

void json_codec<std::string>::read(json_reader& r, std::string& v) {
  detail::expect(r, kind::string, "string");
  r.read_string(v);
}

void json_codec<object>::read(json_reader& r, object& v) {
  detail::expect(r, kind::object, "object");
  v = std::move(r.read_value().get_object());
}

void json_codec<array>::read(json_reader& r, array& v) {
  detail::expect(r, kind::array, "array");
  v = std::move(r.read_value().get_array());
}

}  // namespace oslo::messaging
