#include "drivers/inproc/node.hpp"

#include <algorithm>
#include <utility>

#include "core/saturating.hpp"
#include "core/send_stage.hpp"
#include "core/tasks/guarded.hpp"
#include "core/unique_id.hpp"

namespace oslo::messaging::inproc {
namespace {

constexpr std::size_t max_pending_calls = 1'000'000;
/// For ever, and far from overflow.
constexpr std::chrono::milliseconds longest_monitor = std::chrono::hours(366 * 24);

failure closed_failure() {
  return {errc::closed, "The transport was closed."};
}

}  // namespace

node::node(std::shared_ptr<bus> b, driver_environment env)
    : bus_(std::move(b)), env_(std::move(env)), calls_(random_bits(), max_pending_calls) {}

void node::send(target&& to, outgoing_message&& m, send_options&& o, send_completion&& done) {
  if (env_.loop->running_here()) {
    start(std::move(to), std::move(m), std::move(o), std::move(done));
    return;
  }
  env_.loop->post([self = shared_from_this(), to = std::move(to), m = std::move(m),
                   o = std::move(o), done = std::move(done)]() mutable {
    self->start(std::move(to), std::move(m), std::move(o), std::move(done));
  });
}

void node::start(target&& to, outgoing_message&& m, send_options&& o, send_completion&& done) {
  if (closed_) {
    finish(std::move(done), closed_failure());
    return;
  }
  std::shared_ptr<content> what;
  try {
    what = std::make_shared<content>(std::move(m.body), std::move(m.ctxt));
    what->headers = std::move(m.headers);
  } catch (const messaging_error& e) {
    finish(std::move(done), e.failure());
    return;
  }
  const bus::destination where{
      exchange_of(to), *to.topic,
      to.server ? std::optional<std::string_view>(*to.server) : std::optional<std::string_view>(),
      to.fanout};
  if (!o.wait_for_reply) {
    auto sent = bus_->deliver(where, std::move(what), o.at_least_once);
    if (sent)
      finish(std::move(done), reply{});
    else
      finish(std::move(done), sent.error());
    return;
  }

  const auto now = env_.loop->now();
  std::optional<scheduler::time_point> deadline;
  if (o.timeout) deadline = deadline_after(now, *o.timeout);
  std::optional<scheduler::clock::duration> monitor;
  if (o.call_monitor_timeout) {
    what->monitor = o.call_monitor_timeout;
    monitor = std::min(*o.call_monitor_timeout, longest_monitor);
  }
  if (calls_.size() >= calls_.capacity()) {
    finish(std::move(done), failure(errc::limit_exceeded, "Too many calls wait for their reply: " +
                                                              std::to_string(calls_.size()) + "."));
    return;
  }
  const auto id = calls_.add({std::move(done), *to.topic, nullptr}, now, deadline, monitor);
  what->reply_to = reply_address{weak_from_this(), id};
  what->deadline = deadline;
  const auto sent = bus_->deliver(where, std::move(what), o.at_least_once);
  if (!sent) {
    if (auto call = calls_.take(id)) finish(std::move(call->done), sent.error());
    return;
  }
  if (o.cancel.stop_possible()) {
    auto on_cancel = std::make_unique<std::stop_callback<post_cancel>>(
        std::move(o.cancel), post_cancel{weak_from_this(), id});
    if (auto* call = calls_.find(id.view())) call->on_cancel = std::move(on_cancel);
  }
  // A call without any time fails even if its reply is only a hop away.
  if (deadline && *deadline <= now)
    expire();
  else
    arm();
}

void node::post_cancel::operator()() const {
  const auto self = owner.lock();
  if (!self) return;
  self->env_.loop->post([self, call_id = id] {
    if (auto call = self->calls_.take(call_id))
      call->done(failure(errc::cancelled, "The call was cancelled while it waited for a reply."));
  });
}

void node::take_reply(const protocol::call_id& id, result<reply> r) {
  std::unique_lock lock(mutex_);
  arrived_.arrivals.push_back({id, std::move(r)});
  want_drain(std::move(lock));
}

void node::heartbeat(const protocol::call_id& id) {
  std::unique_lock lock(mutex_);
  arrived_.arrivals.push_back({id, std::nullopt});
  want_drain(std::move(lock));
}

void node::later(unique_function<void(result<void>)> verdict) {
  std::unique_lock lock(mutex_);
  arrived_.verdicts.push_back(std::move(verdict));
  want_drain(std::move(lock));
}

void node::finish(send_completion&& done, result<reply>&& outcome) {
  std::unique_lock lock(mutex_);
  arrived_.outcomes.push_back({std::move(done), std::move(outcome)});
  want_drain(std::move(lock));
}

void node::want_drain(std::unique_lock<std::mutex> lock) {
  if (std::exchange(drain_posted_, true)) return;
  lock.unlock();
  env_.loop->post([self = shared_from_this()] { self->drain(); });
}

/// Whatever happens: nothing is completed twice. Storage is kept for the next turn unless it is
/// large.
struct node::emptied_at_the_end {
  inbox& box;

