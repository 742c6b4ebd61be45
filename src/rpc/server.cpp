#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/rpc/server.hpp>
#include <utility>

#include "core/handover.hpp"
#include "rpc/served_request.hpp"
#include "rpc/server_state.hpp"

namespace oslo::messaging::rpc {
namespace {

constexpr std::size_t inline_limit = 1'000;
constexpr const char* ping_method = "oslo_rpc_server_ping";

failure listen_failure(const target& on, const std::string& why) {
  return {errc::broker_error, "Failed to listen on target \"" + to_string(on) + "\": " + why};
}

target checked(target on) {
  if (!on.topic || on.topic->empty() || !on.server || on.server->empty())
    throw invalid_target(
        {errc::invalid_target,
         "A server's target must have topic and server names specified:" + to_string(on)});
  return on;
}

std::shared_ptr<executor> choose_executor(const transport& bus, const server_options& o) {
  if (o.executor) return o.executor;
  const auto threads = bus.defaults().integer("executor_thread_pool_size");
  if (threads < 1)
    throw configuration_error(
        {errc::invalid_config, "Option executor_thread_pool_size must be at least 1, not " +
                                   std::to_string(threads) + "."});
  return thread_pool(static_cast<std::size_t>(threads));
}

std::vector<std::shared_ptr<endpoint>> with_ping(std::vector<std::shared_ptr<endpoint>> endpoints,
                                                 const transport& bus, bool wanted) {
  for (const auto& e : endpoints)
    if (e && e->method_table().has(ping_method)) {
      bus.log()(log_level::warning,
                std::string("An endpoint binds the reserved method ") + ping_method + ".");
      return endpoints;
    }
  if (wanted || bus.defaults().boolean("rpc_ping_enabled")) {
    auto ping = std::make_shared<endpoint>();
    ping->bind(ping_method, [] { return std::string("pong"); }).expose();
    endpoints.push_back(std::move(ping));
  }
  return endpoints;
}

}  // namespace

namespace detail {

server_state::server_state(transport b, target t, std::vector<std::shared_ptr<endpoint>> list,
                           server_options o)
    : bus(std::move(b)),
      on(checked(std::move(t))),
      options(std::move(o)),
      executor(choose_executor(bus, options)),
      coroutines(executor->is_inline() ? as_asio_executor(bus.shared_loop())
                                       : as_asio_executor(executor)),
      endpoints(with_ping(std::move(list), bus, options.ping), options.access_policy,
                options.serializer),
      limit_(options.max_running != 0 ? options.max_running
             : executor->is_inline()  ? inline_limit
                                      : executor->concurrency()) {}

bool server_state::waiting_would_deadlock() const noexcept {
  return bus.loop().running_here() || handler_scope::current() == this;
}

void server_state::async_start(unique_function<void(result<void>)> done) {
  bus.loop().post([self = shared_from_this(), done = std::move(done)]() mutable {
    self->start_on_loop(std::move(done));
  });
}

void server_state::start_on_loop(unique_function<void(result<void>)> done) {
  if (phase_ == phase::listening) {
    done({});
    return;
  }
  if (phase_ == phase::stopping) {
    done(listen_failure(on, "the server is still stopping"));
    return;
  }
  on_started_.push_back(std::move(done));
  if (phase_ == phase::starting) return;
  phase_ = phase::starting;
  try {
    listener_ = bus.driver().listen(on, {options.prefetch});
  } catch (const messaging_error& e) {
    listening(e.failure());
    return;
  }
  listener_->ready([weak = weak_from_this()](result<void> verdict) {
    if (const auto self = weak.lock()) self->listening(std::move(verdict));
  });
}

void server_state::listening(result<void> verdict) {
  if (phase_ != phase::starting) return;
  result<void> outcome;
  if (verdict) {
    phase_ = phase::listening;
  } else {
    phase_ = phase::stopped;
    drop_listener();
    outcome =
        failure(verdict.error().code(), listen_failure(on, verdict.error().message()).message());
  }
  if (verdict) pull();
  for (auto& done : std::exchange(on_started_, {})) done(outcome);
  if (!verdict) tell_waiters();
}

void server_state::pull() {
  if (phase_ != phase::listening || pulling_) return;
  std::size_t now_running = running.load();
  if (now_running >= limit_) {
    starved_ = true;
    // A request may have ended between the two lines above: then nobody else will call again.
    now_running = running.load();
    if (now_running >= limit_ || !starved_.exchange(false)) return;
  }
  pulling_ = true;
  listener_->next(limit_ - now_running, [self = shared_from_this()](incoming_batch batch) {
    self->pulling_ = false;
    self->take(std::move(batch));
  });
}

void server_state::take(incoming_batch batch) {
  if (batch.empty()) {
    ended();
    return;
  }
  taking_ = true;
  for (auto& message : batch) {
    try {
      message->acknowledge();
    } catch (const std::exception& e) {
      bus.log()(log_level::error,
                std::string("Can not acknowledge message. Skip processing: ") + e.what());
      continue;
    }
    ++running;
    ++open;
    auto request = std::make_shared<served_request>(shared_from_this(), std::move(message));
    try {
      executor->execute([request = std::move(request)]() mutable {
        request->handle();
        request.reset();
      });
    } catch (const std::exception& e) {
      bus.log()(log_level::error, std::string("The executor refused a request: ") + e.what());
    }
  }
  taking_ = false;
  if (phase_ == phase::stopping)
    ended();
  else
    pull();
}

void server_state::made_room() {
  --running;
  if (starved_.load() && starved_.exchange(false))
    bus.loop().post([self = shared_from_this()] { self->pull(); });
}

void server_state::settled() {
  if (--open == 0 && draining_.load())
    bus.loop().post([self = shared_from_this()] { self->tell_waiters(); });
}

void server_state::stop() {
  bus.loop().dispatch([self = shared_from_this()] {
    if (self->phase_ == phase::starting) {
      self->listening(failure(errc::closed, "The server was stopped while it started."));
      return;
    }
    if (self->phase_ != phase::listening) return;
    self->phase_ = phase::stopping;
    self->listener_->stop();
    if (!self->pulling_ && !self->taking_) self->ended();
  });
}

void server_state::ended() {
  phase_ = phase::stopped;
  drop_listener();
  tell_waiters();
}

/// Not at once: this may run inside one of its own callbacks.
void server_state::drop_listener() {
  if (listener_) bus.loop().post([l = std::move(listener_)] {});
}

void server_state::async_wait(unique_function<void()> done) {
  bus.loop().post([self = shared_from_this(), done = std::move(done)]() mutable {
    self->on_drained_.push_back(std::move(done));
    self->draining_ = true;
    self->tell_waiters();
  });
}

void server_state::tell_waiters() {
  if (phase_ != phase::stopped || open != 0) return;
  draining_ = false;
  for (auto& done : std::exchange(on_drained_, {})) done();
}

}  // namespace detail

// ---- the handle ---------------------------------------------------------------------------------

namespace {

[[noreturn]] void would_deadlock(const char* what) {
  throw messaging_error(
      {errc::would_deadlock, std::string(what) +
                                 " was called on the transport's loop or in a handler of the "
                                 "server, where it would wait for itself."});
}

}  // namespace

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
  if (!state_) return;
  state_->stop();
  if (state_->waiting_would_deadlock()) return;
  const auto drained = std::make_shared<handover<bool>>();
  state_->async_wait([drained] { drained->put(true); });
  if (drained->take(state_->options.drain_timeout)) {
    state_->retire();
    return;
  }
  state_->bus.log()(log_level::error, "A server was destroyed while " +
                                          std::to_string(state_->running.load()) +
                                          " of its requests were still being handled.");
}

