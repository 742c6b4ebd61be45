// Text of unknown origin for JSON.
#pragma once

#include <string>
#include <string_view>

namespace oslo::messaging::notify {

/// `text` with U+FFFD for each byte that is not part of UTF-8.
std::string valid_utf8(std::string_view text);

}  // namespace oslo::messaging::notify
