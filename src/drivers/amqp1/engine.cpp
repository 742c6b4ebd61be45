#include "drivers/amqp1/engine.hpp"

#include <algorithm>

#include "core/saturating.hpp"
#include "core/send_stage.hpp"
#include "core/tasks/guarded.hpp"
#include "core/tasks/raised_flag.hpp"
#include "core/unique_id.hpp"
#include "drivers/amqp1/bodies.hpp"
#include "drivers/amqp1/listener.hpp"

namespace oslo::messaging::amqp1 {
namespace {

using std::chrono::milliseconds;
using stage = pending_send::stage;

constexpr std::size_t most_pending = std::size_t{1} << 20;
/// Longer than any deadline, and far from overflow.
constexpr milliseconds longest_close = std::chrono::hours(24);
constexpr milliseconds for_ever = std::chrono::hours(24 * 3650);

}  // namespace

engine::engine(options o, driver_environment env)
    : options_(std::move(o)), env_(std::move(env)), sends_(random_bits(), most_pending) {}

void engine::start(amqp1::link& l, shut_link shut) {
  link_ = &l;
  shut_ = std::move(shut);
  publisher_ = std::make_unique<amqp1::publisher>(l, static_cast<send_owner&>(*this),
                                                  options_.addresses, options_.idle_sender);
}

// ---- sends --------------------------------------------------------------------------------------

template <class Write>
void engine::begin(const send_ptr& s, const send_options& o, Write write) {
  const raised_flag sending(sending_);
  const auto now = env_.loop->now();
  s->begun = now;
  if (closed_)
    return complete(std::move(s->done), failure(errc::closed, "The transport is closed."));
  if (s->wants_reply && reply_refusal_) return complete(std::move(s->done), *reply_refusal_);
  if (sends_.size() >= sends_.capacity())
    return complete(std::move(s->done),
                    failure(errc::limit_exceeded,
                            std::to_string(sends_.size()) + " messages and calls are pending."));
  const auto deadline = o.timeout ? deadline_after(now, *o.timeout) : std::nullopt;
  if (s->wants_reply && deadline) {
    s->expires = deadline;
    s->lifetime = *o.timeout;
  }
  std::optional<clock::duration> monitor;
  if (o.call_monitor_timeout) monitor = std::min(for_ever, *o.call_monitor_timeout);
  s->id = sends_.add(send_ptr(s), now, deadline, monitor);
  try {
    write(s->body);
  } catch (const messaging_error& e) {
    return conclude(*s, e.failure());
  }
  if (o.cancel.stop_possible())
    s->on_cancel = std::make_unique<std::stop_callback<unique_function<void()>>>(
        o.cancel, unique_function<void()>([weak = weak_from_this(), loop = env_.loop,
                                           send = std::weak_ptr(s)]() mutable {
          loop->post([weak, send] {
            const auto self = weak.lock();
            if (const auto pending = send.lock(); self && pending) self->cancel(*pending);
          });
        }));
  if (const auto next = sends_.next_deadline()) wake_at(*next);
  publisher_->publish(s);
}

void engine::call(destination to, outgoing_message m, send_options o, send_completion done) {
  const auto s = std::make_shared<pending_send>();
  s->to = std::move(to);
  s->done = std::move(done);
  s->wants_reply = true;
  s->pre_settled = options_.pre_settled.calls && !o.at_least_once;
  s->undeliverable_at_once = o.at_least_once;
  s->retry = o.retry;
  const auto monitor = o.call_monitor_timeout;
  ensure_reply_link();
  begin(s, o, [&](std::string& body) { write_request(body, m.body, m.ctxt, monitor); });
}

void engine::cast(destination to, std::string body, send_options o, send_completion done) {
  const auto s = std::make_shared<pending_send>();
  s->lost_if_nobody = to.what == destination::kind::multicast;
  s->to = std::move(to);
  s->done = std::move(done);
  s->pre_settled = options_.pre_settled.casts && !o.at_least_once;
  s->undeliverable_at_once = o.at_least_once;
  s->retry = o.retry;
  if (!o.timeout) o.timeout = options_.send_timeout;
  begin(s, o, [&](std::string& to_body) { to_body = std::move(body); });
}

void engine::notify(destination to, std::string body, std::vector<message_header> headers,
                    send_options o, send_completion done) {
  const auto s = std::make_shared<pending_send>();
  s->to = std::move(to);
  s->headers = std::move(headers);
  s->done = std::move(done);
  s->pre_settled = options_.pre_settled.notifications && !o.keep && !o.at_least_once;
  s->undeliverable_at_once = o.at_least_once;
  s->retry = o.retry;
  if (!o.timeout) o.timeout = options_.notify_timeout;
  begin(s, o, [&](std::string& to_body) { to_body = std::move(body); });
}

destination engine::way_back(const std::string& to) const {
  destination d;
  d.what = destination::kind::node;
  if (!publisher_->relays()) d.topic = to;
  return d;
}

void engine::reply(outgoing_answer a) {
  const auto s = std::make_shared<pending_send>();
  s->to = way_back(a.to);
  s->relay_to = std::move(a.to);
  s->correlation = std::move(a.correlation);
  s->carries_id = false;
  s->pre_settled = options_.pre_settled.replies && !a.awaited;
  s->retry = options_.reply_retry;
  s->undeliverable_at_once = s->retry == 0;
  s->done = [weak = weak_from_this(), id = std::move(a.request_id),
             done = std::move(a.done)](result<messaging::reply> r) mutable {
    const auto self = weak.lock();
    if (self && r.has_error()) {
      self->env_.log(log_level::debug,
                     "Can not send the reply for message " + id + ": " + r.error().message());
      self->count("rpc_server_dropped_replies_total");
    }
    if (done) done(r ? result<void>() : result<void>(r.error()));
  };
  send_options o;
  o.timeout = options_.reply_timeout;
  begin(s, o, [&](std::string& body) { body = std::move(a.body); });
}

void engine::heartbeat(std::string to, std::string correlation, double seconds,
                       unique_function<void(result<void>)> done) {
  const auto s = std::make_shared<pending_send>();
  s->to = way_back(to);
  s->relay_to = std::move(to);
  s->correlation = std::move(correlation);
  s->carries_id = false;
  s->empty_body = s->undeliverable_at_once = true;
  s->pre_settled = !done;
  s->retry = 0;
  s->lifetime = milliseconds(static_cast<std::int64_t>(std::clamp(seconds, 1.0, 4e6) * 1000));
  s->done = [done = std::move(done)](result<messaging::reply> r) mutable {
    if (done) done(r ? result<void>() : result<void>(r.error()));
  };
  send_options o;
  o.timeout = s->lifetime;
  begin(s, o, [](std::string&) {});
}

/// A call whose server is our own reply link: the message that comes back is its reply.
void engine::probe(milliseconds limit,
                   unique_function<void(result<std::chrono::microseconds>)> done) {
  ensure_reply_link();
  if (reply_address_.empty())  // there is nobody to send it to yet
    return env_.loop->post([done = std::move(done)]() mutable {
      done(failure(errc::timed_out, "The reply link is not there."));
    });
  const auto s = std::make_shared<pending_send>();
  s->to = way_back(reply_address_);
  s->relay_to = reply_address_;
  s->wants_reply = s->answers_itself = true;
  s->carries_id = false;
  s->done = [self = shared_from_this(), since = env_.loop->now(),
             done = std::move(done)](result<messaging::reply> r) mutable {
    if (r.has_error()) {
      if (r.error().code() == errc::timed_out) self->deaf_ = true;
      self->update_health(self->health());
      return done(r.error());
    }
    done(std::chrono::duration_cast<std::chrono::microseconds>(self->env_.loop->now() - since));
  };
  send_options o;
  o.timeout = limit;
  begin(s, o, [](std::string& body) { body = R"({"response": null})"; });
}

void engine::published(const send_ptr& s, result<void> r) {
  if (r.has_error()) return conclude(*s, r.error());
  if (!s->wants_reply) conclude(*s, messaging::reply{});
}

/// The one end of every send.
void engine::conclude(pending_send& s, result<messaging::reply> r) {
  if (!s.done) return;
  // It may be held by nobody else.
  const auto kept = sends_.take(s.id->view());
  s.on_cancel.reset();
  auto done = std::exchange(s.done, nullptr);
  publisher_->abandon(s);
  complete(std::move(done), std::move(r));
}

void engine::cancel(pending_send& s) {
  conclude(s,
           failure(errc::cancelled,
                   std::string("The caller cancelled the ") + (s.wants_reply ? "call." : "send.") +
                       (s.was_written ? " It was sent already." : ""),
                   {std::string(to_string(s.was_written ? send_stage::sent : send_stage::queued)),
                    options_.addresses.name_of(s.to),
                    {},
                    {},
                    {}}));
}

void engine::complete(send_completion done, result<messaging::reply> r) {
  if (!sending_) return call_guarded(*env_.loop, done, std::move(r));
  env_.loop->post([done = std::move(done), r = std::move(r)]() mutable { done(std::move(r)); });
}

failure engine::timeout_failure(const pending_send& s, protocol::call_limit limit,
                                clock::duration elapsed) const {
  const auto ms = std::chrono::duration_cast<milliseconds>(elapsed);
  const auto id = s.wants_reply ? s.id->str() : std::string();
  const auto where = options_.addresses.name_of(s.to);
  std::string text = (s.wants_reply ? "Timed out waiting for a reply to message ID " + id + " from "
                                    : std::string("The broker did not confirm the message for ")) +
                     where + " after " + std::to_string(ms.count()) + " ms: ";
  auto at = send_stage::queued;
  if (limit == protocol::call_limit::monitor) {
    at = send_stage::monitor;
    text += "the server sent no heartbeat in time.";
  } else if (s.in_doubt) {
    at = send_stage::sent;
    text += "it was sent once and never confirmed, and could not be sent again.";
  } else if (s.nobody) {
    at = send_stage::returned;
    text += "the broker does not know that address.";
  } else if (s.at == stage::confirmed) {
    at = send_stage::confirmed;
    text += "the broker has the request, no server answered.";
  } else if (s.at == stage::pausing) {
    at = send_stage::refused;
    text += "the broker gave the message back each time.";
  } else if (s.was_written) {
    at = send_stage::sent;
    text += "it was sent but not confirmed.";
  } else {
    text += "it was not sent";
    if (!link_->is_open()) {
      at = send_stage::connecting;
      text += link_->last_failure()          ? ", " + link_->last_failure()->message()
              : link_->broker_name().empty() ? ", not connected yet"
                                             : ", still connecting to " + link_->broker_name();
    } else {
      text += ", the broker gives no credit for it";
    }
    text += text.ends_with('.') ? "" : ".";
  }
  // A call has no reply; of anything else it is not known whether it has arrived.
  const auto code =
      !s.wants_reply && s.may_have_arrived() ? errc::outcome_unknown : errc::timed_out;
  return {code, std::move(text), {std::string(to_string(at)), where, id, link_->broker_name(), ms}};
}

// ---- listeners ----------------------------------------------------------------------------------

std::shared_ptr<listener> engine::listen(std::vector<destination> from, std::uint32_t credit) {
  auto made = std::make_shared<amqp1_listener>(shared_from_this(), std::move(from), credit);
  if (closed_) {
    made->remove();
    return made->handle();
  }
  listeners_.push_back(made);
  link_->open();
  if (link_->is_open()) made->link_up();
  return made->handle();
}

void engine::forget(const amqp1_listener& l) {
  std::erase_if(listeners_, [&](const listener_ptr& p) { return p.get() == &l; });
}

// ---- time ---------------------------------------------------------------------------------------

/// Most deadlines are never reached, so the timer is only ever moved forward in time.
void engine::wake_at(instant when) {
  if (gone_ || when >= timer_at_) return;
  env_.loop->cancel(timer_);
  timer_at_ = when;
  timer_ = env_.loop->run_at(when, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->tick();
  });
}

