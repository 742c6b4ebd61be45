// Where handlers run when the application does not say.
#pragma once

#include <memory>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/executor.hpp>

namespace oslo::messaging {

/// `given`, or a thread pool with option executor_thread_pool_size threads. Throws
/// `configuration_error` when that is below 1.
std::shared_ptr<executor> executor_or_default(const std::shared_ptr<executor>& given,
                                              const option_values& defaults);

}  // namespace oslo::messaging
