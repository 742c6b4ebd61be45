#include "core/trace_parent.hpp"

#include "core/unique_id.hpp"

namespace oslo::messaging {
namespace {

/// Reads lower-case hex digits; false for anything else.
template <class T>
bool read_hex(std::string_view digits, T& out) noexcept {
  T v = 0;
  for (const char c : digits) {
    unsigned digit = 0;
    if (c >= '0' && c <= '9')
      digit = static_cast<unsigned>(c - '0');
    else if (c >= 'a' && c <= 'f')
      digit = static_cast<unsigned>(c - 'a') + 10;
    else
      return false;
    v = static_cast<T>(v * 16 + digit);
  }
  out = v;
  return true;
}

constexpr std::size_t length = 55;

}  // namespace

std::optional<trace_parent> trace_parent::parse(std::string_view text) noexcept {
  if (text.size() < length || text[2] != '-' || text[35] != '-' || text[52] != '-') return {};
  trace_parent p;
  std::uint8_t version = 0;
  if (!read_hex(text.substr(0, 2), version) || !read_hex(text.substr(3, 16), p.trace[0]) ||
      !read_hex(text.substr(19, 16), p.trace[1]) || !read_hex(text.substr(36, 16), p.span) ||
      !read_hex(text.substr(53, 2), p.flags))
    return {};
  if (version == 0xff || (p.trace[0] | p.trace[1]) == 0 || p.span == 0) return {};
  if (text.size() > length && (version == 0 || text[length] != '-')) return {};
  return p;
}

std::string trace_parent::trace_id() const {
  std::string out(32, '0');
  write_hex64(out.data(), trace[0]);
  write_hex64(out.data() + 16, trace[1]);
  return out;
}

std::string trace_parent::span_id() const {
  std::string out(16, '0');
  write_hex64(out.data(), span);
  return out;
}

std::string trace_parent::text() const {
  constexpr const char* digits = "0123456789abcdef";
  return "00-" + trace_id() + '-' + span_id() + '-' + digits[flags >> 4] + digits[flags & 15];
}

}  // namespace oslo::messaging
