#include "serve/serving.hpp"

#include <algorithm>
#include <iterator>

#include "core/saturating.hpp"
#include "core/tasks/guarded.hpp"

namespace oslo::messaging::serve {

serving::serving(transport b, serving_options o, std::shared_ptr<messaging::executor> given)
    : bus(std::move(b)),
      how(std::move(o)),
      has_own_pool_(given == nullptr),
      inline_(given != nullptr && given->is_inline()),
      limit_(how.max_running) {
  if (!given) return;
  if (given->concurrency() == 0)
    throw configuration_error(
        {errc::invalid_argument,
         std::string("The executor of a ") + how.kind + " must have a concurrency of at least 1."});
  use(std::move(given));
}

bool serving::waiting_would_deadlock() const {
  return task_owner() == this || !bus.loop().may_wait_here();
}

// ---- the callers --------------------------------------------------------------------------------

void serving::join_round(task_call& call) noexcept {
  auto seen = asked_.load();
  for (;;) {
    wish next = seen;
    const bool starts = call.what == task_call::kind::start && seen.what != asked::start;
    if (starts)
      next = {seen.what == asked::stop ? seen.round + 1 : seen.round, asked::start};
    else if (call.what == task_call::kind::stop && seen.what == asked::start)
      next.what = asked::stop;
    if (!asked_.compare_exchange_weak(seen, next)) continue;
    call.round = next.round;
    call.leads = starts;
    call.early = next.what == asked::nothing;
    return;
  }
}

std::shared_ptr<task_call> serving::begin(task_call::kind what,
                                          unique_function<void(result<void>)> done,
                                          std::size_t pool_size) {
  (void)bus.driver();  // throws in a child process
  if (pool_size != 0) check_pool_size(pool_size);
  used_ = true;
  auto call = std::make_shared<task_call>();
  call->what = what;
  call->done = guarded(bus.shared_loop(), std::move(done));
  join_round(*call);
  if (call->leads && has_own_pool_) bring_pool(*call, pool_size != 0 ? pool_size : how.pool_size);
  bus.loop().post([self = shared_from_this(), call] {
    call->seen = true;
    switch (call->what) {
      case task_call::kind::start: return self->start_on_loop(call);
      case task_call::kind::stop: return self->stop_on_loop(call);
      case task_call::kind::wait: return self->wait_on_loop(call);
    }
  });
  return call;
}

std::string serving::waits_for(const task_call& call) const {
  constexpr const char* other_thread = " is waiting for another thread to complete";
  const auto [round, p] = progress_.load();
  switch (call.what) {
    case task_call::kind::start:
      if (p >= phase::listening && p != phase::stopped && call.round > round)
        return "start is waiting for stop to complete";
      if (call.leads) return "start is waiting for the bus to confirm the subscription" + trouble();
      return std::string("start") + other_thread;
    case task_call::kind::stop:
      if (p < phase::listening) return "stop is waiting for start to complete";
      return std::string("stop") + other_thread;
    case task_call::kind::wait: break;
  }
  if (p != phase::stopped) return "wait is waiting for stop to complete";
  return "wait is waiting for " + std::to_string(open_.load()) + " " + how.piece + "s to complete";
}

bool serving::at_rest() const noexcept {
  const auto [wanted_round, what] = asked_.load();
  const auto [round, p] = progress_.load();
  const bool never_began = what == asked::nothing && p == phase::fresh;
  const bool ended = what == asked::stop && p == phase::stopped && round == wanted_round;
  return (never_began || ended) && open_ == 0;
}

/// The round of the call has ended. None begins after `shut_down`.
bool serving::is_over(const task_call& call) const noexcept {
  const auto [round, p] = progress_.load();
  return call.round < round || (p == phase::stopped && (call.round == round || shut_down_));
}

/// Those of this round, and of earlier ones.
serving::calls serving::take_current(calls& all) const {
  const auto round = progress_.load().round;
  const auto first = std::stable_partition(all.begin(), all.end(),
                                           [&](const auto& c) { return c->round > round; });
  calls taken(std::make_move_iterator(first), std::make_move_iterator(all.end()));
  all.erase(first, all.end());
  return taken;
}

// ---- start, stop, wait on the loop --------------------------------------------------------------

/// Whoever starts from now on wants another round.
void serving::no_more_wanted() noexcept {
  const auto round = progress_.load().round;
  for (auto seen = asked_.load(); seen.round == round && seen.what != asked::stop;)
    if (asked_.compare_exchange_weak(seen, {round, asked::stop})) return;
}

void serving::start_on_loop(std::shared_ptr<task_call> call) {
  if (shut_down_)
    return call->finish(
        failure(errc::closed, std::string("The ") + how.kind + " was destroyed while it started."));
  const auto [round, p] = progress_.load();
  const bool begun_already = call->round < round || (call->round == round && p > phase::starting);
  if (begun_already) return call->finish(call->round == round ? outcome_ : result<void>());
  starts_.push_back(std::move(call));
  begin_next();
}

/// The next round, when this one is over and somebody wants one.
void serving::begin_next() {
  const auto p = now();
  if ((p != phase::fresh && p != phase::stopped) || telling_) return;
  // Others may come to the loop before the one that leads.
  std::shared_ptr<task_call> leader;
  for (const auto& call : starts_)
    if (call->leads && (!leader || call->round < leader->round)) leader = call;
  if (!leader) return;
  const auto next = leader->round;
  progress_.store({next, phase::starting});
  if (leader->refused) return listening(*leader->refused);
  if (leader->pool) use(std::move(leader->pool));
  const auto wanted_now = asked_.load();
  const bool unwanted = wanted_now.round > next || wanted_now.what == asked::stop;
  if (unwanted)
    listening(
        failure(errc::closed, std::string("The ") + how.kind + " was stopped before it started."));
  else
    listen();
}

void serving::listen() {
  try {
    subscription_ = subscribe();
  } catch (const messaging_error& e) {
    return listening(e.failure());
  } catch (const std::exception& e) {
    return listening(failure(errc::broker_error, e.what()));
  }
  subscription_->watch([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || !self->subscription_) return;
    self->consuming_ = self->subscription_->consuming();
    self->tell_health();
  });
  auto& loop = bus.loop();
  if (how.start_timeout)
    if (const auto when = deadline_after(loop.now(), *how.start_timeout))
      start_timer_ = loop.run_at(*when, [weak = weak_from_this()] {
        if (const auto self = weak.lock())
          self->listening(
              failure(errc::timed_out, "the bus did not confirm the subscription within " +
                                           std::to_string(self->how.start_timeout->count()) +
                                           " ms" + self->trouble()));
      });
  subscription_->ready(
      [weak = weak_from_this(), round = progress_.load().round](result<void> verdict) {
        const auto self = weak.lock();
        if (self && self->progress_.load().round == round) self->listening(std::move(verdict));
      });
}

