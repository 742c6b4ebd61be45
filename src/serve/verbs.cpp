#include "serve/verbs.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/saturating.hpp"
#include "core/tasks/fork_guard.hpp"
#include "core/tasks/guarded.hpp"
#include "core/tasks/handover.hpp"

namespace oslo::messaging::serve {
namespace {

using kind = task_call::kind;

/// A loop that does not come to a start for that long does not run.
constexpr std::chrono::milliseconds loop_limit{35'000};

void refuse_deadlock(const serving& s, const char* what) {
  if (!s.waiting_would_deadlock()) return;
  throw would_deadlock(
      {errc::would_deadlock, std::string(s.how.kind) + "::" + what +
                                 " was called on the transport's loop or in a handler of the " +
                                 s.how.kind + ", where it would wait for itself."});
}

/// Waits for a start, stop or wait; says so when that takes long, and gives up when it takes too
/// long.
void run(serving& s, kind what, const task_options& o, std::size_t pool_size = 0) {
  const auto outcome = std::make_shared<handover<result<void>>>();
  const auto call = s.begin(
      what, [outcome](result<void> r) { outcome->put(std::move(r)); }, pool_size);
  const auto log_hang = [&] {
    s.bus.log()(log_level::warning, "Possible hang: " + s.waits_for(*call));
  };
  const auto look_at_loop = [&] {
    if (call->seen) return;
    throw server_listen_error({errc::timed_out, std::string("The ") + s.how.kind +
                                                    " did not start, because the transport's "
                                                    "loop does not run."});
  };
  // What is to be done on the way, the first one first.
  using moment = std::pair<std::chrono::milliseconds, std::function<void()>>;
  std::vector<moment> ahead;
  if (o.log_after.count() > 0) ahead.emplace_back(o.log_after, log_hang);
  if (what == kind::start) ahead.emplace_back(loop_limit, look_at_loop);
  std::sort(ahead.begin(), ahead.end(),
            [](const moment& a, const moment& b) { return a.first < b.first; });
  std::optional<result<void>> r;
  std::chrono::milliseconds waited{0};
  for (const auto& [when, act] : ahead) {
    if (o.timeout && *o.timeout <= when) break;
    r = outcome->take(when - waited);
    if (r) break;
    waited = when;
    act();
  }
  if (!r) r = outcome->take(o.timeout ? std::optional(*o.timeout - waited) : std::nullopt);
  if (!r) {
    call->given_up = true;
    throw task_timeout({errc::timed_out, s.waits_for(*call)});
  }
  if (!*r) throw server_listen_error(r->error());
}

/// A completion that has no outcome to tell.
unique_function<void(result<void>)> without_outcome(unique_function<void()> done) {
  if (!done) return {};
  return [done = std::move(done)](result<void>) mutable { done(); };
}

}  // namespace

void start(serving& s, const start_options& o) {
  refuse_deadlock(s, "start");
  run(s, kind::start, {.timeout = o.timeout, .log_after = o.log_after}, o.override_pool_size);
}
void async_start(serving& s, unique_function<void(result<void>)> done,
                 std::size_t override_pool_size) {
  s.begin(kind::start, std::move(done), override_pool_size);
}

void stop(serving& s, const task_options& o) {
  if (s.is_fresh() && !s.waiting_would_deadlock())
    run(s, kind::stop, o);
  else
    s.begin(kind::stop, {});
}
void async_stop(serving& s, unique_function<void()> done) {
  s.begin(kind::stop, without_outcome(std::move(done)));
}

void wait(serving& s, const task_options& o) {
  refuse_deadlock(s, "wait");
  run(s, kind::wait, o);
}
void async_wait(serving& s, unique_function<void()> done) {
  s.begin(kind::wait, without_outcome(std::move(done)));
}

bool drain(serving& s, std::chrono::milliseconds limit) {
  refuse_deadlock(s, "drain");
  if (s.has_left()) return true;
  const auto drained = std::make_shared<handover<bool>>();
  s.async_drain([drained] { drained->put(true); });
  if (drained->take(limit)) return true;
  s.hurry();
  return false;
}

void async_drain(std::shared_ptr<serving> s, std::chrono::milliseconds limit,
                 unique_function<void(bool)> done) {
  struct drain {
    unique_function<void(bool)> done;
    scheduler::timer_id timer = scheduler::timer_id::none;
  };
  const auto d = std::make_shared<drain>();
  d->done = guarded(s->bus.shared_loop(), std::move(done));
  auto& loop = s->bus.loop();
  loop.dispatch([d, s = std::move(s), limit] {
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

void end(std::shared_ptr<serving> s) {
  if (!s) return;
  if (s->bus.inherited()) {
    leave_to_parent(std::move(s));
    return;
  }
  const bool at_rest = s->at_rest();
  s->shut_down();
  if (s->waiting_would_deadlock()) return;
  if (at_rest) {
    s->retire();
    return;
  }
  const auto drained = std::make_shared<handover<bool>>();
  s->begin(kind::wait, [drained](result<void>) { drained->put(true); });
  if (drained->take(s->how.drain_timeout)) {
    s->retire();
    return;
  }
  s->bus.log()(log_level::error, std::string("A ") + s->how.kind + " was destroyed while " +
                                     std::to_string(s->running()) + " of its " + s->how.piece +
                                     "s were still being handled.");
}

}  // namespace oslo::messaging::serve
