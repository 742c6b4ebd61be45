// The options of [oslo_messaging_amqp] and of the URL's query.
#pragma once

#include <chrono>
#include <optional>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/transport_url.hpp>
#include <span>
#include <string>
#include <vector>

#include "drivers/amqp1/addresses.hpp"
#include "drivers/amqp1/socket_link.hpp"

namespace oslo::messaging::amqp1 {

/// Every option that oslo.messaging has here, and ours; some are refused or without effect.
std::span<const option> option_table();

struct options {
  address_rules addresses;
  struct {
    bool calls = false, replies = false, casts = false, notifications = false;
  } pre_settled;                            ///< kinds of messages that the broker does not confirm
  std::chrono::seconds send_timeout{30};    ///< of a cast without one of its own
  std::chrono::seconds notify_timeout{30};  ///< of a notification
  std::chrono::seconds reply_timeout{30};
  int reply_retry = 0;
  std::chrono::seconds idle_sender{600};  ///< after that a sender without work is closed
  std::uint32_t reply_credit = 200, rpc_credit = 100, notify_credit = 100;
  bool trace = false;
  link_settings link;
  std::vector<std::string> warnings;  ///< what the user should know of his options
  std::string without_effect;         ///< which of them do nothing here; may be empty
};

/// Throws `configuration_error`.
options read_options(const config& conf, const transport_url& url, std::string_view client_name);

}  // namespace oslo::messaging::amqp1
