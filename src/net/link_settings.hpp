// What a link needs to know about its brokers.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "net/stream.hpp"
#include "protocol/amqp091/connection.hpp"
#include "protocol/backoff.hpp"

namespace oslo::messaging::net {

/// One broker and how to log in there.
struct broker {
  endpoint where;
  std::string username = "guest";
  std::string password = "guest";
};

struct link_settings {
  std::vector<broker> brokers;       ///< at least one
  amqp091::connection_options amqp;  ///< user name and password are those of the broker
  tls_options tls;
  protocol::backoff_options backoff;  ///< between full passes over the brokers
  /// Of each look-up of a name, and of each address that is dialled.
  std::chrono::milliseconds connect_timeout{5'000};
  /// The longest pause after every broker gave a verdict (credentials, vhost, TLS).
  std::chrono::milliseconds verdict_pause{10'000};
  std::string purpose;                 ///< "publish" or "consume", for logs
  bool shuffle = false;                ///< the hosts, before each pass
  std::chrono::milliseconds splay{0};  ///< most of a random pause after a loss
};

/// Throws `configuration_error` for what could never work: certificate files that cannot be used,
/// names that the protocol cannot carry, no broker, no host, port 0.
void check(const link_settings& settings);

/// The options of the connection to one broker.
amqp091::connection_options options_for(const link_settings& settings, const broker& to);

}  // namespace oslo::messaging::net
