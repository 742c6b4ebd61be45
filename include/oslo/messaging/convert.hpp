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
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace oslo::messaging {

/// How one type is written and read. Specialise it for a type of your own:
/// ```cpp
/// template <> struct oslo::messaging::json_codec<money> {
///   static void write(std::string& out, const money& m) { write_value(out, m.text()); }
///   static void read(json_reader& r, money& m) { m = money{read_value<std::string>(r)}; }
/// };
/// ```
/// Known types:
///
/// | C++ | JSON |
/// |---|---|
/// | bool, integers | true/false, integers; range checked, never taken from 1.0, true or "1" |
/// | float, double | numbers, NaN, Infinity, -Infinity; integers are taken |
/// | std::string; text views and literals (write only) | strings |
/// | std::optional<T> | null or T |
/// | sequences with push_back; std::array, std::pair, std::tuple (exact length) | arrays |
/// | maps with std::string keys | objects; of equal keys the last one wins |
/// | enums described with BOOST_DESCRIBE_ENUM | the name as string |
/// | types described with BOOST_DESCRIBE_STRUCT or _CLASS | objects (below) |
/// | std::nullptr_t, std::monostate | null |
/// | value, object, array | anything, objects, arrays |
/// | raw_json | the text itself; checked both ways |
///
/// Types that contain themselves (a tree of nodes) recurse once a level.
///
/// Described types: members in order, bases first. An optional member without a value is left out,
/// like a keyword argument that is not passed; a `value` member sends an explicit null. Reading
/// ignores unknown keys, leaves absent members as the default constructor made them, takes null
/// only for an optional (or a type that is null), and lets the last of equal keys win.
template <class T>
struct json_codec;

/// True for types that `write_value` (and, but for text views, `read_value`) can handle.
template <class T>
concept json_convertible = requires {
  sizeof(json_codec<std::remove_cv_t<T>>);
};

/// Fails a read from inside a codec: the caller of `read_value` gets a `messaging_error`
/// (`errc::malformed_message`) with the path and this text, e.g. "args.when: expected a date".
[[noreturn]] void conversion_failed(std::string what);

/// Appends `v` as JSON text. Throws `messaging_error` (`errc::serialization_failed`) for text that
/// is not UTF-8, raw JSON that is not one value, and enum values without a name.
template <class T>
void write_value(std::string& out, const T& v);

/// Reads the next value. Throws `messaging_error` (`errc::malformed_message`): for malformed JSON
/// as `json_reader` does, for a value of the wrong type with its path below `root`, as in
/// "args.flavor.ram: expected int, got string". `void` takes any value and drops it.
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

// ---- implementation -----------------------------------------------------------------------------

namespace detail {

[[noreturn]] void mismatch(json_reader& r, std::string_view expected);
[[noreturn]] void wrong_length(std::size_t expected, std::size_t got);
[[noreturn]] void rethrow_below(std::string_view root);  ///< from inside a handler
void expect(json_reader& r, json_reader::kind k, std::string_view name);
std::int64_t read_signed(json_reader& r, std::int64_t low, std::int64_t high);
std::uint64_t read_unsigned(json_reader& r, std::uint64_t high);
double read_float(json_reader& r, double limit);
void write_raw(std::string& out, const raw_json& v);
[[noreturn]] void unnamed_enum_value();
std::size_t read_enum(json_reader& r, std::span<const std::string_view> names);

// Containers and described types, erased, so that each type adds only a table or a small function.
using read_function = void (*)(json_reader&, void*);
struct readable_member {
  std::string_view name;
  read_function read;
  void (*reset)(void*);
};
struct writable_member {
  std::string_view name;
  void (*write)(std::string&, const void*);
  bool (*absent)(const void*);  ///< null when the member is always written
};
void read_members(json_reader& r, void* object, std::span<const readable_member> members);
void write_members(std::string& out, const void* object, std::span<const writable_member> members);
void read_elements(json_reader& r, void* container, read_function append);
void read_fixed(json_reader& r, void* tuple, std::span<const read_function> elements);
void read_entries(json_reader& r, void* map, void (*assign)(json_reader&, void*, std::string&&));

template <class T>
void write_to(std::string& out, const T& v) {
  static_assert(json_convertible<T>,
                "describe the type with BOOST_DESCRIBE_STRUCT or specialise json_codec for it");
  json_codec<T>::write(out, v);
}
template <class T>
void read_into(json_reader& r, T& v) {
  static_assert(json_convertible<T>,
                "describe the type with BOOST_DESCRIBE_STRUCT or specialise json_codec for it");
  json_codec<T>::read(r, v);
}

template <class T>
concept text_like =
    std::convertible_to<const T&, std::string_view> && !std::same_as<T, std::nullptr_t>;
template <class T>
concept sequence = !text_like<T> && requires(T & c, typename T::value_type v) {
  c.clear();
  c.push_back(std::move(v));
  c.begin();
};
template <class T>
concept string_map = std::same_as<typename T::key_type, std::string> &&
    requires(T& c, std::string k, typename T::mapped_type v) {
  c.clear();
  c.insert_or_assign(std::move(k), std::move(v));
};
template <class T>
concept described_class = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;
template <class T>
concept described_enum = std::is_enum_v<T> && boost::describe::has_describe_enumerators<T>::value;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T, class Members>
struct member_tables;
template <class T, template <class...> class List, class... D>
struct member_tables<T, List<D...>> {
  template <class M>
  static void write(std::string& out, const void* object) {
    write_to(out, static_cast<const T*>(object)->*M::pointer);
  }
  template <class M>
  static void read(json_reader& r, void* object) {
    read_into(r, static_cast<T*>(object)->*M::pointer);
  }
  template <class M>
  static void reset(void* object) {
    T fresh{};
    static_cast<T*>(object)->*M::pointer = std::move(fresh.*M::pointer);
  }
  template <class M>
  static bool absent(const void* object) {
    return !(static_cast<const T*>(object)->*M::pointer).has_value();
  }
  template <class M>
  static constexpr bool may_be_absent =
      is_optional<std::remove_cvref_t<decltype(std::declval<T&>().*M::pointer)>>;
  template <class M>
  static constexpr writable_member writer() {
    if constexpr (may_be_absent<M>)
      return {M::name, &write<M>, &absent<M>};
    else
      return {M::name, &write<M>, nullptr};
  }
  static constexpr std::array<writable_member, sizeof...(D)> writable{writer<D>()...};
  static constexpr std::array<readable_member, sizeof...(D)> readable{
      {{D::name, &read<D>, &reset<D>}...}};
};

template <class E, class Enumerators>
struct enum_tables;
template <class E, template <class...> class List, class... D>
struct enum_tables<E, List<D...>> {
  static constexpr std::array<std::string_view, sizeof...(D)> names{D::name...};
  static constexpr std::array<E, sizeof...(D)> values{D::value...};
};

template <class Tuple, class Indices>
struct tuple_tables;
template <class Tuple, std::size_t... I>
struct tuple_tables<Tuple, std::index_sequence<I...>> {
  template <std::size_t N>
  static void read(json_reader& r, void* tuple) {
    read_into(r, std::get<N>(*static_cast<Tuple*>(tuple)));
  }
  static constexpr std::array<read_function, sizeof...(I)> readable{&read<I>...};
  static void write(std::string& out, const Tuple& v) {
    out += '[';
    ((out += I == 0 ? std::string_view() : std::string_view(", "), write_to(out, std::get<I>(v))),
     ...);
    out += ']';
  }
};
template <class Tuple>
struct tuple_codec {
  using tables = tuple_tables<Tuple, std::make_index_sequence<std::tuple_size_v<Tuple>>>;
  static void write(std::string& out, const Tuple& v) { tables::write(out, v); }
  static void read(json_reader& r, Tuple& v) { read_fixed(r, &v, tables::readable); }
};

}  // namespace detail

template <>
struct json_codec<bool> {
  static void write(std::string& out, bool v) { write_json(out, v); }
  static void read(json_reader& r, bool& v);
};

template <json_integer T>
struct json_codec<T> {
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
  static void write(std::string& out, T v) { write_json(out, v); }
  static void read(json_reader& r, T& v) {
    v = static_cast<T>(detail::read_float(r, double{std::numeric_limits<T>::max()}));
  }
};

template <>
struct json_codec<std::string> {
  static void write(std::string& out, const std::string& v) {
    write_json(out, std::string_view(v));
  }
  static void read(json_reader& r, std::string& v);
};

template <detail::text_like T>
struct json_codec<T> {
  static void write(std::string& out, const T& v) { write_json(out, std::string_view(v)); }
};

template <class T>
struct json_codec<std::optional<T>> {
  static void write(std::string& out, const std::optional<T>& v) {
    if (v)
      detail::write_to(out, *v);
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
  static void write(std::string& out, const T& v) {
    out += '[';
    bool first = true;
    for (const typename T::value_type& element : v) {
      if (!first) out += ", ";
      first = false;
      detail::write_to(out, element);
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
struct json_codec<std::array<T, N>> : detail::tuple_codec<std::array<T, N>> {};
template <class A, class B>
struct json_codec<std::pair<A, B>> : detail::tuple_codec<std::pair<A, B>> {};
template <class... T>
struct json_codec<std::tuple<T...>> : detail::tuple_codec<std::tuple<T...>> {};

template <detail::string_map T>
struct json_codec<T> {
  static void write(std::string& out, const T& v) {
    out += '{';
    bool first = true;
    for (const auto& [key, mapped] : v) {
      if (!first) out += ", ";
      first = false;
      write_json(out, std::string_view(key));
      out += ": ";
      detail::write_to(out, mapped);
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
  using tables = detail::member_tables<
      T, boost::describe::describe_members<T, boost::describe::mod_any_access |
                                                  boost::describe::mod_inherited>>;
  static void write(std::string& out, const T& v) {
    detail::write_members(out, &v, tables::writable);
  }
  static void read(json_reader& r, T& v) { detail::read_members(r, &v, tables::readable); }
};

template <class T>
requires std::same_as<T, std::nullptr_t> || std::same_as<T, std::monostate>
struct json_codec<T> {
  static void write(std::string& out, const T&) { write_json(out, nullptr); }
  static void read(json_reader& r, T&) {
    detail::expect(r, json_reader::kind::null, "null");
    r.read_null();
  }
};

template <>
struct json_codec<value> {
  static void write(std::string& out, const value& v) { write_json(out, v); }
  static void read(json_reader& r, value& v) { v = r.read_value(); }
};
template <>
struct json_codec<object> {
  static void write(std::string& out, const object& v) { write_json(out, v); }
  static void read(json_reader& r, object& v);
};
template <>
struct json_codec<array> {
  static void write(std::string& out, const array& v) { write_json(out, v); }
  static void read(json_reader& r, array& v);
};
template <>
struct json_codec<raw_json> {
  static void write(std::string& out, const raw_json& v) { detail::write_raw(out, v); }
  static void read(json_reader& r, raw_json& v) { v.text = r.skip_value(); }
};

template <class T>
void write_value(std::string& out, const T& v) {
  detail::write_to(out, v);
}

template <class T>
T read_value(json_reader& r, std::string_view root) {
  if constexpr (std::is_void_v<T>) {
    r.skip_value();
  } else {
    T v{};
    try {
      detail::read_into(r, v);
    } catch (const messaging_error&) {
      if (root.empty()) throw;
      detail::rethrow_below(root);
    }
    return v;
  }
}

}  // namespace oslo::messaging
