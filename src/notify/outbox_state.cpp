#include "notify/outbox_state.hpp"

#include <algorithm>
#include <oslo/messaging/json.hpp>
#include <utility>

#include "core/saturating.hpp"
#include "core/tasks/guarded.hpp"
#include "core/tasks/handover.hpp"

namespace oslo::messaging::notify {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_pause{100};
constexpr milliseconds longest_pause{5'000};
constexpr std::chrono::seconds between_lines{30};
/// Reports of dropped messages that may wait for the loop, at least.
constexpr std::size_t least_reports = 10'000;
/// Coroutines that may wait for room; threads bound themselves.
constexpr std::size_t most_parked = 10'000;

/// What may pass by itself or by the operator's hand: the same message can be taken later.
bool may_pass(errc e) noexcept {
  switch (e) {
    case errc::vhost_not_found:
    case errc::authentication_failed:
    case errc::tls_failed: return true;
    default: return is_retryable(e);
  }
}

/// A broker that refuses one message closes the channel, and takes its neighbours for guilty.
bool may_be_of_a_neighbour(errc e) noexcept {
  return e == errc::precondition_failed || e == errc::access_refused || e == errc::broker_error ||
         e == errc::protocol_error;
}

std::size_t bytes_of(const outgoing_notification& n) {
  std::string ctxt;
  if (!n.ctxt.empty()) write_json(ctxt, n.ctxt);
  return n.body.size() + n.event_type.size() + n.message_id.size() + ctxt.size();
}

}  // namespace

outbox::state::state(std::shared_ptr<const detail::notifier_core> core, outbox_options o)
    : core_(std::move(core)), o_(std::move(o)) {}

// ---- coming in ----------------------------------------------------------------------------------

result<outbox::state::entry_ptr> outbox::state::make(notify::priority p, const context& ctxt,
                                                     std::string_view event_type,
                                                     const result<std::string>& payload,
                                                     report_function done) {
  const auto refuse = [&](failure why) {
    const std::lock_guard lock(mutex_);
    ++counts_.refused;
    return why;
  };
  // Nothing of the parent's may be touched, not even the lock.
  if (inherited())
    return failure(errc::wrong_process,
                   "The outbox was made in the parent of this process. Make one here.");
  if (core_->sinks.empty()) return refuse(detail::no_taker());
  if (!payload) return refuse(payload.error());
  auto made = core_->make(p, ctxt, event_type, *payload);
  if (!made) return refuse(made.error());
  auto e = std::make_shared<entry>();
  e->message = std::move(*made);
  e->message.retry = -1;
  e->message.timeout.reset();
  e->message.quiet = true;
  e->message.cancel = cancel_.get_token();
  e->done = std::move(done);
  e->bytes = bytes_of(e->message);
  for (std::size_t i = 0; i < core_->sinks.size(); ++i) e->left.push_back(i);
  return e;
}

failure outbox::state::full() const {
  return {errc::limit_exceeded, "The outbox is full: it holds " +
                                    std::to_string(queue_.size() + on_the_way_.size()) +
                                    " notifications with " + std::to_string(bytes_) + " bytes."};
}

bool outbox::state::fits(const entry& e) const noexcept {
  return queue_.size() + on_the_way_.size() < o_.max_messages &&
         e.bytes <= o_.max_bytes - std::min(bytes_, o_.max_bytes);
}

void outbox::state::number(const entry_ptr& e) {
  e->number = ++last_number_;
  ++counts_.accepted;
  ++unreported_;
}

void outbox::state::take_in(const entry_ptr& e) {
  number(e);
  if (o_.give_up_after) e->deadline = deadline_after(bus().loop().now(), *o_.give_up_after);
  queue_.emplace_hint(queue_.end(), e->number, e);
  bytes_ += e->bytes;
  queued_bytes_ += e->bytes;
  if (can_send() || bus().meter() != nullptr) want_turn();
}

/// Makes room among those that are not on their way; false, and nothing is dropped, when that is
/// not enough.
bool outbox::state::drop_for(const entry& e) {
  const auto bytes_under_way = bytes_ - queued_bytes_;
  if (on_the_way_.size() >= o_.max_messages || e.bytes > o_.max_bytes - bytes_under_way)
    return false;
  // Reports that wait are messages, too: a loop that stands still must not make them pile up.
  if (!may_report()) return false;
  while (!fits(e)) {
    const auto oldest = queue_.begin()->second;
    queue_.erase(queue_.begin());
    queued_bytes_ -= oldest->bytes;
    bytes_ -= oldest->bytes;
    drop(oldest);
  }
  return true;
}

void outbox::state::drop(const entry_ptr& e) {
  if (e->done || o_.on_report) {
    settle(e, delivery::dropped, full());
    e->message.body = {};
    e->message.ctxt = {};
    return;
  }
  // Nobody reads its report, so that it does not have to wait for the loop.
  e->settled = true;
  ++counts_.dropped;
  later flushed;
  reported(*e, flushed);
  for (auto& f : flushed) bus().loop().post(std::move(f));
}

bool outbox::state::may_report() const noexcept {
  return reports_.size() < std::max(o_.max_messages, least_reports);
}

outbox::state::verdict outbox::state::admit(const entry_ptr& e, failure& why, later& todo) {
  if (closing_) {
    why = failure(errc::closed, "The outbox is closed.");
    return verdict::refused;
  }
  if (e->bytes > o_.max_bytes) {
    why = failure(errc::limit_exceeded, "A notification of " + std::to_string(e->bytes) +
                                            " bytes does not fit into an outbox of " +
                                            std::to_string(o_.max_bytes) + " bytes.");
    return verdict::refused;
  }
  if (parked_.empty() && fits(*e)) {
    take_in(e);
    return verdict::taken;
  }
  if (is_news(overflow_said_))
    say(todo, log_level::warning, "Outbox \"" + o_.name + "\" overflows. " + full().message());
  switch (o_.rule) {
    case when_full::wait:
      if (o_.wait_limit > milliseconds(0) && parked_.size() < most_parked)
        return verdict::must_wait;
      break;
    case when_full::drop_oldest:
      if (drop_for(*e)) {
        take_in(e);
        return verdict::taken;
      }
      [[fallthrough]];
    case when_full::drop_newest:
      if (may_report()) {
        number(e);
        drop(e);
        return verdict::taken;
      }
      break;
    case when_full::error: break;
  }
  why = full();
  return verdict::refused;
}

result<void> outbox::state::post(entry_ptr e) {
  later todo;
  failure why;
  std::unique_lock lock(mutex_);
  auto answer = admit(e, why, todo);
  if (answer == verdict::must_wait && bus().loop().running_here()) {
    why = failure(errc::would_deadlock,
                  "A notification would have to wait for room in its outbox on the transport's "
                  "loop, which makes the room.");
    answer = verdict::refused;
  }
  if (answer != verdict::must_wait) {
    if (answer == verdict::refused) ++counts_.refused;
    lock.unlock();
    run(todo);
    if (answer == verdict::refused) return why;
    return {};
  }
  const auto accepted = std::make_shared<handover<result<void>>>();
  const auto self = std::make_shared<parked>(
      parked{std::move(e), [accepted](result<void> r) { accepted->put(std::move(r)); }});
  parked_.push_back(self);
  lock.unlock();
  run(todo);
  if (auto in_time = accepted->take(o_.wait_limit)) return *in_time;
  stop_waiting(self);
  return *accepted->take(std::nullopt);
}

void outbox::state::async_post(entry_ptr e, unique_function<void(result<void>)> accepted) {
  accepted = guarded(bus().shared_loop(), std::move(accepted));
  later todo;
  failure why;
  std::unique_lock lock(mutex_);
  const auto answer = admit(e, why, todo);
  if (answer == verdict::must_wait) {
    const auto self = std::make_shared<parked>(parked{std::move(e), std::move(accepted)});
    parked_.push_back(self);
    if (const auto until = deadline_after(bus().loop().now(), o_.wait_limit))
      self->timer = bus().loop().run_at(*until, [weak = weak_from_this(), self] {
        if (const auto me = weak.lock()) me->stop_waiting(self);
      });
    lock.unlock();
    return run(todo);
  }
  if (answer == verdict::refused) ++counts_.refused;
  lock.unlock();
  run(todo);
  if (answer == verdict::refused)
    accepted(why);
  else
    accepted({});
}

/// Its time is up. It may have been let in at the last moment.
void outbox::state::stop_waiting(const parked_ptr& p) {
  failure why;
  later todo;
  {
    const std::lock_guard lock(mutex_);
    const auto it = std::find(parked_.begin(), parked_.end(), p);
    if (it == parked_.end()) return;
    parked_.erase(it);
    ++counts_.refused;
    why = failure(errc::limit_exceeded, full().message() + " There was no room within " +
                                            std::to_string(o_.wait_limit.count()) + " ms.");
    admit_parked(todo);  // a smaller one that was behind it
  }
  p->accepted(why);
  run(todo);
}

void outbox::state::admit_parked(later& todo) {
  while (!parked_.empty() && fits(*parked_.front()->what)) {
    const auto first = std::move(parked_.front());
    parked_.pop_front();
    bus().loop().cancel(first->timer);
    take_in(first->what);
    todo.push_back([first] { first->accepted({}); });
  }
}

// ---- going out ----------------------------------------------------------------------------------

unique_function<void()> outbox::state::to_self(void (state::*member)()) {
  return [weak = weak_from_this(), member] {
    if (const auto self = weak.lock()) ((*self).*member)();
  };
}

void outbox::state::want_turn() {
  if (!std::exchange(turn_wanted_, true)) bus().loop().post(to_self(&state::turn));
}

bool outbox::state::can_send() const {
  return !given_up_ && !queue_.empty() && on_the_way_.size() < o_.window &&
         bus().loop().now() >= paused_until_ &&
         (on_the_way_.empty() ||
          (!queue_.begin()->second->alone && !on_the_way_.begin()->second->alone));
}

void outbox::state::turn() {
  {
    const std::lock_guard lock(mutex_);
    turn_wanted_ = false;
  }
  deliver_reports();
  std::vector<entry_ptr> batch;
  later todo;
  {
    const std::lock_guard lock(mutex_);
    while (can_send()) {
      const auto e = queue_.begin()->second;
      queue_.erase(queue_.begin());
      queued_bytes_ -= e->bytes;
      if (e->deadline) {
        const auto left = std::chrono::ceil<milliseconds>(*e->deadline - bus().loop().now());
        if (left <= milliseconds(0)) {
          release(*e);
          settle(e, delivery::failed,
                 failure(errc::timed_out, "The notification was not delivered within " +
                                              std::to_string(o_.give_up_after->count()) + " ms" +
                                              (e->passing ? ": " + e->passing->message() : ".")));
          continue;
        }
        e->message.timeout = left;
      }
      e->under_way = e->left.size() + 1;
      on_the_way_.emplace(e->number, e);
      batch.push_back(e);
    }
    admit_parked(todo);
    measure(todo);
  }
  run(todo);
  for (const auto& e : batch) send(e);
}

void outbox::state::send(const entry_ptr& e) {
  const auto sinks = e->left;
  for (const auto i : sinks) {
    try {
      core_->sinks[i]->notify(e->message, [weak = weak_from_this(), e, i](const result<void>& r) {
        if (const auto self = weak.lock()) self->answered(e, i, r);
      });
    } catch (const messaging_error& thrown) {
      answered(e, i, thrown.failure());
    } catch (const std::exception& thrown) {
      answered(e, i, failure(errc::not_sent, thrown.what()));
    }
  }
  answered(e, std::nullopt, {});  // nobody reads the message any more
}

void outbox::state::answered(const entry_ptr& e, std::optional<std::size_t> sink,
                             const result<void>& r) {
  later todo;
  {
    const std::lock_guard lock(mutex_);
    if (e->settled) return;
    if (sink) {
      bool over = true;
      if (r.has_error()) {
        const auto code = r.error().code();
        // Refused as a whole, login or virtual host; not this message's exchange.
        const bool link_refused = code == errc::access_refused &&
                                  bus().health().publishing != link_state::connected &&
                                  bus().health().publishing != link_state::idle;
        if ((may_pass(code) || link_refused) && !(e->deadline && code == errc::timed_out)) {
          e->passing = r.error();
          e->try_later = true;
          over = false;
        } else if (!e->alone && may_be_of_a_neighbour(code)) {
          e->alone = true;
          over = false;
        } else if (!e->for_good) {
          e->for_good = r.error();
        }
      }
      if (over) std::erase(e->left, *sink);
    }
    if (--e->under_way == 0) end_attempt(e, todo);
  }
  run(todo);
}

void outbox::state::end_attempt(const entry_ptr& e, later& todo) {
  on_the_way_.erase(e->number);
  if (!e->left.empty()) {
    queue_.emplace(e->number, e);
    queued_bytes_ += e->bytes;
    if (std::exchange(e->try_later, false)) hold_up(*e->passing, todo);
    if (can_send()) want_turn();
    return;
  }
  release(*e);
  if (e->for_good) {
    say(todo, log_level::error,
        "Could not deliver notification " + e->message.event_type + ": " + e->for_good->message());
    settle(e, delivery::failed, *e->for_good);
  } else {
    settle(e, delivery::delivered, {});
    pause_ = milliseconds(0);
    if (std::exchange(held_up_, false))
      say(todo, log_level::info,
          "The bus takes the notifications of outbox \"" + o_.name + "\" again.");
  }
  admit_parked(todo);
}

void outbox::state::hold_up(const failure& why, later& todo) {
  const auto now = bus().loop().now();
  if (now < paused_until_) return;  // the same trouble
  pause_ = std::clamp(pause_ * 2, first_pause, longest_pause);
  paused_until_ = now + pause_;
  bus().loop().run_at(paused_until_, to_self(&state::turn));
  held_up_ = true;
  if (is_news(hold_up_said_))
    say(todo, log_level::warning,
        std::to_string(queue_.size() + on_the_way_.size()) + " notifications wait in outbox \"" +
            o_.name + "\": " + why.message());
}

void outbox::state::release(const entry& e) {
  bytes_ -= e.bytes;
}

// ---- reports ------------------------------------------------------------------------------------

void outbox::state::settle(const entry_ptr& e, delivery what, failure why) {
  e->settled = true;
  ++(what == delivery::delivered ? counts_.delivered
     : what == delivery::dropped ? counts_.dropped
                                 : counts_.failed);
  reports_.push_back({e, what, std::move(why)});
  want_turn();
}

void outbox::state::call(const report& r) {
  const auto& m = r.of->message;
  const delivery_report text{r.what, r.why, m.message_id, m.event_type, m.priority};
  if (r.of->done)
    call_guarded(bus().loop(), r.of->done, text);
  else if (o_.on_report)
    call_guarded(bus().loop(), o_.on_report, text);
}

void outbox::state::deliver_reports() {
  std::vector<report> batch;
  std::unique_lock lock(mutex_);
  if (reporting_) return;
  reporting_ = true;
  reporter_ = std::this_thread::get_id();
  do {
    batch.clear();
    batch.swap(reports_);
    for (auto& r : batch) {
      later todo;
      lock.unlock();
      call(r);
      lock.lock();
      reported(*r.of, todo);
      r.of.reset();
      if (todo.empty()) continue;
      lock.unlock();
      run(todo);
      lock.lock();
    }
    // An outbox that ends has no further turn; one that lives lets others have theirs.
  } while (given_up_ && !reports_.empty());
  reporting_ = false;
  reporter_ = {};
  const auto waiting = std::exchange(waiting_for_reporter_, {});
  lock.unlock();
  for (const auto& w : waiting) w->wake();
}

void outbox::state::reported(const entry& e, later& todo) {
  --unreported_;
  for (auto it = flushers_.begin(); it != flushers_.end();) {
    const auto f = *it;
    if (e.number > f->last || --f->unreported != 0) {
      ++it;
      continue;
    }
    it = flushers_.erase(it);
    bus().loop().cancel(f->timer);
    todo.push_back([f] { f->done({}); });
  }
}

bool outbox::state::reporting_here() const {
  const std::lock_guard lock(mutex_);
  return reporting_ && reporter_ == std::this_thread::get_id();
}

// ---- flush and close ----------------------------------------------------------------------------

void outbox::state::stop_flushing(const flusher_ptr& f) {
  {
    const std::lock_guard lock(mutex_);
    const auto it = std::find(flushers_.begin(), flushers_.end(), f);
    if (it == flushers_.end()) return;
    flushers_.erase(it);
  }
  f->done(failure(errc::timed_out,
                  std::to_string(f->unreported) + " notifications were not delivered in time."));
}

result<void> outbox::state::flush(milliseconds limit) {
  if (inherited()) return failure(errc::wrong_process, "The outbox is the parent's.");
  if (bus().loop().running_here() || reporting_here())
    return failure(errc::would_deadlock,
                   "An outbox was flushed on the transport's loop, which delivers what it holds.");
  const auto outcome = std::make_shared<handover<result<void>>>();
  flusher_ptr f;
  {
    const std::lock_guard lock(mutex_);
    if (unreported_ == 0) return {};
    f = std::make_shared<flusher>(flusher{
        last_number_, unreported_, [outcome](result<void> r) { outcome->put(std::move(r)); }});
    flushers_.push_back(f);
  }
  if (auto in_time = outcome->take(limit)) return *in_time;
  stop_flushing(f);
  return *outcome->take(std::nullopt);
}

void outbox::state::async_flush(milliseconds limit, unique_function<void(result<void>)> done) {
  auto& loop = bus().loop();
  if (inherited()) return done(failure(errc::wrong_process, "The outbox is the parent's."));
  done = guarded(bus().shared_loop(), std::move(done));
  const std::lock_guard lock(mutex_);
  if (unreported_ == 0) return loop.post([done = std::move(done)]() mutable { done({}); });
  const auto f = std::make_shared<flusher>(flusher{last_number_, unreported_, std::move(done)});
  flushers_.push_back(f);
  if (const auto until = deadline_after(loop.now(), limit))
    f->timer = loop.run_at(*until, [weak = weak_from_this(), f] {
      if (const auto self = weak.lock()) self->stop_flushing(f);
    });
}

void outbox::state::give_up_the_rest() {
  later todo;
  {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
    if (const auto left = queue_.size() + on_the_way_.size(); left != 0)
      say(todo, log_level::error,
          "Outbox \"" + o_.name + "\" was closed with " + std::to_string(left) +
              " undelivered notifications.");
    for (const auto& [number, e] : on_the_way_)
      settle(e, delivery::failed,
             failure(errc::closed,
                     "The outbox was closed before the bus had confirmed the notification, which "
                     "may have arrived."));
    for (const auto& [number, e] : queue_)
      settle(e, delivery::failed,
             failure(errc::closed, "The outbox was closed before the notification was sent."));
    on_the_way_.clear();
    queue_.clear();
    bytes_ = queued_bytes_ = 0;
    measure(todo);
  }
  cancel_.request_stop();
  run(todo);
}

void outbox::state::close(milliseconds limit) {
  if (inherited()) return;
  later todo;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    for (const auto& p : std::exchange(parked_, {})) {
      bus().loop().cancel(p->timer);
      ++counts_.refused;
      todo.push_back([p] { p->accepted(failure(errc::closed, "The outbox is closed.")); });
    }
  }
  run(todo);
  const bool inside_report = reporting_here();
  const bool on_loop = bus().loop().running_here();
  if (!inside_report && !on_loop && limit > milliseconds(0)) (void)flush(limit);
  give_up_the_rest();
  if (inside_report) return;  // the one who reports goes on
  for (;;) {
    std::shared_ptr<waiter> wait;
    {
      const std::lock_guard lock(mutex_);
      if (!reporting_ && reports_.empty()) return;
      if (reporting_) {
        if (on_loop) return;  // another thread that closes it
        waiting_for_reporter_.push_back(wait = make_waiter());
      }
    }
    if (wait)
      wait->wait(std::nullopt);
    else
      deliver_reports();
  }
}

