#include "notify/listener_state.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <iterator>
#include <oslo/messaging/asio.hpp>
#include <string>

#include "core/features.hpp"
#include "core/saturating.hpp"
#include "core/tasks/default_executor.hpp"
#include "core/tasks/guarded.hpp"
#include "core/tasks/waiting.hpp"

namespace oslo::messaging::notify::detail {
namespace {

constexpr std::size_t inline_limit = 1'000;
constexpr std::size_t largest_batch = 10'000;
/// How long a dead letter may wait for the bus before its message is given back.
constexpr std::chrono::seconds dead_letter_limit{30};
constexpr std::chrono::seconds pause_after_refusal{1};
/// What drivers hold ready by themselves.
constexpr std::size_t usual_prefetch = 256;
constexpr std::size_t most_prefetched = 10'000;

std::vector<target> checked(std::vector<target> targets) {
  if (targets.empty())
    throw invalid_target({errc::invalid_target, "A notification listener needs a target."});
  for (const auto& t : targets)
    if (!t.topic || t.topic->empty())
      throw invalid_target({errc::invalid_target,
                            "A listener's target must have a topic specified:" + to_string(t)});
  return targets;
}

listener_options checked(listener_options o, const std::vector<target>& targets,
                         const transport& bus) {
  if (o.batch && (o.batch->size < 1 || o.batch->size > largest_batch))
    throw configuration_error({errc::invalid_argument,
                               "The size of a batch must be 1 to " + std::to_string(largest_batch) +
                                   ", not " + std::to_string(o.batch->size) + "."});
  if (o.batch && o.batch->timeout && o.batch->timeout->count() < 1)
    throw configuration_error(
        {errc::invalid_argument, "The timeout of a batch must be at least 1 ms, not " +
                                     std::to_string(o.batch->timeout->count()) + " ms."});
  require(bus, feature::notifications);
  if (o.allow_requeue) require(bus, feature::requeue);
  if (o.dead_letters) {
    const auto& to = o.dead_letters->to;
    if (!o.allow_requeue)
      throw configuration_error({errc::invalid_argument,
                                 "Dead letters need allow_requeue: without it nothing is given "
                                 "back, and nothing can come too often."});
    if (o.dead_letters->after == 0)
      throw configuration_error(
          {errc::invalid_argument, "Dead letters need a number of deliveries of at least 1."});
    if (!to.topic || to.topic->empty())
      throw invalid_target(
          {errc::invalid_target, "The target of dead letters must have a topic:" + to_string(to)});
    // Whatever the exchange: RabbitMQ's queues are named after topic and priority alone.
    for (const auto& t : targets)
      if (t.topic == to.topic)
        throw configuration_error(
            {errc::invalid_argument, "A listener cannot send its dead letters to its own topic " +
                                         *to.topic + ", in whatever exchange."});
  }
  // What is in work, and as much on its way.
  const std::size_t in_work = o.batch ? o.batch->size : std::min(o.max_running, most_prefetched);
  if (o.prefetch == 0 && 2 * in_work > usual_prefetch) o.prefetch = 2 * in_work;
  return o;
}

}  // namespace

listener_state::listener_state(transport b, std::vector<target> where,
                               std::vector<std::shared_ptr<endpoint>> endpoints, listener_options o)
    : bus(std::move(b)),
      targets(checked(std::move(where))),
      options(checked(std::move(o), targets, bus)),
      dispatcher_(std::move(endpoints), options.serializer, bus.log(), options.batch.has_value()),
      executor_(executor_or_default(options.executor, bus.defaults())),
      coroutines_(executor_->is_inline() ? as_asio_executor(bus.shared_loop())
                                         : as_asio_executor(executor_)),
      limit_(options.max_running != 0 ? options.max_running
             : executor_->is_inline() ? inline_limit
                                      : executor_->concurrency()) {
  if (dispatcher_.priorities().empty())
    throw configuration_error(
        {errc::invalid_argument, std::string("No endpoint has a handler of ") +
                                     (options.batch ? "batches." : "single notifications.")});
}

bool listener_state::waiting_would_deadlock() const noexcept {
  return bus.loop().running_here() || task_owner() == static_cast<const delivery_owner*>(this);
}

// ---- start, stop, wait --------------------------------------------------------------------------

void listener_state::async_start(unique_function<void(result<void>)> done) {
  (void)bus.driver();  // throws in a child process
  ++asked_to_start_;
  bus.loop().post(
      [self = shared_from_this(), done = guarded(bus.shared_loop(), std::move(done))]() mutable {
        const auto p = self->phase_.load();
        if (p != phase::listening) self->starts_.push_back(std::move(done));
        if (self->shut_down_)
          self->refuse_starts();
        else if (p == phase::fresh || p == phase::stopped)
          self->subscribe();
        --self->asked_to_start_;
        if (p == phase::listening && done) done({});
      });
}

void listener_state::async_stop() {
  (void)bus.driver();
  bus.loop().post([self = shared_from_this()] {
    switch (self->phase_.load()) {
      case phase::fresh:
      case phase::stopped: break;
      case phase::starting:
        self->subscribed(failure(errc::closed, "The listener was stopped while it started."));
        break;
      case phase::listening: self->stop_listening(); break;
      case phase::stopping: self->refuse_starts(); break;
    }
  });
}

/// Those that waited for the end of the last round.
void listener_state::refuse_starts() {
  for (auto& done : std::exchange(starts_, {}))
    if (done) done(failure(errc::closed, "The listener was stopped before it started."));
}

void listener_state::async_wait(unique_function<void()> done) {
  (void)bus.driver();
  bus.loop().post(
      [self = shared_from_this(), done = guarded(bus.shared_loop(), std::move(done))]() mutable {
        self->waits_.push_back(std::move(done));
        self->draining_ = true;
        self->tell_waiters();
      });
}

void listener_state::async_drain(unique_function<void()> done) {
  async_stop();
  bus.loop().post(
      [self = shared_from_this(), done = guarded(bus.shared_loop(), std::move(done))]() mutable {
        // One that was never started has stopped as well.
        if (self->phase_ == phase::fresh) self->ended();
        self->waits_.push_back([weak = self->weak_from_this(), done = std::move(done)]() mutable {
          const auto still = weak.lock();
          if (!still) return done();
          still->departed_.push_back(std::move(done));
          still->tell_departed();
        });
        self->draining_ = true;
        self->tell_waiters();
      });
}

void listener_state::shut_down() {
  bus.loop().post([self = shared_from_this()] { self->shut_down_ = true; });
  async_stop();
  bus.loop().post([self = shared_from_this()] {
    if (self->phase_ == phase::fresh) self->ended();
  });
}

void listener_state::subscribe() {
  phase_ = phase::starting;
  ++round_;
  std::vector<notification_topic> topics;
  for (const auto& t : targets)
    for (const priority p : dispatcher_.priorities())
      topics.push_back({t, std::string(to_string(p))});
  try {
    subscription_ =
        bus.driver().listen_for_notifications(std::move(topics), options.pool, {options.prefetch});
  } catch (const messaging_error& e) {
    return subscribed(e.failure());
  } catch (const std::exception& e) {
    return subscribed(failure(errc::broker_error, e.what()));
  }
  subscription_->watch([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || !self->subscription_) return;
    self->consuming_ = self->subscription_->consuming();
    self->tell_health();
  });
  auto& loop = bus.loop();
  if (const auto when = deadline_after(loop.now(), options.start_timeout))
    start_timer_ = loop.run_at(*when, [weak = weak_from_this()] {
      if (const auto self = weak.lock())
        self->subscribed(failure(errc::timed_out,
                                 "the bus did not confirm the subscription within " +
                                     std::to_string(self->options.start_timeout.count()) + " ms"));
    });
  subscription_->ready([weak = weak_from_this(), round = round_](result<void> verdict) {
    const auto self = weak.lock();
    if (self && self->round_ == round) self->subscribed(std::move(verdict));
  });
}

