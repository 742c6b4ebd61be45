#include "rpc/server_state.hpp"

#include <algorithm>
#include <iterator>
#include <oslo/messaging/asio.hpp>
#include <utility>

#include "core/features.hpp"
#include "core/saturating.hpp"
#include "core/tasks/default_executor.hpp"
#include "core/tasks/guarded.hpp"
#include "rpc/served_request.hpp"

namespace oslo::messaging::rpc::detail {
namespace {

constexpr std::size_t inline_limit = 1'000;
constexpr const char* destroyed_first = "The server was destroyed while it started.";
constexpr const char* ping_method = "oslo_rpc_server_ping";

failure listen_failure(const target& on, const std::string& why) {
  return {errc::broker_error, "Failed to listen on target \"" + to_string(on) + "\": " + why};
}

target checked(target on, const transport& bus) {
  require(bus, feature::rpc);
  if (!on.topic || on.topic->empty() || !on.server || on.server->empty())
    throw invalid_target(
        {errc::invalid_target,
         "A server's target must have topic and server names specified:" + to_string(on)});
  return on;
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

server_state::server_state(transport b, target t, std::vector<std::shared_ptr<endpoint>> list,
                           server_options o)
    : bus(std::move(b)),
      on(checked(std::move(t), bus)),
      options(std::move(o)),
      executor(executor_or_default(options.executor, bus.defaults())),
      coroutines(executor->is_inline() ? as_asio_executor(bus.shared_loop())
                                       : as_asio_executor(executor)),
      endpoints(with_ping(std::move(list), bus, options.ping), options.access_policy,
                options.serializer),
      limit_(options.max_running != 0 ? options.max_running
             : executor->is_inline()  ? inline_limit
                                      : executor->concurrency()) {
  if (endpoints.acknowledges_late()) require(bus, feature::requeue);
}

bool server_state::waiting_would_deadlock() const noexcept {
  return bus.loop().running_here() || task_owner() == this;
}

// ---- start, stop, wait --------------------------------------------------------------------------

void server_state::enter(task_call& call) noexcept {
  auto seen = life_.load();
  while (call.what == task_call::kind::start &&
         (seen.now == phase::fresh || seen.now == phase::stopped)) {
    const life begun{seen.now == phase::stopped ? seen.round + 1 : seen.round, phase::called};
    if (!life_.compare_exchange_weak(seen, begun)) continue;
    call.leads = true;
    seen = begun;
  }
  call.round = seen.round;
  call.early = seen.now == phase::fresh;
}

std::shared_ptr<task_call> server_state::begin(task_call::kind what,
                                               unique_function<void(result<void>)> done) {
  (void)bus.driver();  // throws in a child process, where no loop would answer
  auto call = std::make_shared<task_call>();
  call->what = what;
  call->done = guarded(bus.shared_loop(), std::move(done));
  enter(*call);
  bus.loop().post([self = shared_from_this(), call] {
    switch (call->what) {
      case task_call::kind::start: return self->start_on_loop(call);
      case task_call::kind::stop: return self->stop_on_loop(call);
      case task_call::kind::wait: return self->wait_on_loop(call);
    }
  });
  return call;
}

std::string server_state::waits_for(const task_call& call) const {
  constexpr const char* other_thread = " is waiting for another thread to complete";
  const auto p = now();
  switch (call.what) {
    case task_call::kind::start:
      if (p == phase::stopping) return "start is waiting for stop to complete";
      if (call.leads) return "start is waiting for the bus to confirm the subscription";
      return std::string("start") + other_thread;
    case task_call::kind::stop:
      if (p < phase::listening) return "stop is waiting for start to complete";
      return std::string("stop") + other_thread;
    case task_call::kind::wait: break;
  }
  if (p != phase::stopped) return "wait is waiting for stop to complete";
  return "wait is waiting for " + std::to_string(open.load()) + " requests to complete";
}

void server_state::start_on_loop(std::shared_ptr<task_call> call) {
  if (shut_down_) {
    call->finish(failure(errc::closed, destroyed_first));
    return;
  }
  switch (now()) {
    case phase::called:
      starts_.push_back(std::move(call));
      subscribe();
      return;
    case phase::starting:
    case phase::stopping: starts_.push_back(std::move(call)); return;
    case phase::fresh:
    case phase::listening: call->finish({}); return;  // it has happened
    case phase::stopped:
      // Made while the server was listening, and a stop came before it.
      enter(*call);
      starts_.push_back(std::move(call));
      if (now() == phase::called) subscribe();
  }
}

/// Messages that are acknowledged after their work count as held by us all that time.
std::size_t server_state::prefetch() const noexcept {
  if (!endpoints.acknowledges_late()) return options.prefetch;
  return limit_ + (options.prefetch != 0 ? options.prefetch : limit_);
}

void server_state::subscribe() {
  set(phase::starting);
  {
    const std::lock_guard lock(mutex_);
    if (hurry_.stop_requested()) hurry_ = {};  // a new round is in no hurry
  }
  try {
    listener_ = bus.driver().listen(on, {prefetch()});
  } catch (const messaging_error& e) {
    listening(e.failure());
    return;
  } catch (const std::exception& e) {
    listening(failure(errc::broker_error, e.what()));
    return;
  }
  listener_->watch([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || !self->listener_) return;
    self->consuming_ = self->listener_->consuming();
    self->tell_health();
  });
  auto& loop = bus.loop();
  if (const auto when = deadline_after(loop.now(), options.start_timeout))
    start_timer_ = loop.run_at(*when, [weak = weak_from_this()] {
      if (const auto self = weak.lock())
        self->listening(failure(errc::timed_out,
                                "the bus did not confirm the subscription within " +
                                    std::to_string(self->options.start_timeout.count()) + " ms"));
    });
  listener_->ready([weak = weak_from_this(), round = life_.load().round](result<void> verdict) {
    const auto self = weak.lock();
    if (self && self->life_.load().round == round) self->listening(std::move(verdict));
  });
}

void server_state::listening(result<void> verdict) {
  if (now() != phase::starting) return;
  bus.loop().cancel(std::exchange(start_timer_, scheduler::timer_id::none));
  const auto started = std::exchange(starts_, {});
  if (verdict) {
    set(phase::listening);
    consuming_ = listener_->consuming();
    tell_health();
    pull();
    for (const auto& call : started) call->finish({});
    std::erase_if(stops_, [](const auto& call) { return call->given_up.load(); });
    if (!stops_.empty()) stop_listening();
    return;
  }
  const auto why =
      failure(verdict.error().code(), listen_failure(on, verdict.error().message()).message());
  ended();
  for (const auto& call : started) call->finish(why);
}

void server_state::stop_on_loop(std::shared_ptr<task_call> call) {
  if (call->given_up) return;
  const auto [round, p] = life_.load();
  if (call->round != round || p == phase::stopped) {
    call->finish({});
    return;
  }
  std::erase_if(stops_, [](const auto& s) { return s->given_up.load(); });
  stops_.push_back(std::move(call));
  if (p == phase::starting && !stops_.back()->early)
    listening(failure(errc::closed, "The server was stopped while it started."));
  else if (p == phase::listening)
    stop_listening();
}

void server_state::stop_listening() {
  set(phase::stopping);
  const bool busy = pulling_ || taking_;  // then the end of that is the end; it may come at once
  listener_->stop();
  if (!busy) ended();
}

void server_state::shut_down() {
  if (now() == phase::stopped) return;
  bus.loop().dispatch([self = shared_from_this()] {
    self->shut_down_ = true;
    switch (self->now()) {
      case phase::fresh:
      case phase::called: self->ended(); break;
      case phase::starting: self->listening(failure(errc::closed, destroyed_first)); break;
      case phase::listening: self->stop_listening(); break;
      case phase::stopping:
        for (const auto& call : std::exchange(self->starts_, {}))
          call->finish(failure(errc::closed, destroyed_first));
        break;
      case phase::stopped: break;
    }
  });
}

/// The order matters to threads that ask whether we are at rest: the listener counts as leaving
/// before they see us stopped, which they never do when a start is queued.
void server_state::ended() {
  drop_listener();
  const auto queued = std::exchange(starts_, {});
  if (queued.empty())
    set(phase::stopped);
  else
    life_.store({life_.load().round + 1, phase::called});
  tell_health();
  for (const auto& call : std::exchange(stops_, {})) call->finish({});
  tell_waiters();
  for (const auto& call : queued) {
    enter(*call);
    call->leads = call->leads || call == queued.front();
    start_on_loop(call);
  }
}

/// Not at once: this may run inside one of its own callbacks. What waits for the end holds nothing
/// of us: whoever waited for the server may destroy the transport right after, and has to be the
/// last one that holds it, so that its end is waited for.
void server_state::drop_listener() {
  if (!listener_) return;
  consuming_ = false;
  const std::shared_ptr<listener> leaving = std::move(listener_);
  ++leaving_;
  const bool told = now() == phase::stopping;  // not after a start that failed
  const auto loop = bus.shared_loop();
  loop->post([weak = weak_from_this(), weak_loop = std::weak_ptr(loop), leaving, told]() mutable {
    if (!told) leaving->stop();
    auto& from = *leaving;
    from.when_gone([weak, weak_loop, leaving = std::move(leaving)]() mutable {
      if (const auto self = weak.lock()) {
        --self->leaving_;
        self->tell_departed();
      }
      if (const auto l = weak_loop.lock()) l->post([last = std::move(leaving)] {});
    });
  });
}

void server_state::async_drain(unique_function<void()> done) {
  begin(task_call::kind::stop, {});
  begin(task_call::kind::wait,
        [weak = weak_from_this(), done = std::move(done)](result<void>) mutable {
          const auto self = weak.lock();
          if (!self) return done();
          self->departed_.push_back(std::move(done));
          self->tell_departed();
        });
}

void server_state::tell_departed() {
  if (leaving_ != 0 || departed_.empty()) return;
  // In a turn that holds nothing of us, for the reason that `drop_listener` gives.
  bus.loop().post([told = std::exchange(departed_, {})]() mutable {
    for (auto& done : told) done();
  });
}

void server_state::hurry() {
  bus.loop().dispatch([self = shared_from_this()] {
    std::stop_source source{std::nostopstate};
    {
      const std::lock_guard lock(self->mutex_);
      source = self->hurry_;
    }
    source.request_stop();
  });
}

std::stop_token server_state::hurry_token() const {
  const std::lock_guard lock(mutex_);
  return hurry_.get_token();
}

// ---- health -------------------------------------------------------------------------------------

server_health server_state::health() const {
  return {now() == phase::listening, consuming_.load(), running.load(), bus.health()};
}

std::shared_ptr<void> server_state::watch_health(
    std::function<void(const server_health&)> changed) {
  {
    const std::lock_guard lock(mutex_);
    if (!bus_watch_)
      bus_watch_ = bus.watch_health([weak = weak_from_this()](const transport_health&) {
        if (const auto self = weak.lock()) self->tell_health();
      });
  }
  return watchers_.add(std::move(changed));
}

void server_state::tell_health() {
  watchers_.tell(bus.loop(), health());
}

void server_state::wait_on_loop(std::shared_ptr<task_call> call) {
  std::erase_if(waits_, [](const auto& w) { return w->given_up.load(); });
  waits_.push_back(std::move(call));
  draining_ = true;
  tell_waiters();
}

/// A round that has been followed by another one has stopped, too.
void server_state::tell_waiters() {
  if (open != 0) return;
  const auto [round, p] = life_.load();
  calls still_waiting;
  for (auto& call : std::exchange(waits_, {})) {
    if (p == phase::stopped || call->round != round)
      call->finish({});
    else if (!call->given_up)
      still_waiting.push_back(std::move(call));
  }
  std::move(still_waiting.begin(), still_waiting.end(), std::back_inserter(waits_));
  draining_ = !waits_.empty();
}

// ---- requests -----------------------------------------------------------------------------------

void server_state::pull() {
  if (now() != phase::listening || pulling_) return;
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
    const bool late = endpoints.acknowledges_late(*message);
    try {
      if (late)
        message->acknowledge_later();
      else
        message->acknowledge();
    } catch (const std::exception& e) {
      bus.log()(log_level::error,
                std::string("Can not acknowledge message. Skip processing: ") + e.what());
      continue;
    }
    ++running;
    ++open;
    auto request = std::make_shared<served_request>(shared_from_this(), std::move(message), late);
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
  if (now() == phase::stopping)
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

}  // namespace oslo::messaging::rpc::detail
