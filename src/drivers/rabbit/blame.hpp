// Whom the broker blames when it closes a channel that publishes.
#pragma once

#include <string_view>

#include "drivers/rabbit/topology.hpp"
#include "protocol/amqp091/connection.hpp"

namespace oslo::messaging::rabbit {

enum class blamed {
  topology,     ///< a declaration or binding
  destination,  ///< publishing to one exchange or routing key that its words name
  message,      ///< some message that was published; which one it does not say
  nobody,       ///< a fault of the broker or the connection itself
};

/// Read from the method that failed and from the words. `connection`: it is a connection that was
/// closed, where bytes that cannot be read blame a message, too.
blamed whom(const amqp091::close_reason& why, bool connection);

/// RabbitMQ 4.3 forbids queues that are neither durable nor exclusive, and ends the connection over
/// a declaration of one. It says the name of the feature, and of no queue.
bool forbids_transient_queues(const amqp091::close_reason& why);
/// The same by the words alone.
bool forbids_transient_queues(std::string_view words);

/// A user, or a node, has as many channels as there may be over all connections: the broker ends
/// the connection that asks for another.
bool finds_no_channel(const amqp091::close_reason& why);

/// Of `blamed::destination`: whether the words mean this one. They quote a topic when only that
/// routing key is meant.
bool means(const amqp091::close_reason& why, const destination& to);

}  // namespace oslo::messaging::rabbit
