// Reading and writing JSON text the way Python's peers do.
#pragma once

#include <cstdint>
#include <oslo/messaging/value.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging {

/// A pull reader over JSON text that stays where it is. Accepts what Python's json module accepts:
/// any white space, NaN, Infinity and -Infinity, integers of any length, lone surrogates, duplicate
/// keys. Text must be valid UTF-8. Never recurses deeper than `max_depth`.
///
/// Every member that reads throws `messaging_error` (`errc::malformed_message`) whose text gives
/// the byte offset and what was expected.
///
/// Thread safety: one thread at a time.
class json_reader {
 public:
  static constexpr unsigned default_max_depth = 1024;
  enum class kind { null, boolean, number, string, array, object, end };

  explicit json_reader(std::string_view text, unsigned max_depth = default_max_depth);

  kind peek();  ///< kind of the next value; `end` at the end of the text or container
  void read_null();
  bool read_bool();
  std::int64_t read_int64();    ///< error when not an integer, or out of range
  std::uint64_t read_uint64();  ///< likewise
  double read_double();
  void read_string(std::string& out);  ///< replaces `out`
  void begin_array();
  bool next_element();  ///< false: the array has ended (and is left)
  void begin_object();
  bool next_key(std::string& out);  ///< false: the object has ended (and is left)
  /// The next key as it stands in the text when it has no escapes; else decoded into `scratch`.
  bool next_key(std::string_view& out, std::string& scratch);
  /// Checks one whole value and returns its text.
  std::string_view skip_value();
  value read_value();
  void finish();  ///< error unless only white space remains
  std::size_t offset() const noexcept;

 private:
  [[noreturn]] void fail(std::string_view expected) const;
  void skip_space() noexcept;
  void enter(char open, std::string_view what);
  void expect_literal(std::string_view word);
  std::string_view scan_string(bool& plain);  ///< text between the quotes
  std::string_view scan_number();
  void skip_flat_value();

  const char* begin_;
  const char* p_;
  const char* end_;
  unsigned depth_ = 0;
  unsigned max_depth_;
  bool first_ = false;
};

/// Parses one JSON text. Throws as `json_reader` does.
value parse_json(std::string_view text, unsigned max_depth = json_reader::default_max_depth);

// Writers append to `out` in oslo's form: ", " and ": " between items, all non-ASCII as \uXXXX,
// floats in Python's shortest form, keys in insertion order.
void write_json(std::string& out, const value& v);
void write_json(std::string& out, std::nullptr_t);
void write_json(std::string& out, bool v);
void write_json(std::string& out, std::int64_t v);
void write_json(std::string& out, std::uint64_t v);
void write_json(std::string& out, double v);
void write_json(std::string& out, std::string_view v);  ///< throws serialization_failed on bad UTF-8
std::string to_json(const value& v);

}  // namespace oslo::messaging
