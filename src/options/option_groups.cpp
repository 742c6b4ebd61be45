#include <oslo/messaging/config.hpp>
#include <oslo/messaging/notify/options.hpp>
#include <oslo/messaging/transport.hpp>
#include <vector>

#include "drivers/common_options.hpp"

namespace oslo::messaging {

std::span<const option_group> option_groups() {
  static const auto groups = [] {
    std::vector<option_group> all{
        {"DEFAULT", default_options()},
        {"oslo_messaging_notifications", notify::notification_options()},
    };
    const auto& of_drivers = default_drivers().options();
    all.insert(all.end(), of_drivers.begin(), of_drivers.end());
    all.push_back({"oslo_messaging_tracing", tracing_options()});
    all.push_back({"oslo_messaging_metrics", metrics_options()});
    return all;
  }();
  return groups;
}

}  // namespace oslo::messaging
