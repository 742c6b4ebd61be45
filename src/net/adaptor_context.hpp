// The context of executors that have none of their own.
#pragma once

#include <boost/asio/execution_context.hpp>

namespace oslo::messaging::net {

/// Where I/O objects on adaptors live; Asio gives it one thread when the first is made.
boost::asio::execution_context& adaptor_context();

}  // namespace oslo::messaging::net
