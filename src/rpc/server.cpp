#include <algorithm>
#include <oslo/messaging/rpc/server.hpp>
#include <utility>

#include "core/saturating.hpp"
#include "core/tasks/fork_guard.hpp"
#include "core/tasks/guarded.hpp"
#include "core/tasks/handover.hpp"
#include "rpc/server_state.hpp"

namespace oslo::messaging::rpc {
namespace {

[[noreturn]] void would_deadlock(const char* what) {
  throw messaging_error(
      {errc::would_deadlock, std::string(what) +
                                 " was called on the transport's loop or in a handler of the "
                                 "server, where it would wait for itself."});
}

using kind = detail::task_call::kind;

constexpr std::chrono::milliseconds loop_margin{5'000};

/// Waits for a start, stop or wait; says so when that takes long, and gives up when it takes too
/// long.
void run(detail::server_state& s, kind what, const task_options& o) {
  const auto outcome = std::make_shared<handover<result<void>>>();
  const auto call = s.begin(what, [outcome](result<void> r) { outcome->put(std::move(r)); });
  auto left = o.timeout;
  // The loop keeps a start's deadline, if it runs at all.
  const bool loop_decides = what == kind::start && !left;
  if (loop_decides) left = saturating_add(s.options.start_timeout, loop_margin);
  std::optional<result<void>> r;
  if (o.log_after.count() > 0 && (!left || o.log_after < *left)) {
    r = outcome->take(o.log_after);
    if (!r) s.bus.log()(log_level::warning, "Possible hang: " + s.waits_for(*call));
    if (left) *left -= o.log_after;
  }
  if (!r) r = outcome->take(left);
  if (!r) {
    call->given_up = true;
    if (loop_decides)
      throw server_listen_error({errc::timed_out,
                                 "The server did not start, because the "
                                 "transport's loop does not run."});
    throw task_timeout({errc::timed_out, s.waits_for(*call)});
  }
  if (!*r) throw server_listen_error(r->error());
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
  if (state_->bus.inherited()) {
    leave_to_parent(std::move(state_));
    return;
  }
  state_->shut_down();
  if (state_->waiting_would_deadlock()) return;
  const auto drained = std::make_shared<handover<bool>>();
  const bool at_rest = state_->at_rest();
  if (!at_rest) state_->begin(kind::wait, [drained](result<void>) { drained->put(true); });
  if (at_rest || drained->take(state_->options.drain_timeout)) {
    state_->retire();
    return;
  }
  state_->bus.log()(log_level::error, "A server was destroyed while " +
                                          std::to_string(state_->running.load()) +
                                          " of its requests were still being handled.");
}

void server::start(const task_options& o) {
  if (state_->waiting_would_deadlock()) would_deadlock("server::start");
  run(*state_, kind::start, o);
}
void server::async_start(unique_function<void(result<void>)> done) {
  state_->begin(kind::start, std::move(done));
}

void server::stop(const task_options& o) {
  if (state_->is_fresh() && !state_->waiting_would_deadlock())
    run(*state_, kind::stop, o);
  else
    state_->begin(kind::stop, {});
}
void server::async_stop(unique_function<void()> done) {
  state_->begin(kind::stop, [done = std::move(done)](result<void>) mutable {
    if (done) done();
  });
}

void server::wait(const task_options& o) {
  if (state_->waiting_would_deadlock()) would_deadlock("server::wait");
  run(*state_, kind::wait, o);
}
void server::async_wait(unique_function<void()> done) {
  state_->begin(kind::wait, [done = std::move(done)](result<void>) mutable {
    if (done) done();
  });
}

bool server::drain(std::chrono::milliseconds limit) {
  if (state_->waiting_would_deadlock()) would_deadlock("server::drain");
  if (state_->has_left()) return true;
  const auto drained = std::make_shared<handover<bool>>();
  state_->async_drain([drained] { drained->put(true); });
  if (drained->take(limit)) return true;
  state_->hurry();
  return false;
}
void server::async_drain(std::chrono::milliseconds limit, unique_function<void(bool)> done) {
  struct drain {
    unique_function<void(bool)> done;
    scheduler::timer_id timer = scheduler::timer_id::none;
  };
  const auto d = std::make_shared<drain>();
  d->done = guarded(state_->bus.shared_loop(), std::move(done));
  auto& loop = state_->bus.loop();
  loop.dispatch([d, s = state_, limit] {
    auto& l = s->bus.loop();
    if (s->has_left()) {
      l.post([d] {
        if (d->done) d->done(true);
      });
      return;
    }
    if (const auto when = deadline_after(l.now(), limit))
      d->timer = l.run_at(*when, [d, s] {
        s->hurry();
        if (d->done) std::exchange(d->done, {})(false);
      });
    // Not `s`: it keeps this, and must not keep itself.
    s->async_drain([d, weak = std::weak_ptr(s->bus.shared_loop())] {
      if (const auto still = weak.lock()) still->cancel(d->timer);
      if (d->done) std::exchange(d->done, {})(true);
    });
  });
}

server_health server::health() const {
  return state_->health();
}
std::shared_ptr<void> server::watch_health(
    std::function<void(const server_health&)> changed) const {
  return state_->watch_health(std::move(changed));
}

const target& server::where() const noexcept {
  return state_->on;
}
std::size_t server::running() const noexcept {
  return state_->running.load();
}

}  // namespace oslo::messaging::rpc
