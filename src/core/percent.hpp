// Percent-encoding as Python's urllib does it.
#pragma once

#include <string>
#include <string_view>

namespace oslo::messaging {

/// Decodes %XX; an escape that is none stays as it is; bytes that are not UTF-8 become U+FFFD.
/// With `plus_is_space`, '+' stands for a space (form encoding).
std::string percent_decode(std::string_view text, bool plus_is_space = false);

/// Encodes everything but letters, digits, "_.-~" and the characters in `safe`.
std::string percent_encode(std::string_view text, std::string_view safe = {},
                           bool space_is_plus = false);

}  // namespace oslo::messaging
