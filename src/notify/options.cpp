#include <array>
#include <oslo/messaging/notify/options.hpp>
#include <string>
#include <utility>

#include "core/config/option_lookup.hpp"

namespace oslo::messaging::notify {

std::span<const option> notification_options() {
  static const std::array<option, 5> options{{
      {.name = "driver",
       .type = option_type::multi_string,
       .default_value = "",
       .help = "What notifiers do with their messages: messaging, messagingv2, log, noop, test, "
               "routing. "
               "May be given several times.",
       .deprecated = {"DEFAULT/notification_driver"}},
      {.name = "transport_url",
       .help = "The message bus of notifications; not set: that of [DEFAULT].",
       .has_default = false,
       .secret = true,
       .deprecated = {"DEFAULT/notification_transport_url"}},
      {.name = "topics",
       .type = option_type::list,
       .default_value = "notifications",
       .help = "Topics that messages are sent to.",
       .deprecated = {"rpc_notifier2/topics", "DEFAULT/notification_topics"}},
      {.name = "retry",
       .type = option_type::integer,
       .default_value = "-1",
       .help = "Attempts after the first while the bus cannot be reached. -1: for ever; 0: none.",
       .min = -1.0},
      {.name = "routing_config",
       .default_value = "",
       .help = "The YAML file of driver routing: which drivers get which events and priorities.",
       .deprecated = {"DEFAULT/routing_notifier_config"}},
  }};
  return options;
}

option_values read_options(const config& conf) {
  return {"oslo_messaging_notifications", notification_options(), conf};
}

transport open_transport(std::string_view url, transport_options o,
                         const driver_registry& drivers) {
  std::string chosen(url);
  if (chosen.empty()) chosen = configured_url(read_options(o.conf));
  return transport::open(chosen, std::move(o), drivers);
}

transport open_transport(std::string_view url, transport_options o) {
  return open_transport(url, std::move(o), default_drivers());
}

}  // namespace oslo::messaging::notify
