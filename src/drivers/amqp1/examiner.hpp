// What `examine` (doctor.hpp) does on a broker of AMQP 1.0.
#pragma once

#include <oslo/messaging/driver.hpp>
#include <vector>

namespace oslo::messaging::amqp1 {

/// For the registry. Connects and logs in to every host. Addresses are only named: a link to one
/// would make it at many brokers.
std::vector<finding> examine(const transport_url& url, const driver_environment& env,
                             const examination& what);

}  // namespace oslo::messaging::amqp1
