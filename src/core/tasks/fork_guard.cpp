#include "core/tasks/fork_guard.hpp"

#include <pthread.h>

#include <atomic>
#include <mutex>
#include <vector>

namespace oslo::messaging {
namespace {

std::atomic<std::uint64_t> fork_count{0};
const int fork_hook =
    pthread_atfork(nullptr, nullptr, [] { fork_count.fetch_add(1, std::memory_order_relaxed); });

}  // namespace

std::uint64_t process_generation() noexcept {
  return fork_count.load(std::memory_order_relaxed);
}

void leave_to_parent(std::shared_ptr<void> object) {
  // Reachable for ever, so that it is no leak to tools that look for those.
  static std::mutex& mutex = *new std::mutex;
  static auto& kept = *new std::vector<std::shared_ptr<void>>;
  const std::lock_guard lock(mutex);
  kept.push_back(std::move(object));
}

}  // namespace oslo::messaging
