// Where handlers run when the application does not say.
#pragma once

#include <cstddef>
#include <oslo/messaging/config.hpp>

namespace oslo::messaging {

/// More threads than that are a mistake: it is what Linux gives a process by default.
inline constexpr std::size_t most_pool_threads = 32'768;

/// Option executor_thread_pool_size: the threads of the pool that handlers run on. Throws
/// `configuration_error` when it is out of range.
std::size_t default_pool_size(const option_values& defaults);

}  // namespace oslo::messaging
