// The options of [oslo_messaging_rabbit] and of the URL's query.
#pragma once

#include <chrono>
#include <optional>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/transport_url.hpp>
#include <span>
#include <string>
#include <vector>

#include "drivers/rabbit/queue_names.hpp"
#include "net/amqp_link.hpp"
#include "wire/compression.hpp"

namespace oslo::messaging::rabbit {

/// Every option that oslo.messaging has here, and ours; some are refused or without effect.
std::span<const option> option_table();

struct options {
  bool durable = false;      ///< amqp_durable_queues
  bool auto_delete = false;  ///< amqp_auto_delete
  bool mirrored = false;     ///< rabbit_ha_queues
  /// Quorum queues, which are durable whatever `durable` says.
  struct {
    bool shared = false;     ///< rabbit_quorum_queue: topic, server and notification queues
    bool transient = false;  ///< rabbit_transient_quorum_queue: reply and fanout queues
    std::int64_t delivery_limit = 0;  ///< 0: not said, as with the other two
    std::int64_t max_memory_length = 0;
    std::int64_t max_memory_bytes = 0;
  } quorum;
  std::optional<stable_names> names;  ///< use_queue_manager
  bool stream_fanout = false;  ///< rabbit_stream_fanout: one stream for the fanouts of a topic
  bool cancel_on_failover = false;
  std::optional<wire::codec> compression;  ///< of everything that is sent
  std::chrono::seconds transient_ttl{1800};
  std::uint16_t prefetch = 0;  ///< 0: the listener's own choice
  /// Bytes of messages that came compressed and are worked on at once, of one listener; no option.
  /// What a peer packs into a few bytes waits as it came.
  std::size_t most_unpacked = std::size_t{256} << 20;
  bool mandatory_replies = true;
  bool unacknowledged_replies = false;  ///< cpp_unacknowledged_replies
  std::chrono::seconds missing_reply_queue_timeout{60};
  /// Options cpp_notification_*: ours, about queues that nobody may read.
  struct {
    bool declare = true;          ///< make sure that a queue exists before publishing
    std::chrono::seconds ttl{0};  ///< of each message; 0: none
    std::int64_t max_length = 0;  ///< messages in a queue; 0: no bound
    std::int64_t max_bytes = 0;   ///< bytes in a queue; 0: no bound
    bool reject_publish = false;  ///< refuse new messages of a full queue; else the oldest go
    std::chrono::seconds reader_check{60};  ///< 0: readers are not looked for
  } notifications;
  net::link_settings link;            ///< without `purpose`
  std::vector<std::string> warnings;  ///< what the user should know of his options
  std::string without_effect;         ///< which of them do nothing here; may be empty
};

/// Throws `configuration_error`.
options read_options(const config& conf, const transport_url& url, std::string_view client_name);

}  // namespace oslo::messaging::rabbit
