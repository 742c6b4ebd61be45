// Compressed bodies, as kombu makes them: a header of the message names how.
#pragma once

#include <cstdint>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::wire {

enum class codec : std::uint8_t {
  zlib,  ///< RFC 1950; kombu calls it "gzip", which it is not
  bzip2,
};

/// The header that names the codec.
inline constexpr std::string_view compression_header = "compression";
/// What kombu writes there.
std::string_view header_value(codec c) noexcept;

/// By the value of the header, or by a name of option `kombu_compression`: gzip, zlib, bzip2, bzip.
/// Its help speaks of "bz2", too, which kombu itself does not know.
std::optional<codec> codec_named(std::string_view name) noexcept;

/// `body` has at most 4 GiB. Throws `std::length_error`.
std::string compress(codec c, std::string_view body);

/// Fails with `errc::malformed_message` for what is broken, cut short, followed by other bytes, or
/// longer than `most` bytes; never holds more than that.
result<std::string> decompress(codec c, std::string_view compressed, std::size_t most);

}  // namespace oslo::messaging::wire
