// AMQP field tables: the typed key-value lists of arguments, headers and properties.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace amqp091 {

struct field_value;

/// Keeps insertion order, as peers compare bytes.
class field_table {
 public:
  using entry = std::pair<std::string, field_value>;

  // All defined where field_value is complete.
  field_table() noexcept;
  field_table(std::initializer_list<entry> entries);
  field_table(const field_table&);
  field_table(field_table&&) noexcept;
  field_table& operator=(const field_table&);
  field_table& operator=(field_table&&) noexcept;
  ~field_table();

  void set(std::string key, field_value v);  ///< replaces or appends
  /// Appends without a look for an equal key: constant time, for reading tables of the peer.
  void append(std::string key, field_value v);
  const field_value* find(std::string_view key) const noexcept;
  const std::vector<entry>& entries() const noexcept { return entries_; }
  bool empty() const noexcept;
  bool operator==(const field_table&) const;

 private:
  std::vector<entry> entries_;
};

using field_array = std::vector<field_value>;

struct decimal {
  std::uint8_t scale = 0;
  std::int32_t digits = 0;
  bool operator==(const decimal&) const = default;
};
struct timestamp {
  std::uint64_t seconds = 0;
  bool operator==(const timestamp&) const = default;
};
struct byte_array {
  std::string bytes;
  bool operator==(const byte_array&) const = default;
};

/// One typed value. The alternatives are the types that RabbitMQ and its clients use (the letters
/// in comments); AMQP 0-9-1 errata, https://www.rabbitmq.com/amqp-0-9-1-errata.html section 3.
struct field_value {
  using storage = std::variant<std::monostate,  // V
                               bool,            // t
                               std::int8_t,     // b
                               std::uint8_t,    // B
                               std::int16_t,    // s
                               std::uint16_t,   // u
                               std::int32_t,    // I
                               std::uint32_t,   // i
                               std::int64_t,    // l (and L when read)
                               float,           // f
                               double,          // d
                               decimal,         // D
                               std::string,     // S
                               byte_array,      // x
                               timestamp,       // T
                               field_array,     // A
                               field_table>;    // F
  storage data;

  field_value() = default;
  template <class T>
  requires(!std::is_same_v<std::decay_t<T>, field_value>) field_value(T&& v)
      : data(std::forward<T>(v)) {}
  field_value(const char* text) : data(std::string(text)) {}

  const std::string* as_string() const noexcept { return std::get_if<std::string>(&data); }
  const bool* as_bool() const noexcept { return std::get_if<bool>(&data); }
  const field_table* as_table() const noexcept { return std::get_if<field_table>(&data); }
  bool operator==(const field_value&) const = default;
};

inline field_table::field_table() noexcept = default;
inline field_table::~field_table() = default;
inline bool field_table::empty() const noexcept {
  return entries_.empty();
}

}  // namespace amqp091