void engine::tick() {
  timer_at_ = instant::max();
  const auto now = env_.loop->now();
  while (auto expired = sends_.next_expired(now)) {
    auto& s = *expired->payload;
    conclude(s, timeout_failure(s, expired->limit, expired->elapsed));
  }
  publisher_->on_tick(now);
  for (const auto& l : std::vector(listeners_)) l->on_tick(now);
  if (now >= reply_reopen_at_) open_reply_link();
  auto next = std::min(publisher_->next_deadline(), reply_reopen_at_);
  for (const auto& l : listeners_) next = std::min(next, l->next_deadline());
  if (const auto deadline = sends_.next_deadline()) next = std::min(next, *deadline);
  if (next != instant::max()) wake_at(next);
}

// ---- end ----------------------------------------------------------------------------------------

void engine::close(milliseconds limit, unique_function<void()> done) {
  if (gone_) return env_.loop->post(std::move(done));
  closers_.push_back(std::move(done));
  if (std::exchange(closed_, true)) return;
  limit = std::clamp(limit, milliseconds(0), longest_close);
  const failure why(errc::closed, "The transport was closed.");
  for (const auto& pending : sends_.take_all())
    if (pending.payload->wants_reply) conclude(*pending.payload, why);

  // What the broker has not confirmed yet (the last replies of a server) gets the time to be.
  const auto deadline = env_.loop->now() + limit;
  auto finish = [self = shared_from_this(), why, deadline]() mutable {
    self->publisher_->fail_all(why);
    for (const auto& l : std::vector(self->listeners_)) l->remove();
    const auto left =
        std::max(milliseconds(1),
                 std::chrono::duration_cast<milliseconds>(deadline - self->env_.loop->now()));
    self->shut_(left, [self, why] {
      // Replies that handlers gave while the connection ended.
      self->publisher_->fail_all(why);
      for (const auto& l : std::vector(self->listeners_)) l->link_down();
      self->env_.loop->cancel(self->timer_);
      self->gone_ = true;
      for (auto& closed : std::exchange(self->closers_, {}))
        if (closed) closed();
    });
  };
  if (!link_->is_open()) return finish();
  auto once = std::make_shared<unique_function<void()>>(std::move(finish));
  const auto run_once = [once] {
    if (*once) std::exchange(*once, nullptr)();
  };
  const auto timer = env_.loop->run_at(deadline, run_once);
  publisher_->drain(why, [self = shared_from_this(), timer, run_once] {
    self->env_.loop->cancel(timer);
    run_once();
  });
}

}  // namespace oslo::messaging::amqp1