// ---- what others see ----------------------------------------------------------------------------

outbox_counts outbox::state::counts() const {
  if (inherited()) return {};
  const std::lock_guard lock(mutex_);
  auto out = counts_;
  out.held = queue_.size() + on_the_way_.size();
  out.bytes = bytes_;
  return out;
}

/// For lines that trouble would repeat without end.
bool outbox::state::is_news(std::optional<clock::time_point>& last) const {
  const auto now = bus().loop().now();
  if (last && now - *last < between_lines) return false;
  last = now;
  return true;
}

void outbox::state::say(later& todo, log_level level, std::string text) {
  if (bus().log().enabled(level))
    todo.push_back([log = bus().log(), level, text = std::move(text)] { log(level, text); });
}

void outbox::state::measure(later& todo) {
  if (bus().meter() == nullptr) return;
  auto now = counts_;
  now.held = queue_.size() + on_the_way_.size();
  const auto before = std::exchange(measured_, now);
  todo.push_back([meter = bus().shared_meter(), name = o_.name, before, now] {
    const metric_label outbox{"outbox", name};
    const metric_labels labels(&outbox, 1);
    if (now.held != before.held)
      meter->set("notification_outbox_messages", labels, static_cast<double>(now.held));
    const auto add = [&](std::string_view counter, std::uint64_t was, std::uint64_t is) {
      if (is != was) meter->add(counter, labels, static_cast<std::int64_t>(is - was));
    };
    add("notification_outbox_delivered_total", before.delivered, now.delivered);
    add("notification_outbox_dropped_total", before.dropped, now.dropped);
    add("notification_outbox_failed_total", before.failed, now.failed);
    add("notification_outbox_refused_total", before.refused, now.refused);
  });
}

void outbox::state::run(later& todo) const {
  for (auto& f : todo) call_guarded(bus().loop(), f);  // a log or a metric may throw, too
  todo.clear();
}

}  // namespace oslo::messaging::notify