void serving::listening(result<void> verdict) {
  if (now() != phase::starting) return;
  bus.loop().cancel(std::exchange(start_timer_, scheduler::timer_id::none));
  const auto started = take_current(starts_);
  if (verdict) {
    outcome_ = {};
    set(phase::listening);
    consuming_ = subscription_->consuming();
    tell_health();
    begun();
    pull();
    for (const auto& call : started) call->finish({});
    std::erase_if(stops_, [](const auto& s) { return s->early && s->given_up; });
    const auto round = progress_.load().round;
    if (now() == phase::listening &&
        std::any_of(stops_.begin(), stops_.end(), [&](const auto& s) { return s->round <= round; }))
      stop_listening();
    return;
  }
  outcome_ = failure(verdict.error().code(), "Failed to listen on target \"" + place() +
                                                 "\": " + verdict.error().message());
  const auto why = outcome_;
  stopped();
  for (const auto& call : started) call->finish(why);
}

void serving::stop_on_loop(std::shared_ptr<task_call> call) {
  std::erase_if(stops_, [](const auto& s) { return s->early && s->given_up; });
  if (call->early && call->given_up) return;
  if (is_over(*call)) return call->finish({});
  const bool early = call->early;
  const bool of_this_round = call->round == progress_.load().round;
  stops_.push_back(std::move(call));
  if (!of_this_round) return;  // its start has still to come
  if (now() == phase::starting && !early)
    listening(
        failure(errc::closed, std::string("The ") + how.kind + " was stopped while it started."));
  else if (now() == phase::listening)
    stop_listening();
}

void serving::stop_listening() {
  set(phase::stopping);
  const bool busy = pulling_ || taking_;  // then the end of that is the end; it may come at once
  subscription_->stop();
  if (!busy) stopped();
}

void serving::shut_down() {
  // Then nobody waits for it either, and nothing of it has to go through the loop.
  if (at_rest() && (now() == phase::stopped || !used_)) return;
  bus.loop().dispatch([self = shared_from_this()] {
    self->shut_down_ = true;
    const auto refused = std::exchange(self->starts_, {});
    switch (self->now()) {
      case phase::fresh:
      case phase::stopped:
      case phase::starting: self->stopped(); break;
      case phase::listening: self->stop_listening(); break;
      case phase::stopping: break;
    }
    for (const auto& call : refused)
      call->finish(failure(
          errc::closed, std::string("The ") + self->how.kind + " was destroyed while it started."));
  });
}

