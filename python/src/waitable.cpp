#include "waitable.hpp"

#include <utility>

namespace oslo::messaging::python {

bool waitable::wait_until(std::optional<time_point> when) {
  std::unique_lock lock(mutex_);
  const auto is_ready = [this] { return ready(); };
  if (when) return changed_.wait_until(lock, *when, is_ready);
  changed_.wait(lock, is_ready);
  return true;
}

bool waitable::watch(std::shared_ptr<announcer> to, std::uint64_t number) {
  start();
  const std::lock_guard lock(mutex_);
  if (ready()) return false;
  watcher_ = std::move(to);
  number_ = number;
  return true;
}

void waitable::unwatch() {
  const std::lock_guard lock(mutex_);
  watcher_.reset();
}

void waitable::changed() {
  if (!ready()) return;
  changed_.notify_all();
  if (const auto to = std::exchange(watcher_, nullptr)) to->announce(number_);
}

}  // namespace oslo::messaging::python
