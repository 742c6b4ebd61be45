// The drivers that a notifier finds by their names.
#pragma once

#include <memory>
#include <optional>
#include <oslo/messaging/doctor.hpp>
#include <oslo/messaging/notify/notification_driver.hpp>
#include <oslo/messaging/transport.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging::notify {

using notification_sinks = std::vector<std::shared_ptr<const notification_driver>>;

/// What drivers are made from.
struct driver_sources {
  const transport& bus;
  const std::vector<std::string>& topics;
  const std::string& routing_config;
  const notification_drivers& custom;
};

/// True for the name of a driver that is not the application's.
bool is_of_library(std::string_view name) noexcept;

/// Throws `configuration_error` for a custom driver that is null, or that has a name of the
/// library's.
void check_custom_drivers(const notification_drivers& custom);

/// The driver of that name as parts that can be repeated alone; none when there is none. Throws
/// `configuration_error` for a `routing_config` that cannot be used.
std::optional<notification_sinks> make_notification_driver(std::string_view name,
                                                           const driver_sources& from);

/// A driver that is wanted, and the line of a configuration that wants it.
struct wanted_driver {
  std::string name;
  std::string origin{};  ///< empty: the program
};
/// Those of option driver. Throws `configuration_error`.
std::vector<wanted_driver> configured_drivers(const config& conf);
/// There is no such driver.
failure no_such_driver(const wanted_driver& d, const notification_drivers& custom);
/// What is wrong with options driver and routing_config, for a notifier that has no driver of the
/// program's. Throws `configuration_error`.
std::vector<finding> look_at_drivers(const config& conf);

/// "Known are messaging, …, test, mine."
std::string known_drivers(const notification_drivers& custom);

/// Over the bus to one topic. Throws when the bus has no notifications (`errc::not_supported`).
std::shared_ptr<const notification_driver> messaging_driver(transport bus, std::string topic,
                                                            notification_format f);
/// To the drivers that the rules of a file choose for each message.
notification_sinks routing_driver(const driver_sources& from);
/// Into the log of the transport.
std::shared_ptr<const notification_driver> log_driver(logger log);
/// Into `kept_notifications`.
std::shared_ptr<const notification_driver> test_driver();
/// One of the application's, held to its contract: its answer comes once, on the loop or before
/// `notify` returns, whatever it does; also when it has none, once the message's time is over or it
/// is cancelled.
std::shared_ptr<const notification_driver> custom_driver(
    std::shared_ptr<const notification_driver> d, std::shared_ptr<scheduler> loop);

}  // namespace oslo::messaging::notify