void listener_state::subscribed(result<void> verdict) {
  if (phase_ != phase::starting) return;
  bus.loop().cancel(std::exchange(start_timer_, scheduler::timer_id::none));
  auto done = std::exchange(starts_, {});
  if (verdict) {
    phase_ = phase::listening;
    window_start_ = bus.loop().now();
    consuming_ = subscription_->consuming();
    tell_health();
    pull();
  } else {
    verdict = failure(verdict.error().code(), "Failed to listen on target \"" +
                                                  to_string(targets.front()) +
                                                  "\": " + verdict.error().message());
    ended();
  }
  for (auto& d : done)
    if (d) d(verdict);
}

void listener_state::stop_listening() {
  phase_ = phase::stopping;
  const bool busy = pulling_ || taking_;  // then the end of that is the end; it may come at once
  subscription_->stop();
  if (!busy) ended();
}

/// The subscription counts as leaving before anybody sees us stopped.
void listener_state::ended() {
  drop_subscription(phase_ == phase::stopping);
  hand_out_batch();
  phase_ = phase::stopped;
  tell_health();
  tell_waiters();
  tell_departed();
  if (!starts_.empty()) subscribe();
}

/// Not at once: this may run inside one of its own callbacks. `told`: it knows that it is to stop.
/// Holds nothing of us: whoever waited for the end may destroy the transport right after, and has
/// to be the last one that holds it, so that its end is waited for.
void listener_state::drop_subscription(bool told) {
  if (!subscription_) return;
  consuming_ = false;
  ++leaving_;
  const auto loop = bus.shared_loop();
  loop->post([weak = weak_from_this(), told, weak_loop = std::weak_ptr(loop),
              leaving = std::move(subscription_)] {
    if (!told) leaving->stop();
    leaving->when_gone([weak, weak_loop, leaving]() mutable {
      if (const auto self = weak.lock()) {
        --self->leaving_;
        self->tell_departed();
      }
      if (const auto l = weak_loop.lock()) l->post([last = std::move(leaving)] {});
    });
  });
}

