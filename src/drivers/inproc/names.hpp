// Names that this bus takes: those that RabbitMQ takes, so that what works here works there.
#pragma once

#include <optional>
#include <oslo/messaging/error.hpp>
#include <string_view>

namespace oslo::messaging::inproc {

/// UTF-8 of at most 255 bytes, or why it is not.
result<void> check_name(std::string_view name);

/// The exchange and the queue of a message to `topic`: that of one server, of all, or of any.
result<void> check_names(std::string_view exchange, std::string_view topic,
                         std::optional<std::string_view> server, bool fanout);

}  // namespace oslo::messaging::inproc
