// The time of a call (wire/deadline.hpp) in the properties of an AMQP message.
#pragma once

#include <chrono>

#include "protocol/amqp091/codec.hpp"
#include "wire/deadline.hpp"

namespace oslo::messaging::rabbit {

using std::chrono::milliseconds;

/// Puts it into expiration and headers. Precondition: `t` was made here, so it is complete.
void set_call_time(amqp091::properties& p, const wire::call_time& t);

/// What the sender wrote. Those that only give an expiration (Python) do not say when they sent.
wire::call_time call_time_of(const amqp091::properties& p);

}  // namespace oslo::messaging::rabbit
