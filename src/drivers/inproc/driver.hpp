// fake:// - a bus inside the process, for tests and for programs that need no broker.
#pragma once

#include <memory>
#include <oslo/messaging/driver.hpp>

#include "drivers/inproc/bus.hpp"

namespace oslo::messaging::inproc {

/// The factory of the scheme "fake". All its transports of the process share one exchange table.
std::unique_ptr<driver> make_driver(const transport_url& url, driver_environment env);

/// The same over a table of its own.
std::unique_ptr<driver> make_driver(std::shared_ptr<bus> shared, driver_environment env);

/// What `default_drivers` has of this folder.
void add_to(driver_registry& r);

}  // namespace oslo::messaging::inproc
