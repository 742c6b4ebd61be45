// Translates how an AMQP connection or channel ended into what a caller can do about it.
#pragma once

#include <oslo/messaging/error.hpp>
#include <string_view>

#include "protocol/amqp091/connection.hpp"

namespace oslo::messaging::protocol {

/// `broker` is "host:port"; the broker's own words become part of the message.
failure to_failure(const amqp091::close_reason& why, std::string_view broker);

/// A decision of the broker that trying again at once cannot change.
bool is_verdict(errc e) noexcept;

}  // namespace oslo::messaging::protocol
