// The names of topics on the bus.
#pragma once

#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::kafka {

/// `topic`, which ends with the priority already, and `vhost` unless that is empty, joined by a dot
/// (docs/wire/kafka.md, KAF-2).
std::string topic_name(std::string_view topic, std::string_view vhost);

/// Fails with `errc::invalid_argument` for a name that no broker takes: letters, digits, dot,
/// underscore and hyphen of ASCII, at most 249 of them, and neither "." nor "..".
result<void> check_topic(std::string_view name);

}  // namespace oslo::messaging::kafka
