// What `examine` (doctor.hpp) does without a broker.
#pragma once

#include <oslo/messaging/driver.hpp>
#include <vector>

namespace oslo::messaging::zmq {

/// For the registry. Binds nothing and sends no message.
std::vector<finding> examine(const transport_url& url, const driver_environment& env,
                             const examination& what);

}  // namespace oslo::messaging::zmq
