// Reading and writing JSON text the way Python's peers do.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <oslo/messaging/value.hpp>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// A pull reader over JSON text that stays where it is.
///
/// Accepts what Python's json module accepts:
/// - white space (space, tab, line feed, carriage return) between tokens;
/// - NaN, Infinity and -Infinity; numbers beyond the range of a double become infinite or zero;
/// - integers of any length: exact as text (`skip_value`, `read_number`), the nearest double in a
///   `value` (which a `context` passes on with all its digits), an "out of range" error when a
///   64-bit integer is asked for;
/// - duplicate keys: all are reported; in a `value` the last one wins;
/// - `\ud83d\ude00` pairs, decoded to one UTF-8 character, and lone surrogates, kept as their
///   three-byte form (also where the text itself holds that form) and written back as `\udXXX`;
/// - embedded NULs, as `\u0000`.
/// Refuses what it refuses: control characters below 0x20 inside strings, invalid UTF-8, unknown
/// escapes, leading zeros, trailing commas, a byte order mark, text after the value, empty text.
///
/// Nesting deeper than `max_depth` is an error. Nothing recurses, and every operation takes time
/// linear in the text it consumes. (Boost.JSON recurses to destroy and to copy a `value`: 1,024
/// levels take about 60 and 190 KiB of stack.)
///
/// Every member that reads throws `messaging_error` (`errc::malformed_message`) whose text gives
/// the byte offset and what was expected; the position is unspecified afterwards.
///
/// Thread safety: one thread at a time.
class json_reader {
 public:
  /// Containers inside of one another; a reader takes no more.
  static constexpr unsigned default_max_depth = 1024;
  /// What a value is, by its first character.
  enum class kind { null, boolean, number, string, array, object, end };

  /// The text must outlive the reader. A `max_depth` above 1,024 counts as 1,024.
  explicit json_reader(std::string_view text, unsigned max_depth = default_max_depth) noexcept;

  kind peek();  ///< kind of the next value; `end` at the end of the text or container
  /// Error unless the next value is null.
  void read_null();
  /// Error unless it is true or false.
  bool read_bool();
  std::int64_t read_int64();           ///< error when not an integer, or out of range
  std::uint64_t read_uint64();         ///< likewise
  double read_double();                ///< also takes integers
  std::string_view read_number();      ///< the text of one number, NaN and infinities included
  void read_string(std::string& out);  ///< replaces `out`
  /// The next string as it stands in the text when it has no escapes; else decoded into `scratch`.
  std::string_view read_string_view(std::string& scratch);
  /// Enters the next value; then `next_element`. Error unless it is an array.
  void begin_array();
  bool next_element();  ///< false: the array has ended (and is left)
  /// Enters the next value; then `next_key`. Error unless it is an object.
  void begin_object();
  bool next_key(std::string& out);  ///< false: the object has ended (and is left)
  /// The next key as it stands in the text when it has no escapes; else decoded into `scratch`.
  bool next_key(std::string_view& out, std::string& scratch);
  /// Checks one whole value and returns its text.
  std::string_view skip_value();
  /// One whole value as a tree.
  value read_value();
  /// What became of the digits of integers beyond 64 bits, which a `value` holds as double.
  enum class digits {
    kept,     ///< there was none
    lost,     ///< the text holds more of them
    too_many  ///< one has more than `longest_integer`, which no Python peer reads
  };
  /// Digits of an integer that Python reads by its default.
  static constexpr std::size_t longest_integer = 4300;
  /// One whole value as a tree, and what became of the digits of its integers.
  value read_value(digits& what_became);
  void finish();  ///< error unless only white space remains
  /// Bytes of the text that are behind it.
  std::size_t offset() const noexcept { return static_cast<std::size_t>(p_ - begin_); }
  unsigned depth() const noexcept { return depth_; }  ///< containers that were begun and not left

 private:
  [[noreturn]] void fail(std::string_view expected) const;
  [[noreturn]] void fail_at(const char* where, std::string_view what) const;
  void skip_space() noexcept {
    while (p_ != end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\t' || *p_ == '\r')) ++p_;
  }
  char current() const noexcept { return p_ == end_ ? '\0' : *p_; }
  void enter(char open, std::string_view what);
  bool next_item(char close, std::string_view expected);
  void expect_literal(std::string_view word);
  void expect_colon();
  void scan_plain();  ///< up to a quote or an escape
  void scan_escape();
  void scan_string();  ///< from the opening to past the closing quote
  unsigned hex4();
  char* decode_escape(char* to);
  void decode_tail(std::string& out);
  template <class Integer>
  Integer read_integer();
  template <class Handler>
  void walk(Handler& handler);
  struct skip_handler;
  struct value_handler;

  const char* begin_;
  const char* p_;
  const char* end_;
  unsigned depth_ = 0;
  unsigned max_depth_;
  bool first_ = false;
};

/// Parses one JSON text. Throws as `json_reader` does.
value parse_json(std::string_view text, unsigned max_depth = json_reader::default_max_depth);

/// True for integer types that hold numbers: neither bool nor a character type.
template <class T>
concept json_integer = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> &&
                       !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
                       !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

/// Appends to `out` in oslo's form: ", " and ": " between items, all but printable ASCII as
/// `\uXXXX`, floats in Python's shortest form (1.0, 1e+16, 1e-07, NaN, Infinity), keys in insertion
/// order. No pointer, character or other type converts to bool, number or string by accident.
void write_json(std::string& out, const value& v);
void write_json(std::string& out, const object& v);
void write_json(std::string& out, const array& v);
void write_json(std::string& out, std::nullptr_t);
void write_json(std::string& out, double v);
void write_json(std::string& out, float v);  ///< the shortest text that gives the same float
/// Text is UTF-8 (lone surrogates in their three-byte form are taken). Throws
/// `errc::serialization_failed` on invalid UTF-8.
void write_json(std::string& out, std::string_view v);

namespace detail {
void write_signed(std::string& out, std::int64_t v);
void write_unsigned(std::string& out, std::uint64_t v);
}  // namespace detail

/// Likewise.
template <std::same_as<bool> B>
void write_json(std::string& out, B v) {
  out += v ? std::string_view("true") : std::string_view("false");
}
template <json_integer I>
void write_json(std::string& out, I v) {
  if constexpr (std::signed_integral<I>)
    detail::write_signed(out, v);
  else
    detail::write_unsigned(out, v);
}
template <class S>
requires std::convertible_to<const S&, std::string_view> &&
    (!std::same_as<S, std::string_view>)void write_json(std::string& out, const S& v) {
  write_json(out, std::string_view(v));
}

/// A whole text, as `write_json` writes it.
std::string to_json(const value& v);

}  // namespace oslo::messaging

#pragma GCC visibility pop
