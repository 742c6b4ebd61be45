// kafka:// - notifications over Apache Kafka.
#pragma once

#include <memory>
#include <oslo/messaging/driver.hpp>

namespace oslo::messaging::kafka {

/// Throws `configuration_error` for options that cannot be used.
/// Precondition: `env.loop` is a `net::asio_loop`.
std::unique_ptr<driver> make_driver(const transport_url& url, driver_environment env);

/// What `default_drivers` has of this folder.
void add_to(driver_registry& r);

}  // namespace oslo::messaging::kafka
