// The verbs of a server and a listener, for threads that wait.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <oslo/messaging/serving.hpp>

#include "serve/serving.hpp"

namespace oslo::messaging::serve {

// What `rpc::server` and `notify::listener` say of their members of that name is said of these.

void start(serving& s, const start_options& o);
void async_start(serving& s, unique_function<void(result<void>)> done,
                 std::size_t override_pool_size);
void stop(serving& s, const task_options& o);
void async_stop(serving& s, unique_function<void()> done);
void wait(serving& s, const task_options& o);
void async_wait(serving& s, unique_function<void()> done);
bool drain(serving& s, std::chrono::milliseconds limit);
void async_drain(std::shared_ptr<serving> s, std::chrono::milliseconds limit,
                 unique_function<void(bool)> done);
/// The destructor: stops, and waits where that is possible and necessary.
void end(std::shared_ptr<serving> s);

}  // namespace oslo::messaging::serve
