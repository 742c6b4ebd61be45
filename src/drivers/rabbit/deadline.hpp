// How long the caller of a request still waits, told to the server in headers of the message.
#pragma once

#include <chrono>
#include <optional>

#include "protocol/amqp091/codec.hpp"

namespace oslo::messaging::rabbit {

using std::chrono::milliseconds;
/// Milliseconds of the wall clock since 1970.
using wall_time = std::chrono::time_point<std::chrono::system_clock, milliseconds>;

/// Puts what is left of a call's time into expiration and headers; Python peers ignore the latter.
void set_time_left(amqp091::properties& p, milliseconds left, wall_time now);

/// What the sender of a message still gave it when it arrived; none when it gave no limit.
///
/// The header says when the message was sent and how long its sender waits, so that time spent in a
/// queue counts. A difference between the two wall clocks that cannot be time in the queue (below
/// zero, or more than the whole limit, after which the broker had thrown the message away) is a
/// clock that is wrong: then the full limit counts from the arrival, as it does for senders that
/// only give an expiration (Python). A message is never taken for older than it can be.
std::optional<milliseconds> time_left(const amqp091::properties& p, wall_time now);

}  // namespace oslo::messaging::rabbit
