// Numbers in JSON text: where they end, and what they are worth.
#pragma once

#include <string_view>

namespace oslo::messaging::json_number {

/// End of the number at `p` by JSON's grammar, or null when there is none.
const char* end_of(const char* p, const char* end) noexcept;

/// Whether a number has neither fraction nor exponent.
bool is_integer(std::string_view number) noexcept;

/// The nearest double of a number, NaN, Infinity or -Infinity. Beyond its range: infinity or zero.
double to_double(std::string_view number) noexcept;

}  // namespace oslo::messaging::json_number
