// C++ types as JSON text, and back: described structs, containers and plain values.
#pragma once

#include <boost/describe/enum_from_string.hpp>
#include <boost/describe/enum_to_string.hpp>
#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace oslo::messaging {

/// Where a value stands inside a message, for errors: "args.flavor.ram". A list on the stack.
struct json_path {
  const json_path* parent = nullptr;
  std::string_view name{};
  std::ptrdiff_t index = -1;

  std::string text() const;
};

namespace detail {

[[noreturn]] void type_mismatch(const json_path& at, std::string_view expected);

template <class T>
concept described_struct = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;
template <class T>
concept described_enum = std::is_enum_v<T> && boost::describe::has_describe_enumerators<T>::value;
template <class T>
concept string_map = requires {
  typename T::mapped_type;
  requires std::same_as<typename T::key_type, std::string>;
};
template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_vector : std::false_type {};
template <class T, class A>
struct is_vector<std::vector<T, A>> : std::true_type {};

template <class T>
using members_of = boost::describe::describe_members<T, boost::describe::mod_public |
                                                            boost::describe::mod_inherited>;

}  // namespace detail

/// Appends `v` as JSON: a described struct becomes an object with its members in order (an empty
/// optional member is left out), a described enum its name, a string map an object, a vector an
/// array, an optional null or its value, `raw_json` its text as it is.
template <class T>
void write_value(std::string& out, const T& v) {
  if constexpr (std::same_as<T, raw_json>) {
    out += v.text;
  } else if constexpr (std::same_as<T, value> || std::same_as<T, bool> ||
                       std::same_as<T, std::nullptr_t>) {
    write_json(out, v);
  } else if constexpr (std::same_as<T, object> || std::same_as<T, array>) {
    write_json(out, value(v));
  } else if constexpr (std::integral<T>) {
    if constexpr (std::is_signed_v<T>)
      write_json(out, static_cast<std::int64_t>(v));
    else
      write_json(out, static_cast<std::uint64_t>(v));
  } else if constexpr (std::floating_point<T>) {
    write_json(out, static_cast<double>(v));
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    write_json(out, std::string_view(v));
  } else if constexpr (detail::described_enum<T>) {
    write_json(out, std::string_view(boost::describe::enum_to_string(v, "")));
  } else if constexpr (detail::is_optional<T>::value) {
    if (v)
      write_value(out, *v);
    else
      out += "null";
  } else if constexpr (detail::is_vector<T>::value) {
    out += '[';
    bool first = true;
    for (const auto& element : v) {
      if (!first) out += ", ";
      first = false;
      write_value<typename T::value_type>(out, element);
    }
    out += ']';
  } else if constexpr (detail::string_map<T>) {
    out += '{';
    bool first = true;
    for (const auto& [key, element] : v) {
      if (!first) out += ", ";
      first = false;
      write_json(out, std::string_view(key));
      out += ": ";
      write_value(out, element);
    }
    out += '}';
  } else {
    static_assert(detail::described_struct<T>,
                  "describe this type with BOOST_DESCRIBE_STRUCT to send it");
    out += '{';
    bool first = true;
    boost::mp11::mp_for_each<detail::members_of<T>>([&](auto member) {
      const auto& element = v.*member.pointer;
      using element_type = std::remove_cvref_t<decltype(element)>;
      if constexpr (detail::is_optional<element_type>::value)
        if (!element) return;
      if (!first) out += ", ";
      first = false;
      out += '"';
      out += member.name;  // a C++ identifier needs no escapes
      out += "\": ";
      write_value(out, element);
    });
    out += '}';
  }
}

