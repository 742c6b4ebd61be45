// White space as Python's str.strip sees it, and case and digits without a locale.
#pragma once

#include <string>
#include <string_view>

namespace oslo::messaging {

/// `text` (UTF-8) without leading or trailing white space, all of Unicode's included: a no-break
/// space that was pasted into a config file must not become part of a password.
std::string_view strip(std::string_view text) noexcept;
std::string_view strip_left(std::string_view text) noexcept;
std::string_view strip_right(std::string_view text) noexcept;

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// Of ASCII's letters; all other bytes stay as they are.
constexpr char ascii_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string ascii_lower(std::string_view text);

}  // namespace oslo::messaging