void server::start() {
  if (state_->waiting_would_deadlock()) would_deadlock("server::start");
  const auto started = std::make_shared<handover<result<void>>>();
  state_->async_start([started](result<void> r) { started->put(std::move(r)); });
  const auto outcome = started->take(state_->options.start_timeout);
  if (!outcome) {
    state_->stop();
    const failure why = listen_failure(
        state_->on, "the bus did not confirm the subscription within " +
                        std::to_string(state_->options.start_timeout.count()) + " ms");
    throw server_listen_error({errc::timed_out, why.message()});
  }
  if (!*outcome) throw server_listen_error(outcome->error());
}

void server::async_start(unique_function<void(result<void>)> done) {
  state_->async_start(std::move(done));
}
void server::stop() {
  state_->stop();
}

void server::wait(std::optional<std::chrono::milliseconds> limit) {
  if (state_->waiting_would_deadlock()) would_deadlock("server::wait");
  const auto drained = std::make_shared<handover<bool>>();
  state_->async_wait([drained] { drained->put(true); });
  if (!drained->take(limit))
    throw task_timeout({errc::timed_out, "server::wait: " + std::to_string(state_->running.load()) +
                                             " requests are still being handled, or the server "
                                             "was not stopped."});
}

void server::async_wait(unique_function<void()> done) {
  state_->async_wait(std::move(done));
}
const target& server::where() const noexcept {
  return state_->on;
}
std::size_t server::running() const noexcept {
  return state_->running.load();
}

}  // namespace oslo::messaging::rpc
