#include <oslo/messaging/notify/listener.hpp>
#include <utility>

#include "core/saturating.hpp"
#include "core/tasks/fork_guard.hpp"
#include "core/tasks/guarded.hpp"
#include "core/tasks/handover.hpp"
#include "notify/listener_state.hpp"

namespace oslo::messaging::notify {
namespace {

/// The loop keeps a start's deadline, if it runs at all.
constexpr std::chrono::milliseconds loop_margin{5'000};

void refuse_deadlock(const detail::listener_state& s, const char* what) {
  if (!s.waiting_would_deadlock()) return;
  throw messaging_error(
      {errc::would_deadlock, std::string(what) +
                                 " was called on the transport's loop or in a handler of the "
                                 "listener, where it would wait for itself."});
}

}  // namespace

listener::listener(transport bus, std::vector<target> targets,
                   std::vector<std::shared_ptr<endpoint>> endpoints, listener_options o)
    : state_(std::make_shared<detail::listener_state>(std::move(bus), std::move(targets),
                                                      std::move(endpoints), std::move(o))) {}

listener::listener(listener&&) noexcept = default;

listener& listener::operator=(listener&& other) noexcept {
  if (this != &other) {
    listener old(std::move(*this));
    state_ = std::move(other.state_);
  }
  return *this;
}

listener::~listener() {
  if (!state_) return;
  if (state_->bus.inherited()) {
    leave_to_parent(std::move(state_));
    return;
  }
  const bool at_rest = state_->at_rest();
  state_->shut_down();
  if (state_->waiting_would_deadlock()) return;
  if (at_rest || wait(state_->options.drain_timeout)) {
    state_->retire();
    return;
  }
  state_->bus.log()(log_level::error, "A notification listener was destroyed while " +
                                          std::to_string(running()) +
                                          " messages were still being handled.");
}

void listener::start() {
  refuse_deadlock(*state_, "listener::start");
  const auto outcome = std::make_shared<handover<result<void>>>();
  state_->async_start([outcome](result<void> r) { outcome->put(std::move(r)); });
  const auto r = outcome->take(saturating_add(state_->options.start_timeout, loop_margin));
  if (!r)
    throw server_listen_error({errc::timed_out,
                               "The listener did not start, because the transport's loop does not "
                               "run."});
  if (!*r) throw server_listen_error(r->error());
}

void listener::async_start(unique_function<void(result<void>)> done) {
  state_->async_start(std::move(done));
}

void listener::stop() {
  state_->async_stop();
}

bool listener::wait(std::optional<std::chrono::milliseconds> limit) {
  refuse_deadlock(*state_, "listener::wait");
  const auto stopped = std::make_shared<handover<bool>>();
  state_->async_wait([stopped] { stopped->put(true); });
  return stopped->take(limit).has_value();
}

void listener::async_wait(unique_function<void()> done) {
  state_->async_wait(std::move(done));
}

bool listener::drain(std::chrono::milliseconds limit) {
  refuse_deadlock(*state_, "listener::drain");
  if (state_->has_left()) return true;
  const auto drained = std::make_shared<handover<bool>>();
  state_->async_drain([drained] { drained->put(true); });
  return drained->take(limit).has_value();
}

void listener::async_drain(std::chrono::milliseconds limit, unique_function<void(bool)> done) {
  struct drain {
    unique_function<void(bool)> done;
    scheduler::timer_id timer = scheduler::timer_id::none;
  };
  const auto d = std::make_shared<drain>();
  d->done = guarded(state_->bus.shared_loop(), std::move(done));
  state_->bus.loop().dispatch([d, s = state_, limit] {
    auto& l = s->bus.loop();
    if (const auto when = deadline_after(l.now(), limit))
      d->timer = l.run_at(*when, [d] {
        if (d->done) std::exchange(d->done, {})(false);
      });
    // Not `s`: it keeps this, and must not keep itself.
    s->async_drain([d, weak = std::weak_ptr(s->bus.shared_loop())] {
      if (const auto still = weak.lock()) still->cancel(d->timer);
      if (d->done) std::exchange(d->done, {})(true);
    });
  });
}

listener_health listener::health() const {
  return state_->health();
}
std::shared_ptr<void> listener::watch_health(
    std::function<void(const listener_health&)> changed) const {
  return state_->watch_health(std::move(changed));
}

std::size_t listener::running() const noexcept {
  return state_->open.load();
}

}  // namespace oslo::messaging::notify
