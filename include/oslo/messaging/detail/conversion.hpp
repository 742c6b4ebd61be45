// How values are written and read, below json_codec. Not part of the API.
#pragma once

#include <array>
#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/describe/modifiers.hpp>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging {

template <class T>
struct json_codec;

/// True for types that `write_value` (and, but for text views, `read_value`) can handle. Part of
/// the API: convert.hpp.
template <class T>
concept json_convertible = requires {
  sizeof(json_codec<std::remove_cv_t<T>>);
};

namespace detail {

[[noreturn]] void mismatch(json_reader& r, std::string_view expected);
[[noreturn]] void wrong_length(std::size_t expected, std::size_t got);
/// Inside a catch block: throws what was caught as the error of a value at that step of the path.
[[noreturn]] void rethrow_below(std::string_view step);
/// Inside a catch block: throws what was caught as an error of writing.
[[noreturn]] void rethrow_unwritten();
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
/// What a reader insists on; null: nothing. Errors name `owner`, whose members they are.
struct member_rules {
  std::string_view owner;
  bool refuse_unknown = true;
  std::span<const std::size_t> required{};  ///< which members
};
void read_members(json_reader& r, void* object, std::span<const readable_member> members,
                  const member_rules* rules = nullptr);
void write_members(std::string& out, const void* object, std::span<const writable_member> members);
void read_elements(json_reader& r, void* container, read_function append);
void read_fixed(json_reader& r, void* tuple, std::span<const read_function> elements);
void read_entries(json_reader& r, void* map, void (*assign)(json_reader&, void*, std::string&&));

/// What becomes of optional members of described types that have no value.
enum class empties { left_out, null };

/// True for the codecs of the library, which write well-formed JSON. A codec of the application
/// that derives from one of them is not one.
template <class T>
concept has_library_codec = requires {
  typename json_codec<T>::library_codec;
  requires std::same_as<typename json_codec<T>::library_codec, json_codec<T>>;
};

/// Around a codec of the application: what it appends has to be one JSON value. Of nested ones only
/// the outermost is checked, so that a tree is read once.
class codec_check {
 public:
  explicit codec_check(const std::string& out) noexcept;
  codec_check(const codec_check&) = delete;
  codec_check& operator=(const codec_check&) = delete;
  ~codec_check();
  /// Throws `messaging_error` (`errc::serialization_failed`) when it is not.
  void written() const;

 private:
  const std::string& out_;
  const std::size_t begin_;
  const std::string* const outer_;
};

template <empties E = empties::left_out, class T>
void write_to(std::string& out, const T& v) {
  static_assert(json_convertible<T>,
                "describe the type with BOOST_DESCRIBE_STRUCT or specialise json_codec for it");
  const auto write = [&] {
    if constexpr (requires { json_codec<T>::template write<E>(out, v); })
      json_codec<T>::template write<E>(out, v);
    else
      json_codec<T>::write(out, v);
  };
  if constexpr (has_library_codec<T>) {
    write();
  } else {
    const codec_check check(out);
    write();
    check.written();
  }
}
template <empties E, class T>
void write_checked(std::string& out, const T& v) {
  try {
    write_to<E>(out, v);
  } catch (...) {
    rethrow_unwritten();
  }
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

// Every base and every member of an aggregate takes one initialiser, and an array one for each of
// its elements, so that one too many says that a member was forgotten.
template <class T>
struct any_member {
  template <class U>
  requires(!std::is_base_of_v<U, T>) operator U() const;
};
template <class T>
struct any_base {
  template <class U>
  requires(std::is_base_of_v<U, T> && !std::same_as<U, T>) operator U() const;
};
template <class T, class... M>
concept initialised_by = requires {
  T{M()...};
};
template <class T, std::size_t... B, std::size_t... M>
constexpr bool has(std::index_sequence<B...>, std::index_sequence<M...>) {
  return initialised_by<T, std::enable_if_t<(B + 1 > 0), any_base<T>>...,
                        std::enable_if_t<(M + 1 > 0), any_member<T>>...>;
}
/// Bases, and at most some members of such a type, which come after them.
template <class T, std::size_t Known = 0>
constexpr std::size_t count_bases() {
  if constexpr (has<T>(std::make_index_sequence<Known + 1>(), std::index_sequence<>()))
    return count_bases<T, Known + 1>();
  else
    return Known;
}
/// How many initialisers a member takes.
template <class M>
inline constexpr std::size_t initialisers_of = 1;
template <class E, std::size_t N>
inline constexpr std::size_t initialisers_of<E[N]> = N* initialisers_of<E>;
template <class T, class List>
inline constexpr std::size_t all_initialisers = 0;
template <class T, template <class...> class List, class... D>
inline constexpr std::size_t all_initialisers<T, List<D...>> =
    (initialisers_of<std::remove_reference_t<decltype(std::declval<T&>().*D::pointer)>> + ... + 0);
/// To count more than that takes the compiler too long.
inline constexpr std::size_t most_initialisers = 1024;
template <class T>
constexpr bool describes_all() {
  if constexpr (std::is_aggregate_v<T>) {
    using own = boost::describe::describe_members<T, boost::describe::mod_any_access>;
    constexpr auto described = all_initialisers<T, own>;
    return described > most_initialisers || !has<T>(std::make_index_sequence<count_bases<T>()>(),
                                                    std::make_index_sequence<described + 1>());
  } else {
    return true;
  }
}

/// `OmitEmpty`: optional members without a value are never written.
template <class T, class Members, bool OmitEmpty>
struct member_tables;
template <class T, template <class...> class List, class... D, bool OmitEmpty>
struct member_tables<T, List<D...>, OmitEmpty> {
  static_assert(describes_all<T>(),
                "a member of the struct is missing in its BOOST_DESCRIBE_STRUCT: it would never "
                "travel");

  template <class M, empties E>
  static void write(std::string& out, const void* object) {
    write_to<E>(out, static_cast<const T*>(object)->*M::pointer);
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
  template <class M, empties E>
  static constexpr writable_member writer() {
    if constexpr (may_be_absent<M> && (OmitEmpty || E == empties::left_out))
      return {M::name, &write<M, E>, &absent<M>};
    else
      return {M::name, &write<M, E>, nullptr};
  }
  template <empties E>
  static constexpr std::array<writable_member, sizeof...(D)> writable{writer<D, E>()...};
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
  template <empties E>
  static void write(std::string& out, const Tuple& v) {
    out += '[';
    ((out += I == 0 ? std::string_view() : std::string_view(", "),
      write_to<E>(out, std::get<I>(v))),
     ...);
    out += ']';
  }
};
template <class Tuple>
struct tuple_codec {
  using tables = tuple_tables<Tuple, std::make_index_sequence<std::tuple_size_v<Tuple>>>;
  template <empties E = empties::left_out>
  static void write(std::string& out, const Tuple& v) {
    tables::template write<E>(out, v);
  }
  static void read(json_reader& r, Tuple& v) { read_fixed(r, &v, tables::readable); }
};

}  // namespace detail

}  // namespace oslo::messaging

#pragma GCC visibility pop
