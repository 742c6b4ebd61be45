#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace oslo::messaging {
namespace {

constexpr std::string_view ascii_space = " \t\n\v\f\r\x1c\x1d\x1e\x1f";

// The white space beyond ASCII: U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F,
// U+205F, U+3000.
constexpr std::array<std::string_view, 19> wide_spaces = {
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
    "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
    "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
    "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

bool is_ascii_space(char c) noexcept {
  return ascii_space.find(c) != std::string_view::npos;
}

}  // namespace

std::string_view strip_left(std::string_view text) noexcept {
  while (!text.empty()) {
    if (is_ascii_space(text.front())) {
      text.remove_prefix(1);
      continue;
    }
    const auto wide = std::find_if(wide_spaces.begin(), wide_spaces.end(),
                                   [&](auto s) { return text.starts_with(s); });
    if (wide == wide_spaces.end()) break;
    text.remove_prefix(wide->size());
  }
  return text;
}

std::string_view strip_right(std::string_view text) noexcept {
  while (!text.empty()) {
    if (is_ascii_space(text.back())) {
      text.remove_suffix(1);
      continue;
    }
    const auto wide = std::find_if(wide_spaces.begin(), wide_spaces.end(),
                                   [&](auto s) { return text.ends_with(s); });
    if (wide == wide_spaces.end()) break;
    text.remove_suffix(wide->size());
  }
  return text;
}

std::string_view strip(std::string_view text) noexcept {
  return strip_left(strip_right(text));
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

}  // namespace oslo::messaging
