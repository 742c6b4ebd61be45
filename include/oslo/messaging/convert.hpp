// C++ types to JSON text and back, without a tree of values in between.
#pragma once

#include <array>
#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/describe/modifiers.hpp>
#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <oslo/messaging/detail/conversion.hpp>
#include <oslo/messaging/detail/current_failure.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// How one type is written and read. Specialise it for a type of your own:
/// ```cpp
/// template <> struct oslo::messaging::json_codec<money> {
///   static void write(std::string& out, const money& m) { write_value(out, m.text()); }
///   static void read(json_reader& r, money& m) { m = money{read_value<std::string>(r)}; }
/// };
/// ```
/// It appends exactly one JSON value; whatever else it appends fails the write.
///
/// Known types:
///
/// | C++ | JSON |
/// |---|---|
/// | bool, integers | true/false, integers; range checked, never taken from 1.0, true or "1" |
/// | float, double | numbers, NaN, Infinity, -Infinity; integers are taken |
/// | std::string; text views and literals (write only) | strings |
/// | `std::optional<T>` | null or T |
/// | sequences with push_back; std::array, std::pair, std::tuple (exact length) | arrays |
/// | maps with std::string keys | objects; of equal keys the last one wins |
/// | enums described with BOOST_DESCRIBE_ENUM | the name as string |
/// | types described with BOOST_DESCRIBE_STRUCT or _CLASS | objects (below) |
/// | std::nullptr_t, std::monostate | null |
/// | value, object, array | anything, objects, arrays |
/// | raw_json | the text itself; checked both ways |
///
/// Types that contain themselves (a tree of nodes) recurse once a level, and are read to a depth of
/// 200 arrays and objects: that takes 130 KiB of stack where nothing is optimised.
///
/// Described types: members in order, bases first. An optional member without a value is left out,
/// like a keyword argument that is not passed; a `value` member sends an explicit null. (In results
/// of RPC methods it is null, as it would be in Python, unless `leaves_out_empty` says otherwise.)
/// Every member of an aggregate has to be described: one that was forgotten does not compile (where
/// there are no arrays of C with more than 1,024 elements in all). A
/// struct with a member that is not to travel, or that cannot be described (a bit-field, a
/// reference), needs a constructor, with which it is no aggregate, or a codec of its own.
/// Reading ignores unknown keys, leaves absent members as the default constructor made them, takes
/// null only for an optional (or a type that is null), and lets the last of equal keys win.
template <class T>
struct json_codec;

/// True for a described type whose optional members are left out of results, too, when they have no
/// value:
/// ```cpp
/// template <> inline constexpr bool oslo::messaging::leaves_out_empty<flavor> = true;
/// ```
template <class T>
inline constexpr bool leaves_out_empty = false;

/// Fails a read from inside a codec: the caller of `read_value` gets a `messaging_error`
/// (`errc::malformed_message`) with the path and this text, e.g. "args.when: expected a date".
[[noreturn]] void conversion_failed(std::string what);

/// Appends `v` as JSON text. Throws `messaging_error` (`errc::serialization_failed`) for text that
/// is not UTF-8, raw JSON that is not one value, enum values without a name, a codec of the
/// application that writes something else than one value, and whatever such a codec throws. `out`
/// then ends in the middle of something.
template <class T>
void write_value(std::string& out, const T& v);

/// Reads the next value. Throws `messaging_error` (`errc::malformed_message`): for malformed JSON
/// as `json_reader` does, for a value of the wrong type with its path below `root`, as in
/// "args.flavor.ram: expected int, got string", and for whatever a codec of the application throws
/// with the path likewise. `void` takes any value and drops it.
template <class T>
T read_value(json_reader& r, std::string_view root = {});

/// Reads a whole text.
template <class T>
T from_json(std::string_view text, std::string_view root = {}) {
  json_reader r(text);
  if constexpr (std::is_void_v<T>) {
    r.skip_value();
    r.finish();
  } else {
    T v = read_value<T>(r, root);
    r.finish();
    return v;
  }
}

