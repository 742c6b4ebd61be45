// Options of [oslo_messaging_notifications].
#pragma once

#include <oslo/messaging/config.hpp>
#include <oslo/messaging/transport.hpp>
#include <span>
#include <string_view>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

/// driver, transport_url, topics, retry and routing_config (docs/options.md).
std::span<const option> notification_options();

/// The values of that group. Throws `configuration_error`.
option_values read_options(const config& conf);

/// Opens the bus for notifications: `url`, else option transport_url of this group, else that of
/// [DEFAULT]. Throws as `open_transport` does.
transport open_transport(std::string_view url = {}, transport_options o = {});
/// The same with drivers of the application's choice.
transport open_transport(std::string_view url, transport_options o, const driver_registry& drivers);

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
