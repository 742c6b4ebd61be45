// Bytes of AMQP 0-9-1: a reader that never runs past its input and a writer into a string.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include "protocol/amqp091/connection.hpp"
#include "protocol/amqp091/spec.hpp"

namespace amqp091 {

/// The peer broke a rule. Thrown by everything that reads, caught where bytes enter the machine.
class violation : public std::exception {
 public:
  violation(std::uint16_t code, std::string text) : code_(code), text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }
  std::uint16_t code() const noexcept { return code_; }
  const std::string& text() const noexcept { return text_; }

 private:
  std::uint16_t code_;
  std::string text_;
};

/// Tables and arrays inside each other, the outermost included.
inline constexpr int max_table_depth = 32;
/// Values of one table with everything below it.
inline constexpr std::size_t max_table_elements = 16384;

/// Reads from a view; strings are views of the same bytes. What does not fit in the rest of the
/// input is a `violation` with code 502.
class reader {
 public:
  explicit reader(std::string_view input) noexcept : at_(input.data()), end_(at_ + input.size()) {}

  std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  std::uint8_t u8() { return static_cast<std::uint8_t>(*take(1, "an octet")); }
  std::uint16_t u16() { return number<std::uint16_t>("a short"); }
  std::uint32_t u32() { return number<std::uint32_t>("a long"); }
  std::uint64_t u64() { return number<std::uint64_t>("a longlong"); }
  std::string_view shortstr() {
    const std::size_t size = u8();
    return {take(size, "a short string"), size};
  }
  std::string_view longstr() {
    const std::size_t size = u32();
    return {take(size, "a long string"), size};
  }
  field_table table();
  /// Throws when bytes are left.
  void finish() const {
    if (at_ != end_) fail_trailing();
  }

 private:
  const char* take(std::size_t n, const char* what) {
    if (left() < n) fail_short(n, what);
    const char* p = at_;
    at_ += n;
    return p;
  }
  template <class T>
  T number(const char* what) {
    const char* p = take(sizeof(T), what);
    T v = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
      v = static_cast<T>((std::uint64_t{v} << 8) | static_cast<std::uint8_t>(p[i]));
    return v;
  }
  [[noreturn]] void fail_short(std::size_t wanted, const char* what) const;
  [[noreturn]] void fail_trailing() const;

  const char* at_;
  const char* end_;
};

/// Appends to a string. What cannot be expressed throws `std::length_error`; the caller restores
/// the string (see `output_mark`).
class writer {
 public:
  explicit writer(std::string& out) noexcept : out_(out) {}

  void u8(std::uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void u16(std::uint16_t v) { number(v); }
  void u32(std::uint32_t v) { number(v); }
  void u64(std::uint64_t v) { number(v); }
  void bytes(std::string_view v) { out_.append(v); }
  void shortstr(std::string_view v) {
    if (v.size() > 255) fail_shortstr(v);
    u8(static_cast<std::uint8_t>(v.size()));
    out_.append(v);
  }
  void longstr(std::string_view v);
  void table(const field_table& t);
  /// The entries of a table without its length, as AMQPLAIN wants them.
  void table_entries(const field_table& t);

  /// Starts a frame and returns its place for `end_frame`.
  std::size_t begin_frame(frame_type type, channel_id channel) {
    const std::size_t start = out_.size();
    u8(static_cast<std::uint8_t>(type));
    u16(channel);
    u32(0);
    return start;
  }
  std::size_t begin_method(channel_id channel, method m) {
    const std::size_t start = begin_frame(frame_type::method, channel);
    u32(static_cast<std::uint32_t>(m));
    return start;
  }
  /// Fills in the size. A frame above `frame_max` throws `std::length_error`.
  void end_frame(std::size_t start, std::uint32_t frame_max);

 private:
  template <class T>
  void number(T v) {
    char b[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i)
      b[i] = static_cast<char>(v >> (8 * (sizeof(T) - 1 - i)));
    out_.append(b, sizeof(T));
  }
  [[noreturn]] static void fail_shortstr(std::string_view v);

  std::string& out_;
};

/// Takes back what was written since its construction unless `keep` was called.
class output_mark {
 public:
  explicit output_mark(std::string& out) noexcept : out_(out), size_(out.size()) {}
  ~output_mark() {
    if (!kept_) out_.resize(size_);
  }
  output_mark(const output_mark&) = delete;
  output_mark& operator=(const output_mark&) = delete;
  void keep() noexcept { kept_ = true; }

 private:
  std::string& out_;
  std::size_t size_;
  bool kept_ = false;
};

/// Reads property flags and list; `out` is overwritten and its memory reused.
void read_properties(reader& in, properties& out);
void write_properties(writer& out, const properties& p);

}  // namespace amqp091