/// Writes a whole text.
template <class T>
std::string to_json(const T& v) {
  std::string out;
  write_value(out, v);
  return out;
}

/// As `to_json`, with errors as values: nothing throws.
template <class T>
result<std::string> try_to_json(const T& v);
/// As `from_json`, with errors as values: nothing throws.
template <class T>
result<T> try_from_json(std::string_view text, std::string_view root = {});

// ---- implementation -----------------------------------------------------------------------------
/// \cond

template <>
struct json_codec<bool> {
  using library_codec = json_codec;
  static void write(std::string& out, bool v) { write_json(out, v); }
  static void read(json_reader& r, bool& v);
};

template <json_integer T>
struct json_codec<T> {
  using library_codec = json_codec;
  static void write(std::string& out, T v) { write_json(out, v); }
  static void read(json_reader& r, T& v) {
    using limits = std::numeric_limits<T>;
    if constexpr (std::signed_integral<T>)
      v = static_cast<T>(detail::read_signed(r, limits::min(), limits::max()));
    else
      v = static_cast<T>(detail::read_unsigned(r, limits::max()));
  }
};

template <class T>
requires std::same_as<T, float> || std::same_as<T, double>
struct json_codec<T> {
  using library_codec = json_codec;
  static void write(std::string& out, T v) { write_json(out, v); }
  static void read(json_reader& r, T& v) {
    v = static_cast<T>(detail::read_float(r, double{std::numeric_limits<T>::max()}));
  }
};

template <>
struct json_codec<std::string> {
  using library_codec = json_codec;
  static void write(std::string& out, const std::string& v) {
    write_json(out, std::string_view(v));
  }
  static void read(json_reader& r, std::string& v);
};

template <detail::text_like T>
struct json_codec<T> {
  using library_codec = json_codec;
  static void write(std::string& out, const T& v) { write_json(out, std::string_view(v)); }
};

template <class T>
struct json_codec<std::optional<T>> {
  using library_codec = json_codec;
  template <detail::empties E = detail::empties::left_out>
  static void write(std::string& out, const std::optional<T>& v) {
    if (v)
      detail::write_to<E>(out, *v);
    else
      write_json(out, nullptr);
  }
  static void read(json_reader& r, std::optional<T>& v) {
    v.reset();
    if (r.peek() == json_reader::kind::null)
      r.read_null();
    else
      detail::read_into(r, v.emplace());
  }
};

template <detail::sequence T>
struct json_codec<T> {
  using library_codec = json_codec;
  template <detail::empties E = detail::empties::left_out>
  static void write(std::string& out, const T& v) {
    out += '[';
    bool first = true;
    for (const typename T::value_type& element : v) {
      if (!first) out += ", ";
      first = false;
      detail::write_to<E>(out, element);
    }
    out += ']';
  }
  static void read(json_reader& r, T& v) {
    v.clear();
    detail::read_elements(r, &v, [](json_reader& reader, void* container) {
      typename T::value_type element{};
      detail::read_into(reader, element);
      static_cast<T*>(container)->push_back(std::move(element));
    });
  }
};

template <class T, std::size_t N>
struct json_codec<std::array<T, N>> : detail::tuple_codec<std::array<T, N>> {
  using library_codec = json_codec;
};
template <class A, class B>
struct json_codec<std::pair<A, B>> : detail::tuple_codec<std::pair<A, B>> {
  using library_codec = json_codec;
};
template <class... T>
struct json_codec<std::tuple<T...>> : detail::tuple_codec<std::tuple<T...>> {
  using library_codec = json_codec;
};