void listener_state::tell_waiters() {
  if (phase_ != phase::stopped || open != 0) return;
  draining_ = false;
  if (waits_.empty()) return;
  // In a turn that holds nothing of us, for the reason that `drop_subscription` gives.
  bus.loop().post([told = std::exchange(waits_, {})]() mutable {
    for (auto& done : told)
      if (done) done();
  });
}

void listener_state::tell_departed() {
  if (leaving_ != 0 || departed_.empty()) return;
  bus.loop().post([told = std::exchange(departed_, {})]() mutable {  // as in `tell_waiters`
    for (auto& done : told)
      if (done) done();
  });
}

// ---- health -------------------------------------------------------------------------------------

listener_health listener_state::health() const {
  return {phase_ == phase::listening, consuming_.load(), open.load(), bus.health()};
}

std::shared_ptr<void> listener_state::watch_health(
    std::function<void(const listener_health&)> changed) {
  {
    const std::lock_guard lock(mutex_);
    if (!bus_watch_)
      bus_watch_ = bus.watch_health([weak = weak_from_this()](const transport_health&) {
        if (const auto self = weak.lock()) self->tell_health();
      });
  }
  return watchers_.add(std::move(changed));
}

void listener_state::tell_health() {
  watchers_.tell(bus.loop(), health());
}

// ---- messages -----------------------------------------------------------------------------------

void listener_state::pull() {
  if (phase_ != phase::listening || pulling_) return;
  std::size_t want = 0;
  if (options.batch) {
    want = options.batch->size - collected_.size();  // 0: full, and waits for the executor
  } else {
    std::size_t now_busy = busy_.load();
    if (now_busy >= limit_) {
      starved_ = true;
      // Work may have ended between the two lines above: then nobody else will call again.
      now_busy = busy_.load();
      if (now_busy >= limit_ || !starved_.exchange(false)) return;
    }
    want = limit_ - now_busy;
  }
  if (want == 0) return;
  pulling_ = true;
  subscription_->next(want, [self = shared_from_this()](incoming_batch arrived) {
    self->pulling_ = false;
    self->take(std::move(arrived));
  });
}

void listener_state::take(incoming_batch arrived) {
  if (arrived.empty()) return ended();
  taking_ = true;
  open += arrived.size();
  for (auto& m : arrived) m->acknowledge_later();
  if (options.batch) {
    collect(std::move(arrived));
  } else {
    for (auto& m : arrived) {
      incoming_batch one;
      one.push_back(std::move(m));
      submit(std::move(one));
    }
  }
  taking_ = false;
  if (phase_ == phase::stopping)
    ended();
  else
    pull();
}

void listener_state::collect(incoming_batch arrived) {
  std::move(arrived.begin(), arrived.end(), std::back_inserter(collected_));
  if (collected_.size() >= options.batch->size) return hand_out_batch();
  if (batch_timer_ != scheduler::timer_id::none || due_) return;
  const auto when = end_of_batch();
  if (!when) return;
  batch_timer_ = bus.loop().run_at(*when, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->batch_timer_ = scheduler::timer_id::none;
    self->hand_out_batch();
  });
}

/// When the batch, which has just got its first message, is to be handed out.
std::optional<scheduler::time_point> listener_state::end_of_batch() {
  const auto& o = *options.batch;
  if (!o.timeout) return std::nullopt;
  const auto now = bus.loop().now();
  if (o.counts_from == batch_clock::first_message) return deadline_after(now, *o.timeout);
  // Windows without a message have passed one after the other since the last batch.
  const auto first = deadline_after(window_start_, *o.timeout);
  if (!first || *first > now) return first;
  const scheduler::clock::duration length = *o.timeout;
  return now + (length - (now - *first) % length);
}

void listener_state::hand_out_batch() {
  if (collected_.empty()) return;
  bus.loop().cancel(std::exchange(batch_timer_, scheduler::timer_id::none));
  due_ = busy_.load() >= limit_;
  if (due_) {
    starved_ = true;
    if (busy_.load() >= limit_ || !starved_.exchange(false)) return;
    due_ = false;
  }
  window_start_ = bus.loop().now();
  submit(std::exchange(collected_, {}));
}