  ~emptied_at_the_end() {
    empty(box.arrivals);
    empty(box.outcomes);
    empty(box.verdicts);
  }
  template <class T>
  static void empty(std::vector<T>& v) noexcept {
    constexpr std::size_t kept = 1024;
    v.clear();
    if (v.capacity() > kept) v.shrink_to_fit();
  }
};

void node::drain() {
  const emptied_at_the_end guard{draining_};
  {
    const std::lock_guard lock(mutex_);
    draining_.arrivals.swap(arrived_.arrivals);
    draining_.outcomes.swap(arrived_.outcomes);
    draining_.verdicts.swap(arrived_.verdicts);
    drain_posted_ = false;
  }
  for (auto& a : draining_.arrivals) {
    if (!a.content) {
      calls_.heartbeat(a.id.view(), env_.loop->now());
    } else if (auto call = calls_.take(a.id)) {
      call_guarded(*env_.loop, call->done, std::move(*a.content));
    }
  }
  for (auto& o : draining_.outcomes) call_guarded(*env_.loop, o.done, std::move(o.outcome));
  for (auto& v : draining_.verdicts) call_guarded(*env_.loop, v, result<void>{});
}

void node::arm() {
  const auto when = calls_.next_deadline();
  if (!when || *when >= armed_) return;
  env_.loop->cancel(timer_);
  armed_ = *when;
  timer_ = env_.loop->run_at(*when, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->armed_ = scheduler::time_point::max();
    self->expire();
  });
}

void node::expire() {
  while (auto call = calls_.next_expired(env_.loop->now())) {
    failure_detail detail;
    detail.stage = to_string(send_stage::waiting);
    detail.destination = call->payload.topic;
    detail.message_id = call->id.str();
    detail.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(call->elapsed);
    std::string text = "No reply on topic " + call->payload.topic;
    if (call->limit == protocol::call_limit::monitor) text += ": the server sends no heartbeats";
    finish(std::move(call->payload.done),
           failure(errc::timed_out, std::move(text), std::move(detail)));
  }
  arm();
}

std::shared_ptr<queue_reader> node::subscribe(std::vector<std::shared_ptr<queue>> queues) {
  auto s = std::make_shared<queue_reader>(bus_, env_.loop, std::move(queues));
  bus_->attach(s);
  {
    const std::lock_guard lock(mutex_);
    if (!closing_) {
      std::erase_if(readers_, [](const auto& weak) { return weak.expired(); });
      readers_.push_back(s);
      return s;
    }
  }
  s->stop();
  return s;
}

void node::probe(unique_function<void(result<std::chrono::microseconds>)> done) {
  later([self = shared_from_this(), since = env_.loop->now(),
         done = std::move(done)](result<void>) mutable {
    if (self->closed_) return done(closed_failure());
    done(std::chrono::duration_cast<std::chrono::microseconds>(self->env_.loop->now() - since));
  });
}

bool node::is_closing() {
  const std::lock_guard lock(mutex_);
  return closing_;
}

void node::watch_close(unique_function<void()> closed) {
  env_.loop->dispatch([self = shared_from_this(), closed = std::move(closed)]() mutable {
    self->on_closed_ = std::move(closed);
  });
}

void node::close(unique_function<void()> done) {
  std::vector<std::weak_ptr<queue_reader>> readers;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    readers.swap(readers_);
  }
  for (const auto& weak : readers)
    if (const auto s = weak.lock()) s->stop();
  env_.loop->dispatch([self = shared_from_this(), done = std::move(done)]() mutable {
    self->closed_ = true;
    self->env_.loop->cancel(self->timer_);
    if (self->on_closed_) std::exchange(self->on_closed_, nullptr)();
    for (auto& call : self->calls_.take_all())
      self->finish(std::move(call.payload.done), closed_failure());
    // After everything that was finished so far.
    self->later([done = std::move(done)](result<void>) mutable {
      if (done) done();
    });
  });
}

}  // namespace oslo::messaging::inproc
