// Measurements of the application that must not end the work that they measure.
#pragma once

#include <memory>
#include <oslo/messaging/logger.hpp>
#include <oslo/messaging/metrics.hpp>

namespace oslo::messaging {

/// The same measurements; what `inner` throws is one error line in `log`. Null for null.
std::shared_ptr<metrics> guarded_metrics(std::shared_ptr<metrics> inner, logger log);

}  // namespace oslo::messaging
