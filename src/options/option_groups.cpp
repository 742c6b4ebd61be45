#include <array>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/notify/options.hpp>

#include "drivers/common_options.hpp"
#include "drivers/rabbit/options.hpp"

namespace oslo::messaging {

std::span<const option_group> option_groups() {
  static const std::array<option_group, 5> groups{{
      {"DEFAULT", default_options()},
      {"oslo_messaging_notifications", notify::notification_options()},
      {"oslo_messaging_rabbit", rabbit::option_table()},
      {"oslo_messaging_tracing", tracing_options()},
      {"oslo_messaging_metrics", metrics_options()},
  }};
  return groups;
}

}  // namespace oslo::messaging
