// Options of groups that every transport has, whatever its driver.
#pragma once

#include <oslo/messaging/config.hpp>
#include <span>

namespace oslo::messaging {

/// [oslo_messaging_tracing]
std::span<const option> tracing_options();
/// [oslo_messaging_metrics]
std::span<const option> metrics_options();

}  // namespace oslo::messaging
