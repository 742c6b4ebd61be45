// Reports, and who waits for them: flush and close.
#include <algorithm>
#include <utility>

#include "core/saturating.hpp"
#include "core/tasks/guarded.hpp"
#include "core/tasks/handover.hpp"
#include "notify/outbox/outbox_sender.hpp"

namespace oslo::messaging::notify {

using std::chrono::milliseconds;

/// With the lock held. Who is dropped and has no reader does not have to wait for the loop.
void outbox::sender::ended(outbox_queue::endings& all) {
  for (auto& r : all) {
    if (r.what == delivery_outcome::dropped && !has_reader(*r.of)) {
      later flushed;
      reported(*r.of, flushed);
      for (auto& f : flushed) bus().loop().post(std::move(f));
      continue;
    }
    reports_.push_back(std::move(r));
    want_turn();
  }
}

void outbox::sender::call(const outbox_queue::ending& r) {
  const auto& m = r.of->message;
  const delivery_report text{r.what, r.why, m.message_id, m.event_type, m.priority};
  if (r.of->done)
    call_guarded(bus().loop(), r.of->done, text);
  else if (o_.on_report)
    call_guarded(bus().loop(), o_.on_report, text);
}

void outbox::sender::deliver_reports() {
  outbox_queue::endings batch;
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
  } while (queue_.given_up() && !reports_.empty());
  reporting_ = false;
  reporter_ = {};
  const auto waiting = std::exchange(waiting_for_reporter_, {});
  lock.unlock();
  for (const auto& w : waiting) w->wake();
}

void outbox::sender::reported(const outbox_entry& e, later& todo) {
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

bool outbox::sender::reporting_here() const {
  const std::lock_guard lock(mutex_);
  return reporting_ && reporter_ == std::this_thread::get_id();
}

// ---- flush and close ----------------------------------------------------------------------------

void outbox::sender::stop_flushing(const flusher_ptr& f) {
  {
    const std::lock_guard lock(mutex_);
    const auto it = std::find(flushers_.begin(), flushers_.end(), f);
    if (it == flushers_.end()) return;
    flushers_.erase(it);
  }
  f->done(failure(errc::timed_out,
                  std::to_string(f->unreported) + " notifications were not delivered in time."));
}

result<void> outbox::sender::flush(milliseconds limit) {
  if (inherited()) return failure(errc::wrong_process, "The outbox is the parent's.");
  if (reporting_here() || !bus().loop().may_wait_here())
    return failure(errc::would_deadlock,
                   "An outbox was flushed on the transport's loop, or on the only thread that runs "
                   "it, which delivers what it holds.");
  const auto outcome = std::make_shared<handover<result<void>>>();
  flusher_ptr f;
  {
    const std::lock_guard lock(mutex_);
    if (unreported_ == 0) return {};
    f = std::make_shared<flusher>(
        flusher{queue_.last_number(), unreported_,
                [outcome](result<void> r) { outcome->put(std::move(r)); }});
    flushers_.push_back(f);
  }
  if (auto in_time = outcome->take(limit)) return *in_time;
  stop_flushing(f);
  return *outcome->take(std::nullopt);
}

void outbox::sender::async_flush(milliseconds limit, unique_function<void(result<void>)> done) {
  auto& loop = bus().loop();
  if (inherited()) return done(failure(errc::wrong_process, "The outbox is the parent's."));
  done = guarded(bus().shared_loop(), std::move(done));
  const std::lock_guard lock(mutex_);
  if (unreported_ == 0) return loop.post([done = std::move(done)]() mutable { done({}); });
  const auto f =
      std::make_shared<flusher>(flusher{queue_.last_number(), unreported_, std::move(done)});
  flushers_.push_back(f);
  if (const auto until = deadline_after(loop.now(), limit))
    f->timer = loop.run_at(*until, [weak = weak_from_this(), f] {
      if (const auto self = weak.lock()) self->stop_flushing(f);
    });
}

void outbox::sender::give_up_the_rest() {
  later todo;
  {
    const std::lock_guard lock(mutex_);
    if (const auto left = queue_.held(); left != 0)
      say(todo, log_level::error,
          "Outbox \"" + o_.name + "\" was closed with " + std::to_string(left) +
              " undelivered notifications.");
    outbox_queue::endings all;
    queue_.give_up(all);
    ended(all);
    measure(todo);
  }
  cancel_.request_stop();
  run(todo);
}

void outbox::sender::close(milliseconds limit) {
  if (inherited()) return;
  later todo;
  {
    const std::lock_guard lock(mutex_);
    queue_.close();
    for (const auto& p : std::exchange(parked_, {})) {
      bus().loop().cancel(p->timer);
      queue_.refuse();
      todo.push_back([p] { p->accepted(failure(errc::closed, "The outbox is closed.")); });
    }
  }
  run(todo);
  const bool inside_report = reporting_here();
  const bool on_loop = bus().loop().running_here();
  if (limit > milliseconds(0)) (void)flush(limit);  // where that can be waited for
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

}  // namespace oslo::messaging::notify