/// The order matters to threads that ask whether we are at rest: the subscription counts as
/// leaving, and a start that comes from now on belongs to another round, before they see us
/// stopped.
void serving::stopped() {
  bus.loop().cancel(std::exchange(start_timer_, scheduler::timer_id::none));
  drop_subscription();
  ended();
  no_more_wanted();
  set(phase::stopped);
  tell_health();
  for (auto& call : std::exchange(stops_, {})) {
    if (is_over(*call))
      call->finish({});
    else
      stops_.push_back(std::move(call));
  }
  tell_waiters();
  tell_departed();
  if (!starts_.empty()) bus.loop().post([self = shared_from_this()] { self->begin_next(); });
}

/// Not at once: this may run inside one of its own callbacks. What waits for the end holds nothing
/// of us: whoever waited for it may destroy the transport right after, and has to be the last one
/// that holds it, so that its end is waited for.
void serving::drop_subscription() {
  if (!subscription_) return;
  consuming_ = false;
  ++leaving_;
  telling_ = now() != phase::stopping;  // after a start that failed
  const auto loop = bus.shared_loop();
  loop->post([weak = weak_from_this(), weak_loop = std::weak_ptr(loop), tell = telling_,
              leaving = std::move(subscription_)]() mutable {
    if (tell) leaving->stop();
    if (const auto self = weak.lock(); self && tell) {
      self->telling_ = false;
      self->begin_next();
    }
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

void serving::wait_on_loop(std::shared_ptr<task_call> call) {
  std::erase_if(waits_, [](const auto& w) { return w->given_up.load(); });
  waits_.push_back(std::move(call));
  draining_ = true;
  tell_waiters();
}

/// In a turn that holds nothing of us, for the reason that `drop_subscription` gives.
void serving::tell_waiters() {
  if (open_ != 0) return;
  const auto first = std::stable_partition(
      waits_.begin(), waits_.end(), [&](const auto& w) { return !w->given_up && !is_over(*w); });
  calls told(std::make_move_iterator(first), std::make_move_iterator(waits_.end()));
  waits_.erase(first, waits_.end());
  draining_ = !waits_.empty();
  if (!told.empty())
    bus.loop().post([told = std::move(told)] {
      for (const auto& call : told) call->finish({});
    });
}

void serving::async_drain(unique_function<void()> done) {
  begin(task_call::kind::stop, {});
  begin(task_call::kind::wait,
        [weak = weak_from_this(), done = std::move(done)](result<void>) mutable {
          const auto self = weak.lock();
          if (!self) return done();
          self->departed_.push_back(std::move(done));
          self->tell_departed();
        });
}

void serving::tell_departed() {
  if (leaving_ != 0 || departed_.empty()) return;
  bus.loop().post([told = std::exchange(departed_, {})]() mutable {  // as in `tell_waiters`
    for (auto& done : told) done();
  });
}

// ---- health -------------------------------------------------------------------------------------

serving_health serving::health() const {
  return {now() == phase::listening, consuming_.load(), running(), bus.health()};
}

/// What keeps the bus from us: " (broker.example:5672: connection refused)".
std::string serving::trouble() const {
  const auto h = bus.health();
  if (h.reason.empty()) return {};
  return " (" + (h.broker.empty() ? "" : h.broker + ": ") + h.reason + ")";
}

health_watch serving::watch_health(std::function<void(const serving_health&)> changed) {
  if (bus.inherited()) return {};
  {
    const std::lock_guard lock(mutex_);
    if (!bus_watch_)
      bus_watch_ = bus.watch_health([weak = weak_from_this()](const transport_health&) {
        if (const auto self = weak.lock()) self->tell_health();
      });
  }
  return watchers_.add(bus.shared_loop(), std::move(changed), [this] { return health(); });
}

void serving::tell_health() {
  watchers_.tell(bus.loop(), health());
}

// ---- messages -----------------------------------------------------------------------------------

std::size_t serving::free_places() {
  std::size_t busy = busy_.load();
  if (busy >= limit_) {
    starved_ = true;
    // Work may have ended between the two lines above: then nobody else will call again.
    busy = busy_.load();
    if (busy >= limit_ || !starved_.exchange(false)) return 0;
  }
  return limit_ - busy;
}

void serving::pull() {
  if (now() != phase::listening || pulling_) return;
  const auto want = wanted();
  if (want == 0) return;
  pulling_ = true;
  subscription_->next(want, [self = shared_from_this()](incoming_batch batch) {
    self->pulling_ = false;
    self->arrived(std::move(batch));
  });
}

void serving::arrived(incoming_batch batch) {
  if (batch.empty()) return stopped();
  taking_ = true;
  take(std::move(batch));
  taking_ = false;
  if (now() == phase::stopping)
    stopped();
  else
    pull();
}

void serving::leave() {
  --busy_;
  if (starved_.load() && starved_.exchange(false))
    bus.loop().post([self = shared_from_this()] { self->room_again(); });
}

void serving::settled(std::size_t messages) {
  if ((open_ -= messages) == 0 && draining_.load())
    bus.loop().post([self = shared_from_this()] { self->tell_waiters(); });
}

}  // namespace oslo::messaging::serve
