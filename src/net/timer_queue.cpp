#include "net/timer_queue.hpp"

#include <algorithm>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace oslo::messaging::net {

auto timer_queue::add(time_point when, unique_function<void()> work) -> timer_id {
  std::uint64_t id = 0;
  {
    const std::lock_guard lock(mutex_);
    if (shut_) return timer_id::none;
    if (first_free_ == 0) {
      slots_.emplace_back();
      first_free_ = static_cast<std::uint32_t>(slots_.size());
    }
    const std::uint32_t index = first_free_ - 1;
    slot& s = slots_[index];
    id = make_id(index, s.serial + 1);
    heap_.push_back({when, id});
    std::push_heap(heap_.begin(), heap_.end(), comes_later{});
    first_free_ = s.next_free;
    ++s.serial;
    s.work = std::move(work);
    ++live_;
    if (when >= armed_) return timer_id{id};
    armed_ = when;
  }
  boost::asio::dispatch(timer_.get_executor(), [self = shared_from_this()] { self->arm(); });
  return timer_id{id};
}

void timer_queue::cancel(timer_id id) {
  unique_function<void()> dropped;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  if (!alive(static_cast<std::uint64_t>(id))) return;
  dropped = release(static_cast<std::uint64_t>(id));
  drop_dead_nodes();
}

void timer_queue::shut_down() {
  std::vector<slot> dropped;
  {
    const std::lock_guard lock(mutex_);
    shut_ = true;
    dropped.swap(slots_);
    heap_.clear();
    first_free_ = 0;
    live_ = 0;
  }
  timer_.cancel();
}

bool timer_queue::alive(std::uint64_t id) const noexcept {
  const auto index = static_cast<std::uint32_t>(id);
  const auto serial = static_cast<std::uint32_t>(id >> 32);
  return serial % 2 == 1 && index < slots_.size() && slots_[index].serial == serial;
}

unique_function<void()> timer_queue::release(std::uint64_t id) noexcept {
  const auto index = static_cast<std::uint32_t>(id);
  slot& s = slots_[index];
  auto work = std::move(s.work);
  ++s.serial;
  s.next_free = first_free_;
  first_free_ = index + 1;
  --live_;
  return work;
}

/// Keeps the heap at no more than twice the live timers (and a small constant).
void timer_queue::drop_dead_nodes() {
  if (heap_.size() <= 2 * live_ + 64) return;
  std::erase_if(heap_, [&](const node& n) { return !alive(n.id); });
  std::make_heap(heap_.begin(), heap_.end(), comes_later{});
}

void timer_queue::arm() {
  time_point when;
  {
    const std::lock_guard lock(mutex_);
    if (shut_) return;
    when = armed_;
  }
  if (when == time_point::max()) return;
  timer_.expires_at(when);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->fire();
  });
}

void timer_queue::fire() {
  const auto now = scheduler::clock::now();
  // Work that adds timers which are due at once would keep everything else from the loop: what is
  // added meanwhile waits for another turn.
  std::size_t left = [&] {
    const std::lock_guard lock(mutex_);
    return live_;
  }();
  for (;; --left) {
    unique_function<void()> work;
    {
      const std::lock_guard lock(mutex_);
      while (!heap_.empty() && !alive(heap_.front().id)) {
        std::pop_heap(heap_.begin(), heap_.end(), comes_later{});
        heap_.pop_back();
      }
      if (left == 0 || heap_.empty() || heap_.front().when > now) {
        armed_ = heap_.empty() ? time_point::max() : heap_.front().when;
        break;
      }
      const std::uint64_t id = heap_.front().id;
      std::pop_heap(heap_.begin(), heap_.end(), comes_later{});
      heap_.pop_back();
      work = release(id);
    }
    try {
      work();
    } catch (...) {
      boost::asio::post(timer_.get_executor(), [self = shared_from_this()] { self->fire(); });
      throw;
    }
  }
  arm();
}

}  // namespace oslo::messaging::net
