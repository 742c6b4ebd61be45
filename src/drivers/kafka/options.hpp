// The options of [oslo_messaging_kafka] and of the URL's query, and what they mean to librdkafka.
#pragma once

#include <chrono>
#include <cstddef>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/transport_url.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging::kafka {

/// Every option that oslo.messaging has here, and ours; some are without effect.
std::span<const option> option_table();

/// Settings of librdkafka by its own names: `cpp_rdkafka.socket.timeout.ms` of file or query goes
/// to producer and consumers, the other two to one of them.
inline constexpr std::string_view setting_prefix = "cpp_rdkafka.";
inline constexpr std::string_view producer_prefix = "cpp_rdkafka_producer.";
inline constexpr std::string_view consumer_prefix = "cpp_rdkafka_consumer.";

/// One setting of librdkafka. Of those with the same name the last counts.
struct setting {
  std::string name;
  std::string value;
  /// Where it comes from, as the beginning of a sentence; empty: from this driver.
  std::string origin{};
};

struct options {
  std::string servers;  ///< bootstrap.servers
  std::string group;    ///< of listeners without a pool
  std::string vhost;    ///< the end of the name of every topic; may be empty
  std::size_t most_at_once = 500;
  bool auto_commit = false;
  bool latest = false;  ///< cpp_auto_offset_reset
  std::chrono::milliseconds commit_interval{100};
  std::string token_file;             ///< of OAUTHBEARER; empty: none
  std::vector<setting> producer;      ///< all of a producer
  std::vector<setting> consumer;      ///< all of a consumer, but for group.id
  std::vector<std::string> warnings;  ///< what the user should know of his options
  std::string without_effect;         ///< which of them do nothing here; may be empty
};

/// Throws `configuration_error`, also for settings that librdkafka does not know or take.
options read_options(const config& conf, const transport_url& url, std::string_view client_name);

}  // namespace oslo::messaging::kafka
