#include "core/tasks/default_executor.hpp"

#include <oslo/messaging/error.hpp>
#include <string>

namespace oslo::messaging {

std::size_t default_pool_size(const option_values& defaults) {
  const auto threads = defaults.integer("executor_thread_pool_size");
  if (threads < 1 || threads > std::int64_t{most_pool_threads})
    throw configuration_error(
        {errc::invalid_config, "Option executor_thread_pool_size must be 1 to " +
                                   std::to_string(most_pool_threads) + ", not " +
                                   std::to_string(threads) + "."});
  return static_cast<std::size_t>(threads);
}

}  // namespace oslo::messaging
