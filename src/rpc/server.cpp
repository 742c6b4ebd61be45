#include <oslo/messaging/rpc/server.hpp>
#include <utility>

#include "rpc/server_state.hpp"
#include "serve/verbs.hpp"

namespace oslo::messaging::rpc {
server::server(transport bus, target on, std::vector<std::shared_ptr<endpoint>> endpoints,
               server_options o)
    : state_(std::make_shared<detail::server_state>(std::move(bus), std::move(on),
                                                    std::move(endpoints), std::move(o))) {}

server::server(server&&) noexcept = default;

server& server::operator=(server&& other) noexcept {
  if (this != &other) {
    server old(std::move(*this));
    state_ = std::move(other.state_);
  }
  return *this;
}

server::~server() {
  serve::end(state_.take());
}

void server::start(const start_options& o) {
  serve::start(*state_, o);
}
void server::async_start(unique_function<void(result<void>)> done, std::size_t override_pool_size) {
  serve::async_start(*state_, std::move(done), override_pool_size);
}

void server::stop(const task_options& o) {
  serve::stop(*state_, o);
}
void server::async_stop(unique_function<void()> done) {
  serve::async_stop(*state_, std::move(done));
}

void server::wait(const task_options& o) {
  serve::wait(*state_, o);
}
void server::async_wait(unique_function<void()> done) {
  serve::async_wait(*state_, std::move(done));
}

bool server::drain(std::chrono::milliseconds limit) {
  return serve::drain(*state_, limit);
}
void server::async_drain(std::chrono::milliseconds limit, unique_function<void(bool)> done) {
  serve::async_drain(state_.shared(), limit, std::move(done));
}

server_health server::health() const {
  return state_->health();
}
health_watch server::watch_health(std::function<void(const server_health&)> changed) const {
  return state_->watch_health(std::move(changed));
}

const target& server::where() const {
  return state_->on;
}
std::size_t server::running() const {
  return state_->running();
}

}  // namespace oslo::messaging::rpc
