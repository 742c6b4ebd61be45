#include "core/config/option_types.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "core/config/option_lookup.hpp"
#include "core/text.hpp"

namespace oslo::messaging {
namespace {

/// Python's numbers may have a '+' in front and single '_' between digits; std::from_chars takes
/// neither. False when such a sign stands in a wrong place.
bool plain_number(std::string_view text, std::string& out) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
      continue;
    }
    if (i == 0 || i + 1 == text.size() || !is_digit(text[i - 1]) || !is_digit(text[i + 1]))
      return false;
  }
  return true;
}

std::vector<std::string_view> split_at_commas(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

bool parse_boolean(std::string_view text) {
  const auto word = ascii_lower(text);
  for (const char* yes : {"true", "1", "on", "yes"})
    if (word == yes) return true;
  for (const char* no : {"false", "0", "off", "no"})
    if (word == no) return false;
  throw value_fault("is not a boolean (true, false, yes, no, on, off, 1, 0)");
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  text = strip(text);
  if (text.empty()) return std::nullopt;
  std::string digits;
  std::int64_t value = 0;
  if (plain_number(text, digits)) {
    const char* const end = digits.data() + digits.size();
    const auto [p, error] = std::from_chars(digits.data(), end, value);
    if (p == end && error == std::errc{}) return value;
    if (p == end && error == std::errc::result_out_of_range)
      throw value_fault("is an integer of more than 64 bits");
  }
  throw value_fault("is not an integer");
}

std::optional<double> parse_floating(std::string_view text) {
  text = strip(text);
  if (text.empty()) return std::nullopt;
  std::string digits;
  double value = 0;
  // from_chars takes "nan(...)" too.
  if (plain_number(text, digits) && digits.find('(') == std::string::npos) {
    const char* const end = digits.data() + digits.size();
    const auto [p, error] = std::from_chars(digits.data(), end, value);
    if (p == end && error == std::errc::result_out_of_range)
      throw value_fault("is outside the range of a double");
    if (p == end && error == std::errc{} && !std::isnan(value)) return value;
  }
  throw value_fault("is not a number");
}

std::vector<std::string> parse_list(std::string_view text) {
  text = strip(text);
  while (text.ends_with(',')) text.remove_suffix(1);
  std::vector<std::string> items;
  if (text.empty()) return items;
  for (const auto item : split_at_commas(text)) items.emplace_back(strip(item));
  return items;
}

std::map<std::string, std::string> parse_dict(std::string_view text) {
  text = strip(text);
  std::map<std::string, std::string> pairs;
  if (text.empty()) return pairs;
  std::string pair;
  bool open = false;  // a piece without a colon waits for the next one
  for (const auto piece : split_at_commas(text)) {
    if (open) pair += ',';
    pair += piece;
    const auto colon = pair.find(':');
    open = colon == std::string::npos;
    if (open) continue;
    const std::string key(strip(std::string_view(pair).substr(0, colon)));
    if (key.empty()) throw value_fault("has a pair with an empty key");
    if (!pairs.emplace(key, strip(std::string_view(pair).substr(colon + 1))).second)
      throw value_fault("has the key \"" + key + "\" twice");
    pair.clear();
  }
  if (open) throw value_fault("is not a list of key:value pairs");
  return pairs;
}

}  // namespace oslo::messaging
