// The body of a delivery as its publisher wrote it.
#pragma once

#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>

#include "protocol/amqp091/connection.hpp"

namespace oslo::messaging::rabbit {

/// The body is not as its publisher wrote it.
bool is_compressed(const amqp091::delivery& d) noexcept;

/// `storage` takes the body when it came compressed, or in another encoding than UTF-8. Fails with
/// `errc::malformed_message` when it cannot be decompressed, or has more than `most` bytes then, or
/// more than 1 MiB and 2,000 times its size.
result<std::string_view> body_of(const amqp091::delivery& d, std::size_t most,
                                 std::string& storage);

}  // namespace oslo::messaging::rabbit
