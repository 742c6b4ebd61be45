#include "notify/outbox/outbox_sender.hpp"

#include <algorithm>
#include <oslo/messaging/detail/current_failure.hpp>
#include <oslo/messaging/json.hpp>
#include <utility>

#include "core/saturating.hpp"
#include "core/tasks/guarded.hpp"
#include "core/tasks/handover.hpp"

namespace oslo::messaging::notify {
namespace {

using std::chrono::milliseconds;
using decision = outbox_queue::decision;

constexpr std::chrono::seconds between_lines{30};
/// Reports of dropped messages that may wait for the loop, at least.
constexpr std::size_t least_reports = 10'000;
/// Coroutines that may wait for room; threads bound themselves.
constexpr std::size_t most_parked = 10'000;

std::size_t bytes_of(const outgoing_notification& n) {
  std::string ctxt;
  if (!n.ctxt.empty()) write_json(ctxt, n.ctxt);
  return n.body.size() + n.event_type.size() + n.message_id.size() + ctxt.size();
}

}  // namespace

outbox::sender::sender(std::shared_ptr<const detail::notifier_core> core, outbox_options o)
    : core_(std::move(core)), o_(std::move(o)), queue_(o_) {}

// ---- coming in ----------------------------------------------------------------------------------

result<outbox::sender::entry_ptr> outbox::sender::make(notify::priority p, const context& ctxt,
                                                       std::string_view event_type,
                                                       const result<std::string>& payload,
                                                       report_function done) {
  const auto refuse = [&](failure why) {
    const std::lock_guard lock(mutex_);
    queue_.refuse();
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
  auto e = std::make_shared<outbox_entry>();
  try {
    e->bytes = bytes_of(*made);
  } catch (const messaging_error& unwritable) {  // its context
    return refuse(unwritable.failure());
  }
  e->message = std::move(*made);
  e->message.retry = -1;
  e->message.timeout.reset();
  e->message.quiet = true;
  e->message.cancel = cancel_.get_token();
  e->done = std::move(done);
  for (std::size_t i = 0; i < core_->sinks.size(); ++i) e->left.push_back(i);
  return e;
}

void outbox::sender::accepted(const entry_ptr& e) {
  ++unreported_;
  if (!e->ended && (queue_.can_send(bus().loop().now()) || bus().meter() != nullptr)) want_turn();
}

outbox_queue::admission outbox::sender::admit(const entry_ptr& e, later& todo) {
  outbox_queue::endings all;
  const auto got = queue_.admit(
      e, bus().loop().now(),
      {.others_wait = !parked_.empty(),
       .may_wait = o_.wait_limit > milliseconds(0) && parked_.size() < most_parked,
       // Reports that wait are messages, too: a loop that stands still must not make them pile up.
       .may_drop = reports_.size() < std::max(o_.max_messages, least_reports)},
      all);
  if (got.overflow && is_news(overflow_said_))
    say(todo, log_level::warning,
        "Outbox \"" + o_.name + "\" overflows. " + queue_.full().message());
  if (got.what == outbox_queue::decision::taken) accepted(e);
  ended(all);
  return got;
}

result<void> outbox::sender::post(entry_ptr e) {
  later todo;
  std::unique_lock lock(mutex_);
  auto got = admit(e, todo);
  if (got.what == decision::must_wait) {
    lock.unlock();  // the answer may have to come from the loop
    const bool may_wait = bus().loop().may_wait_here();
    lock.lock();
    if (may_wait)
      got = admit(e, todo);
    else
      got = {decision::refused,
             failure(errc::would_deadlock,
                     "A notification would have to wait for room in its outbox on the transport's "
                     "loop, or on the only thread that runs it, which makes the room.")};
  }
  if (got.what != decision::must_wait) {
    if (got.what == decision::refused) queue_.refuse();
    lock.unlock();
    run(todo);
    if (got.what == decision::refused) return got.why;
    return {};
  }
  const auto outcome = std::make_shared<handover<result<void>>>();
  const auto self = std::make_shared<parked>(
      parked{std::move(e), [outcome](result<void> r) { outcome->put(std::move(r)); }});
  parked_.push_back(self);
  lock.unlock();
  run(todo);
  if (auto in_time = outcome->take(o_.wait_limit)) return *in_time;
  stop_waiting(self);
  return *outcome->take(std::nullopt);
}

void outbox::sender::async_post(entry_ptr e, unique_function<void(result<void>)> done) {
  done = guarded(bus().shared_loop(), std::move(done));
  later todo;
  std::unique_lock lock(mutex_);
  const auto got = admit(e, todo);
  if (got.what == decision::must_wait) {
    const auto self = std::make_shared<parked>(parked{std::move(e), std::move(done)});
    parked_.push_back(self);
    if (const auto until = deadline_after(bus().loop().now(), o_.wait_limit))
      self->timer = bus().loop().run_at(*until, [weak = weak_from_this(), self] {
        if (const auto me = weak.lock()) me->stop_waiting(self);
      });
    lock.unlock();
    return run(todo);
  }
  if (got.what == decision::refused) queue_.refuse();
  lock.unlock();
  run(todo);
  if (got.what == decision::refused)
    done(got.why);
  else
    done({});
}

/// Its time is up. It may have been let in at the last moment.
void outbox::sender::stop_waiting(const parked_ptr& p) {
  failure why;
  later todo;
  {
    const std::lock_guard lock(mutex_);
    const auto it = std::find(parked_.begin(), parked_.end(), p);
    if (it == parked_.end()) return;
    parked_.erase(it);
    queue_.refuse();
    why = failure(errc::limit_exceeded, queue_.full().message() + " There was no room within " +
                                            std::to_string(o_.wait_limit.count()) + " ms.");
    admit_parked(todo);  // a smaller one that was behind it
  }
  p->accepted(why);
  run(todo);
}

void outbox::sender::admit_parked(later& todo) {
  while (!parked_.empty() && queue_.fits(*parked_.front()->what)) {
    const auto first = std::move(parked_.front());
    parked_.pop_front();
    bus().loop().cancel(first->timer);
    queue_.take_in(first->what, bus().loop().now());
    accepted(first->what);
    todo.push_back([first] { first->accepted({}); });
  }
}

// ---- going out ----------------------------------------------------------------------------------

unique_function<void()> outbox::sender::to_self(void (sender::*member)()) {
  return [weak = weak_from_this(), member] {
    if (const auto self = weak.lock()) ((*self).*member)();
  };
}

void outbox::sender::want_turn() {
  if (!std::exchange(turn_wanted_, true)) bus().loop().post(to_self(&sender::turn));
}

void outbox::sender::turn() {
  {
    const std::lock_guard lock(mutex_);
    turn_wanted_ = false;
  }
  deliver_reports();
  std::vector<entry_ptr> batch;
  later todo;
  {
    const std::lock_guard lock(mutex_);
    outbox_queue::endings too_old;
    while (auto e = queue_.next(bus().loop().now(), too_old)) batch.push_back(std::move(e));
    ended(too_old);
    admit_parked(todo);
    measure(todo);
  }
  run(todo);
  for (const auto& e : batch) send(e);
}

void outbox::sender::send(const entry_ptr& e) {
  const auto sinks = e->left;
  for (const auto i : sinks) {
    try {
      core_->sinks[i]->notify(e->message, [weak = weak_from_this(), e, i](const result<void>& r) {
        if (const auto self = weak.lock()) self->answered(e, i, r);
      });
    } catch (...) {
      answered(
          e, i,
          messaging::detail::current_failure(errc::not_sent, "The notification could not be sent"));
    }
  }
  answered(e, std::nullopt, {});  // nobody reads the message any more
}

void outbox::sender::answered(const entry_ptr& e, std::optional<std::size_t> sink,
                              const result<void>& r) {
  // Refused as a whole: login or virtual host, and not this message's exchange.
  const auto publishing = r.has_error() ? bus().health().publishing : link_state::connected;
  const bool link_refused = publishing != link_state::connected && publishing != link_state::idle;
  later todo;
  {
    const std::lock_guard lock(mutex_);
    outbox_queue::endings all;
    const auto p = queue_.answer(e, sink, r, link_refused, bus().loop().now(), all);
    if (p.pause) bus().loop().run_at(*p.pause, to_self(&sender::turn));
    say_progress(*e, p, todo);
    ended(all);
    if (p.ended)
      admit_parked(todo);
    else if (queue_.can_send(bus().loop().now()))
      want_turn();
  }
  run(todo);
}

void outbox::sender::say_progress(const outbox_entry& e, const outbox_queue::progress& p,
                                  later& todo) {
  if (p.pause && is_news(hold_up_said_))
    say(todo, log_level::warning,
        std::to_string(queue_.held()) + " notifications wait in outbox \"" + o_.name +
            "\": " + e.passing->message());
  if (p.is_well_again)
    say(todo, log_level::info,
        "The bus takes the notifications of outbox \"" + o_.name + "\" again.");
  if (p.ended && e.for_good)
    say(todo, log_level::error,
        "Could not deliver notification " + e.message.event_type + ": " + e.for_good->message());
}

// ---- what others see ----------------------------------------------------------------------------

outbox_counts outbox::sender::counts() const {
  if (inherited()) return {};
  const std::lock_guard lock(mutex_);
  return queue_.counts();
}

/// For lines that trouble would repeat without end.
bool outbox::sender::is_news(std::optional<clock::time_point>& last) const {
  const auto now = bus().loop().now();
  if (last && now - *last < between_lines) return false;
  last = now;
  return true;
}

void outbox::sender::say(later& todo, log_level level, std::string text) {
  if (bus().log().enabled(level))
    todo.push_back([log = bus().log(), level, text = std::move(text)] { log(level, text); });
}

void outbox::sender::measure(later& todo) {
  if (bus().meter() == nullptr) return;
  const auto now = queue_.counts();
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

void outbox::sender::run(later& todo) const {
  for (auto& f : todo) call_guarded(bus().loop(), f);  // a log or a metric may throw, too
  todo.clear();
}

}  // namespace oslo::messaging::notify