template <detail::string_map T>
struct json_codec<T> {
  using library_codec = json_codec;
  template <detail::empties E = detail::empties::left_out>
  static void write(std::string& out, const T& v) {
    out += '{';
    bool first = true;
    for (const auto& [key, mapped] : v) {
      if (!first) out += ", ";
      first = false;
      write_json(out, std::string_view(key));
      out += ": ";
      detail::write_to<E>(out, mapped);
    }
    out += '}';
  }
  static void read(json_reader& r, T& v) {
    v.clear();
    detail::read_entries(r, &v, [](json_reader& reader, void* map, std::string&& key) {
      typename T::mapped_type mapped{};
      detail::read_into(reader, mapped);
      static_cast<T*>(map)->insert_or_assign(std::move(key), std::move(mapped));
    });
  }
};

template <detail::described_enum E>
struct json_codec<E> {
  using library_codec = json_codec;
  using tables = detail::enum_tables<E, boost::describe::describe_enumerators<E>>;
  static void write(std::string& out, E v) {
    for (std::size_t i = 0; i < tables::values.size(); ++i)
      if (tables::values[i] == v) return write_json(out, tables::names[i]);
    detail::unnamed_enum_value();
  }
  static void read(json_reader& r, E& v) {
    v = tables::values[detail::read_enum(r, tables::names)];
  }
};

template <detail::described_class T>
struct json_codec<T> {
  using library_codec = json_codec;
  using tables = detail::member_tables<
      T,
      boost::describe::describe_members<T, boost::describe::mod_any_access |
                                               boost::describe::mod_inherited>,
      leaves_out_empty<T>>;
  template <detail::empties E = detail::empties::left_out>
  static void write(std::string& out, const T& v) {
    detail::write_members(out, &v, tables::template writable<E>);
  }
  static void read(json_reader& r, T& v) { detail::read_members(r, &v, tables::readable); }
};

template <class T>
requires std::same_as<T, std::nullptr_t> || std::same_as<T, std::monostate>
struct json_codec<T> {
  using library_codec = json_codec;
  static void write(std::string& out, const T&) { write_json(out, nullptr); }
  static void read(json_reader& r, T&) {
    detail::expect(r, json_reader::kind::null, "null");
    r.read_null();
  }
};

template <>
struct json_codec<value> {
  using library_codec = json_codec;
  static void write(std::string& out, const value& v) { write_json(out, v); }
  static void read(json_reader& r, value& v) { v = r.read_value(); }
};
template <>
struct json_codec<object> {
  using library_codec = json_codec;
  static void write(std::string& out, const object& v) { write_json(out, v); }
  static void read(json_reader& r, object& v);
};
template <>
struct json_codec<array> {
  using library_codec = json_codec;
  static void write(std::string& out, const array& v) { write_json(out, v); }
  static void read(json_reader& r, array& v);
};
template <>
struct json_codec<raw_json> {
  using library_codec = json_codec;
  static void write(std::string& out, const raw_json& v) { detail::write_raw(out, v); }
  static void read(json_reader& r, raw_json& v) { v.text = r.skip_value(); }
};

template <class T>
void write_value(std::string& out, const T& v) {
  detail::write_checked<detail::empties::left_out>(out, v);
}

template <class T>
T read_value(json_reader& r, std::string_view root) {
  if constexpr (std::is_void_v<T>) {
    r.skip_value();
  } else {
    T v{};
    try {
      detail::read_into(r, v);
    } catch (...) {
      detail::rethrow_below(root);
    }
    return v;
  }
}

template <class T>
result<std::string> try_to_json(const T& v) {
  try {
    return to_json(v);
  } catch (...) {
    return detail::current_failure(errc::serialization_failed, {});
  }
}

template <class T>
result<T> try_from_json(std::string_view text, std::string_view root) {
  try {
    if constexpr (std::is_void_v<T>) {
      from_json<T>(text, root);
      return {};
    } else {
      return from_json<T>(text, root);
    }
  } catch (...) {
    return detail::current_failure(errc::malformed_message, {});
  }
}

/// \endcond
}  // namespace oslo::messaging

#pragma GCC visibility pop
