#include "core/trace_parent.hpp"

#include "core/unique_id.hpp"

namespace oslo::messaging {
namespace {

constexpr std::size_t length = 55;

}  // namespace

std::optional<trace_parent> trace_parent::parse(std::string_view text) noexcept {
  if (text.size() < length || text[2] != '-' || text[35] != '-' || text[52] != '-') return {};
  const auto version = read_hex64(text.substr(0, 2));
  const auto high = read_hex64(text.substr(3, 16)), low = read_hex64(text.substr(19, 16));
  const auto span = read_hex64(text.substr(36, 16)), flags = read_hex64(text.substr(53, 2));
  if (!version || !high || !low || !span || !flags) return {};
  if (*version == 0xff || (*high | *low) == 0 || *span == 0) return {};
  if (text.size() > length && (*version == 0 || text[length] != '-')) return {};
  return trace_parent{{*high, *low}, *span, static_cast<std::uint8_t>(*flags)};
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
