#include "core/tasks/default_executor.hpp"

#include <oslo/messaging/error.hpp>
#include <string>

namespace oslo::messaging {

std::shared_ptr<executor> executor_or_default(const std::shared_ptr<executor>& given,
                                              const option_values& defaults) {
  if (given) return given;
  const auto threads = defaults.integer("executor_thread_pool_size");
  if (threads < 1)
    throw configuration_error(
        {errc::invalid_config, "Option executor_thread_pool_size must be at least 1, not " +
                                   std::to_string(threads) + "."});
  return thread_pool(static_cast<std::size_t>(threads));
}

}  // namespace oslo::messaging
