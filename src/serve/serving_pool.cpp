// Where the handlers of a server or listener run.
#include <oslo/messaging/asio.hpp>
#include <string>
#include <utility>

#include "core/tasks/default_executor.hpp"
#include "serve/serving.hpp"

namespace oslo::messaging::serve {
namespace {

constexpr std::size_t inline_limit = 1'000;

}  // namespace

void serving::check_pool_size(std::size_t threads) const {
  if (!has_own_pool_)
    throw configuration_error(
        {errc::invalid_argument,
         std::string("override_pool_size does not go with an executor: the ") + how.kind +
             " has been given one."});
  if (threads > most_pool_threads)
    throw configuration_error({errc::invalid_argument, "override_pool_size must be 1 to " +
                                                           std::to_string(most_pool_threads) +
                                                           ", not " + std::to_string(threads) +
                                                           "."});
}

/// On the caller's thread: threads that the loop starts would inherit its blocked signals.
void serving::bring_pool(task_call& call, std::size_t threads) noexcept {
  const std::lock_guard lock(mutex_);
  if (promised_size_ == threads) return;
  try {
    call.pool = thread_pool(threads);
    promised_size_ = threads;
  } catch (const messaging_error& e) {
    call.refused = e.failure();
  } catch (const std::exception& e) {
    call.refused = failure(errc::limit_exceeded, e.what());
  }
}

void serving::use(std::shared_ptr<messaging::executor> e) {
  if (how.max_running == 0) limit_ = e->is_inline() ? inline_limit : e->concurrency();
  auto coroutines = e->is_inline() ? as_asio_executor(bus.shared_loop()) : as_asio_executor(e);
  workplace last{std::move(e), std::move(coroutines)};
  {
    const std::lock_guard lock(mutex_);
    std::swap(last, place_);
  }
  // A pool whose last work is still running ends on a thread of its own: the loop must not wait.
  if (auto* const pool = last.run.get()) pool->execute([last = std::move(last)] {});
}

serving::workplace serving::workplace_now() const {
  const std::lock_guard lock(mutex_);
  return place_;
}

std::shared_ptr<messaging::executor> serving::retire() {
  const std::lock_guard lock(mutex_);
  place_.coroutines = {};
  return std::move(place_.run);
}

}  // namespace oslo::messaging::serve
