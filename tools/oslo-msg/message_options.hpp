// The options that call, cast and ping have in common.
#pragma once

#include <optional>
#include <oslo/messaging/rpc/client.hpp>
#include <string>

#include "program.hpp"

namespace oslo::messaging::cli {

struct message_options {
  std::string topic, method;
  std::string args = "{}";
  std::string context_json = "{}";
  std::optional<std::string> server, exchange, namespace_, version, version_cap;
  std::optional<double> timeout, call_monitor_timeout;  ///< seconds
  std::optional<int> retry;
  bool fanout = false;
  bool at_least_once = false;

  rpc::client make_client(const transport& bus) const;
};

/// Adds TOPIC and the options that say which server, and how long to wait and to retry.
void add_destination(CLI::App& command, message_options& o);
/// Adds METHOD, [JSON] and the options that describe the message.
void add_message(CLI::App& command, message_options& o);

}  // namespace oslo::messaging::cli
