// The options of [oslo_messaging_zmq] and of the URL's query.
#pragma once

#include <chrono>
#include <cstdint>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/transport_url.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging::zmq {

/// Every option that oslo.messaging 8.1.4 has here, and ours; some are without effect.
std::span<const option> option_table();

/// Who knows where servers are.
enum class matchmaker_kind { redis, dummy, fixed, ipc };

struct host_port {
  std::string host;  ///< IPv6 without brackets
  std::uint16_t port = 0;
  std::string user{}, password{};  ///< of Redis
};
/// "host:port", IPv6 in brackets.
std::string to_string(const host_port& at);

/// Keys as text of Z85, 40 characters each; empty: no CURVE.
struct curve_keys {
  std::string secret, own_public;    ///< of this process
  std::string server;                ///< of the servers
  std::vector<std::string> clients;  ///< whom servers let in
};

struct options {
  matchmaker_kind matchmaker = matchmaker_kind::redis;
  std::vector<host_port> hosts;  ///< of Redis, or the servers themselves
  std::string host;              ///< of this process, as clients see it
  std::string bind_address;
  int min_port = 49'153, last_port = 65'535, bind_tries = 100;
  std::string ipc_dir;
  std::chrono::seconds target_expire{300};  ///< below zero: never
  std::chrono::milliseconds alive_interval{2'000};
  std::chrono::milliseconds linger{1'000};
  int keepalive = -1, keepalive_idle = -1, keepalive_count = -1, keepalive_interval = -1;
  curve_keys curve;
  std::vector<std::string> warnings;  ///< what the user should know of his options
  std::string without_effect;         ///< which of them do nothing here; may be empty
};

/// Throws `configuration_error`.
options read_options(const config& conf, const transport_url& url);

}  // namespace oslo::messaging::zmq