/// Reads one value into `out`. Unknown members of an object are ignored; a member of a struct that
/// is absent keeps its default. Throws `messaging_error` (`errc::malformed_message`) whose text
/// names the path ("args.flavor.ram: expected int").
template <class T>
void read_json(json_reader& in, T& out, const json_path& at) {
  using kind = json_reader::kind;
  if constexpr (std::same_as<T, raw_json>) {
    out.text = in.skip_value();
  } else if constexpr (std::same_as<T, value>) {
    out = in.read_value();
  } else if constexpr (std::same_as<T, object>) {
    if (in.peek() != kind::object) detail::type_mismatch(at, "object");
    out = in.read_value().as_object();
  } else if constexpr (std::same_as<T, array>) {
    if (in.peek() != kind::array) detail::type_mismatch(at, "array");
    out = in.read_value().as_array();
  } else if constexpr (std::same_as<T, bool>) {
    if (in.peek() != kind::boolean) detail::type_mismatch(at, "bool");
    out = in.read_bool();
  } else if constexpr (std::integral<T>) {
    if (in.peek() != kind::number) detail::type_mismatch(at, "int");
    try {
      if constexpr (std::is_signed_v<T>) {
        const auto wide = in.read_int64();
        if (!std::in_range<T>(wide)) detail::type_mismatch(at, "int in range");
        out = static_cast<T>(wide);
      } else {
        const auto wide = in.read_uint64();
        if (!std::in_range<T>(wide)) detail::type_mismatch(at, "unsigned int in range");
        out = static_cast<T>(wide);
      }
    } catch (const messaging_error&) {
      detail::type_mismatch(at, std::is_signed_v<T> ? "int" : "unsigned int");
    }
  } else if constexpr (std::floating_point<T>) {
    if (in.peek() != kind::number) detail::type_mismatch(at, "number");
    out = static_cast<T>(in.read_double());
  } else if constexpr (std::same_as<T, std::string>) {
    if (in.peek() != kind::string) detail::type_mismatch(at, "string");
    in.read_string(out);
  } else if constexpr (detail::described_enum<T>) {
    if (in.peek() != kind::string) detail::type_mismatch(at, "string");
    std::string name;
    in.read_string(name);
    if (!boost::describe::enum_from_string(name.c_str(), out))
      detail::type_mismatch(at, "one of the known names");
  } else if constexpr (detail::is_optional<T>::value) {
    if (in.peek() == kind::null) {
      in.read_null();
      out.reset();
    } else {
      read_json(in, out.emplace(), at);
    }
  } else if constexpr (detail::is_vector<T>::value) {
    if (in.peek() != kind::array) detail::type_mismatch(at, "array");
    out.clear();
    in.begin_array();
    json_path element{&at, {}, 0};
    while (in.next_element()) {
      typename T::value_type v{};
      read_json(in, v, element);
      out.push_back(std::move(v));
      ++element.index;
    }
  } else if constexpr (detail::string_map<T>) {
    if (in.peek() != kind::object) detail::type_mismatch(at, "object");
    out.clear();
    in.begin_object();
    std::string key;
    while (in.next_key(key)) {
      typename T::mapped_type v{};
      read_json(in, v, json_path{&at, key});
      out.insert_or_assign(key, std::move(v));
    }
  } else {
    static_assert(detail::described_struct<T>,
                  "describe this type with BOOST_DESCRIBE_STRUCT to receive it");
    if (in.peek() != kind::object) detail::type_mismatch(at, "object");
    in.begin_object();
    std::string scratch;
    std::string_view key;
    while (in.next_key(key, scratch)) {
      bool known = false;
      boost::mp11::mp_for_each<detail::members_of<T>>([&](auto member) {
        if (known || key != member.name) return;
        known = true;
        read_json(in, out.*member.pointer, json_path{&at, member.name});
      });
      if (!known) in.skip_value();
    }
  }
}

/// Reads a whole text. `root` names it in errors.
template <class T>
T from_json(std::string_view text, std::string_view root = "value") {
  json_reader in(text);
  T out{};
  read_json(in, out, json_path{nullptr, root});
  in.finish();
  return out;
}

}  // namespace oslo::messaging
