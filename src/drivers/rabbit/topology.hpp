// The exchanges and queues of oslo.messaging on RabbitMQ, as values that can be declared again.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "drivers/rabbit/options.hpp"
#include "protocol/amqp091/field_table.hpp"

namespace oslo::messaging::rabbit {

struct exchange {
  std::string name;  ///< empty: the default exchange, which always exists
  std::string type = "topic";
  bool durable = false;
  bool auto_delete = false;
  bool operator==(const exchange&) const = default;
};

struct queue {
  std::string name;
  bool durable = false;
  bool auto_delete = false;
  amqp091::field_table arguments;
  bool operator==(const queue&) const = default;
};

/// A queue to consume from, with what leads to it.
struct source {
  exchange from;
  queue to;
  std::vector<std::string> binding_keys;
  bool private_to_us = false;   ///< only this process uses the queue: delete it at the end
  bool unacknowledged = false;  ///< a delivery counts as settled once it was sent
  amqp091::field_table consume_arguments{};
  bool ours_alone = false;  ///< its name may be another's by mistake: nobody else may consume it
  bool is_stream = false;   ///< it keeps what was read: the consumer says where it begins
  bool operator==(const source&) const = default;
};

/// Where to publish, with what has to exist before.
struct destination {
  exchange to;
  std::string routing_key;
  std::optional<queue> ensure_queue;  ///< declared and bound with the routing key (notifications)
  std::chrono::milliseconds message_ttl{0};  ///< the broker drops it after that; 0: never
  std::string text() const;                  ///< "exchange/key", for errors
};

// docs/wire/rabbitmq.md, RMQ-3 to RMQ-11. `exchange_name` is the target's, or the control exchange.
exchange topic_exchange(const options& o, std::string exchange_name);
exchange fanout_exchange(const options& o, const std::string& topic);

/// The three queues of an RPC server: topic, server and fanout, in oslo's order.
std::vector<source> server_sources(const options& o, const std::string& exchange_name,
                                   const std::string& topic, const std::string& server,
                                   const std::string& unique);
source reply_source(const options& o, const std::string& unique);
source notification_source(const options& o, const std::string& exchange_name,
                           const std::string& topic_and_priority);
source pool_source(const options& o, const std::string& exchange_name, const std::string& pool,
                   std::vector<std::string> topics_and_priorities);

destination topic_destination(const options& o, std::string exchange_name, std::string topic);
destination server_destination(const options& o, std::string exchange_name,
                               const std::string& topic, const std::string& server);
destination fanout_destination(const options& o, const std::string& topic);
destination reply_destination(std::string reply_queue);

/// RabbitMQ ends the whole connection over a name that is no UTF-8. Throws `std::invalid_argument`.
void check_names(const source& s);
void check_names(const destination& d);

/// `keep`: with a queue that exists and without expiry, whatever the options say.
destination notification_destination(const options& o, std::string exchange_name,
                                     const std::string& topic_and_priority, bool keep = false);

}  // namespace oslo::messaging::rabbit
