// zmq:// - no broker: from one service to another over ZeroMQ.
#pragma once

#include <memory>
#include <oslo/messaging/driver.hpp>

namespace oslo::messaging::zmq {

/// The factory of the scheme "zmq".
std::unique_ptr<driver> make_driver(const transport_url& url, driver_environment env);

/// What `default_drivers` has of this folder.
void add_to(driver_registry& r);

}  // namespace oslo::messaging::zmq