void listener_state::submit(incoming_batch work) {
  ++busy_;
  auto d = std::make_shared<delivery>(shared_from_this(), dispatcher_, std::move(work));
  try {
    executor_->execute([d = std::move(d)]() mutable {
      d->begin();
      d.reset();
    });
  } catch (const std::exception& e) {
    bus.log()(log_level::error, std::string("The executor refused a notification: ") + e.what());
  }
}

void listener_state::run(boost::asio::awaitable<outcome> handler,
                         unique_function<void(std::exception_ptr, outcome)> done) {
  boost::asio::co_spawn(coroutines_, std::move(handler), std::move(done));
}

void listener_state::resume(unique_function<void()> work) {
  if (executor_->is_inline())
    bus.loop().post(std::move(work));
  else
    executor_->execute(std::move(work));
}

void listener_state::done(incoming_batch work, std::vector<verdict> verdicts) noexcept {
  const auto messages = work.size();
  std::shared_ptr<void> open_work;  // made for dead letters only, which are settled later
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    const auto failures = is_hopeless(*work[i], verdicts[i]);
    if (!failures) {
      settle(*work[i], verdicts[i]);
      continue;
    }
    if (!open_work)
      open_work = std::shared_ptr<void>(
          this, [self = shared_from_this(), messages](void*) { self->finished(messages); });
    bury(std::move(work[i]), verdicts[i], *failures, open_work);
  }
  work.clear();  // without verdicts this gives them back
  if (!open_work) finished(messages);
}

std::optional<std::size_t> listener_state::is_hopeless(const incoming_message& m,
                                                       const verdict& v) {
  if (!options.dead_letters) return std::nullopt;
  if (v.what == outcome::handled) {
    requeues_.forget(m);
    return std::nullopt;
  }
  const auto counted = m.requeues();
  const std::size_t failures = counted ? *counted + 1 : requeues_.add(m);
  return failures >= options.dead_letters->after ? std::optional(failures) : std::nullopt;
}

void listener_state::bury(std::shared_ptr<incoming_message> m, const verdict& v,
                          std::size_t failures, std::shared_ptr<void> open_work) noexcept {
  // Only a message whose priority is known gets to a handler that can fail.
  const auto p = parse_priority(text_of(*m, "priority").value_or("")).value_or(priority::info);
  target to = options.dead_letters->to;
  *to.topic += "." + std::string(to_string(p));
  const auto told = [self = shared_from_this(), m, open_work = std::move(open_work),
                     place = *to.topic, error = v.error, failures](const result<reply>& r) {
    const auto id = text_of(*m, "message_id").value_or("without an id").substr(0, 100);
    const auto what = "Notification " + id + " has failed " + std::to_string(failures) + " times";
    if (r.has_error()) {
      self->bus.log()(log_level::error, what + ", but cannot be put among the dead letters: " +
                                            r.error().message() + " It is given back.");
      // Not at once: it may come again at once, and a broker that refuses it closes a channel.
      auto& loop = self->bus.loop();
      loop.run_at(loop.now() + pause_after_refusal, [m, open_work] { m->requeue(); });
      return;
    }
    m->acknowledge();
    self->requeues_.forget(*m);
    self->bus.log()(log_level::error,
                    what + " and is a dead letter now, in " + place + ". The last time: " + error);
    if (auto* const meter = self->bus.meter()) {
      const metric_label where{"topic", place};
      meter->add("notification_dead_letters_total", {&where, 1}, 1);
    }
  };
  try {
    send_options o;
    o.timeout = dead_letter_limit;
    o.keep = true;
    bus.driver().send_notification(std::move(to), dead_letter_of(*m, failures, v.error),
                                   notification_format::envelope, std::move(o), told);
  } catch (const messaging_error& e) {
    told(e.failure());
  } catch (const std::exception& e) {
    told(failure(errc::broker_error, e.what()));
  }
}

void listener_state::settle(incoming_message& m, const verdict& v) noexcept {
  try {
    if (v.what == outcome::requeue && options.allow_requeue)
      m.requeue();
    else
      m.acknowledge();
  } catch (const std::exception& e) {
    bus.log()(log_level::error,
              std::string("A notification could not be acknowledged or requeued: ") + e.what());
  }
}

/// The last thing that a delivery does with us.
void listener_state::finished(std::size_t messages) {
  --busy_;
  const bool room = starved_.load() && starved_.exchange(false);
  const bool drained = (open -= messages) == 0 && draining_.load();
  if (!room && !drained) return;
  bus.loop().post([self = shared_from_this()] {
    if (self->due_) {
      self->due_ = false;
      self->hand_out_batch();
    }
    self->tell_waiters();
    self->pull();
  });
}

}  // namespace oslo::messaging::notify::detail
