#include <oslo/messaging/notify/listener.hpp>
#include <utility>

#include "notify/listener_state.hpp"
#include "serve/verbs.hpp"

namespace oslo::messaging::notify {
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
  serve::end(state_.take());
}

void listener::start(const start_options& o) {
  serve::start(*state_, o);
}
void listener::async_start(unique_function<void(result<void>)> done,
                           std::size_t override_pool_size) {
  serve::async_start(*state_, std::move(done), override_pool_size);
}

void listener::stop(const task_options& o) {
  serve::stop(*state_, o);
}
void listener::async_stop(unique_function<void()> done) {
  serve::async_stop(*state_, std::move(done));
}

void listener::wait(const task_options& o) {
  serve::wait(*state_, o);
}
void listener::async_wait(unique_function<void()> done) {
  serve::async_wait(*state_, std::move(done));
}

bool listener::drain(std::chrono::milliseconds limit) {
  return serve::drain(*state_, limit);
}
void listener::async_drain(std::chrono::milliseconds limit, unique_function<void(bool)> done) {
  serve::async_drain(state_.shared(), limit, std::move(done));
}

listener_health listener::health() const {
  return state_->health();
}
health_watch listener::watch_health(std::function<void(const listener_health&)> changed) const {
  return state_->watch_health(std::move(changed));
}

std::size_t listener::running() const {
  return state_->running();
}

}  // namespace oslo::messaging::notify
