// Bodies that a peer wrote in another encoding than UTF-8, and says so.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace oslo::messaging::wire {

/// The text in UTF-8. Nothing where the body is to be read as it is, as by Python: the encoding is
/// UTF-8 or unknown here, or the body is not in it. Known, by any of their usual names: latin-1,
/// UTF-16 and UTF-32 (with a byte order mark, or little-endian), both with an order in their name,
/// and UTF-8 with a mark (`utf-8-sig`). Takes at most twice the memory of the body.
std::optional<std::string> to_utf8(std::string_view encoding, std::string_view body);

}  // namespace oslo::messaging::wire
