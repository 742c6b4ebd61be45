// From the text of an option to its value, by the rules of oslo.config.types.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging {

// Each throws `value_fault` when the text is not of the type.
bool parse_boolean(std::string_view text);
/// Nothing for an empty text.
std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<double> parse_floating(std::string_view text);
std::vector<std::string> parse_list(std::string_view text);
std::map<std::string, std::string> parse_dict(std::string_view text);

}  // namespace oslo::messaging
