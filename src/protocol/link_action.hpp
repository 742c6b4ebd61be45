// What a link policy wants done. Who obeys needs no judgement of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/logger.hpp>
#include <string>
#include <variant>
#include <vector>

#include "protocol/amqp091/connection.hpp"

namespace oslo::messaging::protocol {

struct endpoint {
  std::string host;
  std::uint16_t port = 0;
  std::string text() const;          ///< "host:port", IPv6 in brackets
  bool is_literal() const noexcept;  ///< the host is an address and needs no look-up
};

/// How a connection ended, or why none came about.
struct link_loss {
  failure why;
  /// A connection was lost; else a whole pass over the hosts has failed.
  bool was_open = false;
  /// Every host has refused us in this pass: only an operator can help.
  bool verdict = false;
  /// What the broker said when it closed an open connection.
  std::optional<amqp091::close_reason> closed{};
  /// It was given up because the broker, which went on with its heartbeats, answered nothing.
  bool deaf = false;
};

namespace act {

using try_id = std::uint64_t;

/// Answered by `link_policy::resolved` or `failed`.
struct look_up {
  try_id id;
  endpoint host;
};
/// Connect, and secure the connection where that is wanted. Answered by `connected` or `failed`.
struct dial {
  try_id id;
  endpoint address;
  endpoint host;  ///< as the user calls it: for messages and for the check of its certificate
};
/// Forget this look-up or dial. No answer.
struct give_up {
  try_id id;
};
/// The dial has won: speak AMQP on it, as the user of that broker. Answered by `opened`, `ended`.
struct converse {
  try_id id;
  std::size_t broker;
};
/// Whether output that the other side does not acknowledge may end the connection.
struct limit_silence {
  bool on;
};
/// Close the connection with the handshake of AMQP. Answered by `ended`.
struct say_goodbye {};
/// Drop the connection, if there is one. No answer.
struct hang_up {};

// For the user of the link.
struct report_up {};
struct report_down {
  link_loss loss;
};
struct report_shut {};
struct say {
  log_level level;
  std::string text;
};

}  // namespace act

using link_action = std::variant<act::look_up, act::dial, act::give_up, act::converse,
                                 act::limit_silence, act::say_goodbye, act::hang_up, act::report_up,
                                 act::report_down, act::report_shut, act::say>;
using link_actions = std::vector<link_action>;

}  // namespace oslo::messaging::protocol
