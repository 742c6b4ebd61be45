// Requests that RabbitMQ refuses in any case, but first says so when a permission is missing: they
// show what a user may do, and change nothing.
#pragma once

#include <string>

#include "drivers/rabbit/probe.hpp"
#include "drivers/rabbit/topology.hpp"

namespace oslo::messaging::rabbit {

/// Reply codes of RabbitMQ.
inline constexpr std::uint16_t access_refused = 403, not_found = 404, resource_locked = 405,
                               precondition_failed = 406;

// What is really declared, and is there already.
probe::question look_at(const exchange& x);
probe::question look_at(const queue& q);
probe::question declaration_of(const exchange& x);
probe::question declaration_of(const queue& q);

// For RabbitMQ alone: another broker might do what it is asked.

/// Permission to configure what is not there: an argument has a type that no declaration can have.
probe::question trial_declaration(const exchange& x);
probe::question trial_declaration(const queue& q);
/// Permission to write to the queue and to read from the exchange: ends a binding that there is
/// not.
probe::question trial_binding(const source& s, const std::string& unique);
/// Permission to read from a queue: a priority of consumers that is no number.
probe::question trial_consumer(const queue& q);
/// Permission to write to an exchange: an expiration that is no number, so that the message is not
/// routed. RabbitMQ says with it that it takes no messages for now.
probe::question trial_message(const std::string& exchange, const std::string& unique);
/// Whether queues that are neither durable nor exclusive are allowed: one of the quorum kind, which
/// is never allowed without being durable. RabbitMQ 4 or newer.
probe::question trial_transient_queue(const std::string& unused_name);

}  // namespace oslo::messaging::rabbit
