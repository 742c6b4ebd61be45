#include "drivers/rabbit/engine.hpp"

#include <algorithm>

#include "core/saturating.hpp"
#include "core/tasks/guarded.hpp"
#include "core/tasks/raised_flag.hpp"
#include "core/unique_id.hpp"
#include "net/amqp_failure.hpp"
#include "wire/reply.hpp"
#include "wire/request.hpp"

namespace oslo::messaging::rabbit {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds returned_pause{250};
/// Nothing is lost when acknowledgements of replies come late, and none of them costs a write.
constexpr std::size_t reply_acks_at_once = 64;
constexpr milliseconds reply_ack_delay{10};
/// Calls that wait for the reply queue, that is: for the first connection.
constexpr std::size_t max_awaiting_reply_queue = 100'000;

net::link_settings for_purpose(net::link_settings s, const char* purpose) {
  s.purpose = purpose;
  auto name = s.amqp.client_properties.find("connection_name");
  if (name != nullptr && name->as_string() != nullptr)
    s.amqp.client_properties.set("connection_name", *name->as_string() + ":" + purpose);
  return s;
}

}  // namespace

/// The one queue that all replies of the transport come to.
class reply_subscription final : public subscription {
 public:
  reply_subscription(engine& e, const std::string& unique)
      : subscription({reply_source(e.opts(), unique)}, 0), engine_(e) {}
  void on_ready() override { engine_.reply_queue_ready(); }
  void on_refused(const failure& why) override { engine_.reply_queue_refused(why); }
  void on_unreachable(const failure& why) override { engine_.reply_queue_unreachable(why); }
  void on_lost() override { unacknowledged_.clear(); }
  void on_delivery(const amqp091::delivery& d) override {
    unacknowledged_.push_back(d.delivery_tag);
    if (unacknowledged_.size() >= reply_acks_at_once)
      acknowledge();
    else if (unacknowledged_.size() == 1)
      engine_.acknowledge_replies_later();
    engine_.on_reply(d);
  }
  void acknowledge() {
    for (const auto tag : unacknowledged_) engine_.consumer_->ack(*this, lifetime(), tag);
    unacknowledged_.clear();
  }

 private:
  std::vector<std::uint64_t> unacknowledged_;
  engine& engine_;  // owns the consumer that owns this
};

engine::engine(options o, driver_environment env, std::shared_ptr<net::asio_loop> loop)
    : options_(std::move(o)), env_(std::move(env)), loop_(std::move(loop)), calls_(random_bits()) {}

void engine::start() {
  publisher_ = std::make_shared<publisher>(loop_->executor(), for_purpose(options_.link, "publish"),
                                           env_.log);
  publisher_->watch_readers(options_.notifications.reader_check);
  // Handlers that ran inside the read have published replies: one write for all of them.
  consumer_ = std::make_shared<rabbit::consumer>(
      loop_->executor(), for_purpose(options_.link, "consume"), env_.log,
      [p = publisher_.get()] { p->hold(); }, [p = publisher_.get()] { p->release(); });
  answers_ = std::make_shared<rabbit::answers>(options_, env_, loop_, publisher_);
  for (auto* link : {static_cast<net::amqp_link*>(publisher_.get()),
                     static_cast<net::amqp_link*>(consumer_.get())})
    link->watch([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->update_health();
    });
}

// ---- health -------------------------------------------------------------------------------------

namespace {

link_state state_of(const net::amqp_link& link) {
  if (link.is_shut()) return link_state::closed;
  if (link.is_open()) return link_state::connected;
  if (link.is_idle()) return link_state::idle;
  const auto& why = link.last_failure();
  return why && net::is_verdict(why->code()) ? link_state::refused : link_state::connecting;
}

}  // namespace

void engine::update_health() {
  transport_health now{state_of(*publisher_), state_of(*consumer_), publisher_->broker_name(), {}};
  if (now.broker.empty()) now.broker = consumer_->broker_name();
  for (const net::amqp_link* link : {static_cast<net::amqp_link*>(consumer_.get()),
                                     static_cast<net::amqp_link*>(publisher_.get())})
    if (!link->is_open() && link->last_failure()) now.reason = link->last_failure()->message();
  if (now.publishing == link_state::connected && publisher_->is_blocked()) {
    now.publishing = link_state::blocked;
    now.reason = publisher_->blocked_reason();
  }
  if (now.publishing != link_state::connected || now.consuming != link_state::connected)
    deaf_ = false;  // what is wrong has a better name
  if (deaf_) {
    now.deaf = true;
    now.reason = "A probe did not come back.";
  }
  {
    const std::lock_guard lock(health_mutex_);
    if (now == health_) return;
    health_ = now;
  }
  if (health_changed_) health_changed_(now);
}

void engine::set_deaf(bool deaf) {
  deaf_ = deaf;
  update_health();
}

transport_health engine::health() const {
  const std::lock_guard lock(health_mutex_);
  return health_;
}

void engine::watch_health(unique_function<void(const transport_health&)> changed) {
  health_changed_ = std::move(changed);
}

void engine::later(milliseconds pause, unique_function<void()> work) {
  loop_->run_at(loop_->now() + pause, [weak = weak_from_this(), work = std::move(work)]() mutable {
    if (const auto self = weak.lock()) work();
  });
}

void engine::complete(send_completion done, result<messaging::reply> r) {
  if (!sending_) return call_guarded(*loop_, done, std::move(r));
  loop_->post([done = std::move(done), r = std::move(r)]() mutable { done(std::move(r)); });
}

// ---- casts --------------------------------------------------------------------------------------

void engine::send(destination to, std::string body, std::vector<message_header> headers,
                  send_options o, send_completion done) {
  const raised_flag sending(sending_);
  auto p = std::make_shared<publication>();
  p->to = std::move(to);
  p->body = std::move(body);
  p->headers = std::move(headers);
  p->mandatory = o.at_least_once || o.keep;
  p->fail_fast = o.fail_fast;
  p->retry = o.retry;

  using stop_callback = std::stop_callback<unique_function<void()>>;
  struct waiter {
    send_completion done;
    scheduler::timer_id timer = scheduler::timer_id::none;
    std::unique_ptr<stop_callback> on_cancel;
  };
  auto w = std::make_shared<waiter>();
  w->done = std::move(done);
  p->done = [self = shared_from_this(), w](result<void> r) {
    self->loop_->cancel(w->timer);
    w->on_cancel.reset();  // it refers to `w`
    if (r.has_error()) return self->complete(std::move(w->done), r.error());
    self->complete(std::move(w->done), messaging::reply{});
  };
  const auto give_up = [weak = weak_from_this(), p, w](failure why) {
    const auto self = weak.lock();
    if (!self || !w->done) return;
    self->publisher_->abandon(*p);
    self->loop_->cancel(w->timer);
    w->on_cancel.reset();
    self->complete(std::move(w->done),
                   p->ever_written && why.code() == errc::cancelled
                       ? failure(errc::outcome_unknown, why.message() + " It was sent already.")
                       : std::move(why));
  };
  const auto deadline = o.timeout ? deadline_after(loop_->now(), *o.timeout) : std::nullopt;
  if (deadline)
    w->timer = loop_->run_at(*deadline, [give_up, p, weak = weak_from_this(), limit = *o.timeout] {
      const auto self = weak.lock();
      if (!self) return;
      const bool blocked = self->publisher_->is_blocked();
      const auto& last = self->publisher_->last_failure();
      const char* stage = blocked           ? "blocked"
                          : p->ever_written ? "sent"
                          : last            ? "connecting"
                                            : "queued";
      give_up(failure(errc::timed_out,
                      "The broker did not confirm the message for " + p->to.text() + " within " +
                          std::to_string(limit.count()) + " ms" +
                          (blocked ? ": it has blocked the connection."
                           : last  ? ": " + last->message() + "."
                                   : "."),
                      {stage, p->to.text(), {}, self->publisher_->broker_name(), limit}));
    });
  if (o.cancel.stop_possible())
    w->on_cancel = std::make_unique<stop_callback>(
        o.cancel, unique_function<void()>([loop = loop_, give_up] {
          loop->post([give_up] { give_up({errc::cancelled, "The caller cancelled the send."}); });
        }));
  if (closed_)
    p->done(failure(errc::closed, "The transport is closed."));
  else
    publisher_->publish(p);
}

// ---- calls --------------------------------------------------------------------------------------

void engine::call(destination to, outgoing_message m, send_options o, send_completion done) {
  auto p = std::make_shared<publication>();
  p->to = std::move(to);
  std::optional<std::int64_t> monitor;
  if (o.call_monitor_timeout) monitor = o.call_monitor_timeout->count();
  begin_call(std::move(p), std::move(o), std::move(done), [&](std::string& body, auto id) {
    wire::write_request(body, m.body, m.ctxt, {id, reply_queue_, monitor, unique_digits()});
  });
}

/// A call whose server is our own reply queue: the message that comes back is its reply.
void engine::probe(milliseconds limit,
                   unique_function<void(result<std::chrono::microseconds>)> done) {
  send_options o;
  o.timeout = limit;
  const auto p = std::make_shared<publication>();
  auto finish = [self = shared_from_this(), since = loop_->now(),
                 done = std::move(done)](result<messaging::reply> r) mutable {
    if (r.has_error()) {
      if (r.error().code() == errc::timed_out) self->set_deaf(true);
      return done(r.error());
    }
    done(std::chrono::duration_cast<std::chrono::microseconds>(self->loop_->now() - since));
  };
  begin_call(p, std::move(o), std::move(finish), [&](std::string& body, auto id) {
    p->to = reply_destination(reply_queue_);
    wire::write_reply(body, {}, id, unique_digits());
  });
}

template <class Write>
void engine::begin_call(publication_ptr p, send_options o, send_completion done, Write write) {
  const raised_flag sending(sending_);
  if (closed_) return complete(std::move(done), failure(errc::closed, "The transport is closed."));

  const auto now = loop_->now();
  p->awaited = o.at_least_once;
  p->mandatory = true;  // so that a timeout can say that nobody listens, and a restart is survived
  p->fail_fast = o.fail_fast;
  p->retry = o.retry;
  std::optional<clock::time_point> deadline;
  if (o.timeout) {
    deadline = deadline_after(now, *o.timeout);
    p->expires = deadline;
    p->lifetime = *o.timeout;
  }
  ensure_reply_queue();
  if (!reply_subscription_)  // refused at once: the broker's verdict has not changed
    return complete(std::move(done), *consumer_->last_failure());

  pending_call entry{std::move(done), p, o.at_least_once, {}, nullptr};
  if (calls_.size() >= calls_.capacity() ||
      awaiting_reply_queue_.size() >= max_awaiting_reply_queue)
    return complete(std::move(entry.done),
                    failure(errc::limit_exceeded, "Too many calls are waiting for replies."));
  const auto id = calls_.add(std::move(entry), now, deadline, o.call_monitor_timeout);
  try {
    write(p->body, id.view());
  } catch (const messaging_error& e) {
    return fail_call(id.view(), e.failure());
  }
  p->done = [weak = weak_from_this(), id](result<void> r) {
    if (const auto self = weak.lock()) self->call_published(id, std::move(r));
  };
  if (o.cancel.stop_possible()) {
    auto on_cancel = unique_function<void()>([weak = weak_from_this(), loop = loop_, id]() mutable {
      loop->post([weak, id] {
        if (const auto self = weak.lock())
          self->fail_call(id.view(), {errc::cancelled, "The caller cancelled the call."});
      });
    });
    auto callback = std::make_unique<std::stop_callback<unique_function<void()>>>(
        o.cancel, std::move(on_cancel));
    if (auto* call = calls_.find(id.view())) call->on_cancel = std::move(callback);
  }
  if (reply_subscription_->is_ready())
    publisher_->publish(p);
  else
    awaiting_reply_queue_.push_back(p);
  arm_call_timer();
}

void engine::ensure_reply_queue() {
  if (reply_subscription_) return;
  const auto unique = unique_id();
  reply_queue_ = "reply_" + unique;
  reply_subscription_ = std::make_shared<reply_subscription>(*this, unique);
  publisher_->open();
  consumer_->add(reply_subscription_);
}

void engine::reply_queue_ready() {
  for (const auto& p : std::exchange(awaiting_reply_queue_, {})) publisher_->publish(p);
}

/// Without a reply queue no call can succeed: they fail now, and the next call tries again.
void engine::reply_queue_refused(const failure& why) {
  const auto s = std::exchange(reply_subscription_, nullptr);
  loop_->post([self = shared_from_this(), s] { self->consumer_->remove(s); });
  for (const auto& p : std::exchange(awaiting_reply_queue_, {}))
    if (p->done) std::exchange(p->done, nullptr)(why);
}

void engine::reply_queue_unreachable(const failure& why) {
  auto waiting = std::exchange(awaiting_reply_queue_, {});
  for (auto& p : waiting) {
    if (p->at == publication::stage::abandoned) continue;
    ++p->failed_attempts;
    if (p->fail_fast)
      std::exchange(p->done, nullptr)(failure(errc::not_sent, "Not connected: " + why.message()));
    else if (p->retry >= 0 && p->failed_attempts > p->retry)
      std::exchange(p->done, nullptr)(failure(
          errc::unreachable, "Unable to connect to AMQP server on " + consumer_->broker_name() +
                                 " after " + std::to_string(p->failed_attempts) +
                                 " tries: " + why.message()));
    else
      awaiting_reply_queue_.push_back(std::move(p));
  }
}

void engine::acknowledge_replies_later() {
  if (std::exchange(reply_acks_due_, true)) return;
  later(reply_ack_delay, [this] {
    reply_acks_due_ = false;
    if (reply_subscription_) reply_subscription_->acknowledge();
  });
}

void engine::call_published(const protocol::call_id& id, result<void> r) {
  if (r.has_value()) {
    calls_.advance(id.view(), protocol::call_stage::confirmed);
    return;
  }
  auto* call = calls_.find(id.view());
  if (call == nullptr) return;
  if (r.error().code() != errc::undeliverable || call->at_least_once)
    return fail_call(id.view(), r.error());
  // Nobody listens yet, or not again since the broker came back: try until the caller's deadline.
  const auto p = call->sent;
  p->at = publication::stage::waiting;
  p->done = [weak = weak_from_this(), id](result<void> again) {
    if (const auto self = weak.lock()) self->call_published(id, std::move(again));
  };
  later(returned_pause, [this, p] {
    if (p->at == publication::stage::waiting) publisher_->publish(p);
  });
}

void engine::on_reply(const amqp091::delivery& d) {
  if (deaf_) set_deaf(false);
  auto read = wire::read_reply(d.body);
  if (read.has_error()) {
    env_.log(log_level::error,
             "A reply on " + reply_queue_ + " is dropped: " + read.error().message());
    count("rpc_client_malformed_replies_total");
    return;
  }
  auto& r = *read;
  if (r.is_heartbeat()) {
    calls_.heartbeat(r.msg_id, loop_->now());
    return;
  }
  auto* call = calls_.find(r.msg_id);
  if (call == nullptr) {
    env_.log(log_level::info, "No call waits for the reply to message ID " + r.msg_id + ".");
    count("rpc_client_late_replies_total");
    return;
  }
  if (!r.ending && !r.failure) {
    call->early_result = std::move(r.result);
    return;
  }
  auto entry = *calls_.take(r.msg_id);
  if (r.failure) return resolve(std::move(entry), failure(std::move(*r.failure)));
  if (r.result == "null" && !entry.early_result.empty()) r.result = std::move(entry.early_result);
  resolve(std::move(entry), messaging::reply{std::move(r.result)});
}

void engine::resolve(pending_call call, result<messaging::reply> r) {
  call.on_cancel.reset();
  publisher_->abandon(*call.sent);
  complete(std::move(call.done), std::move(r));
}

void engine::fail_call(std::string_view id, const failure& why) {
  if (auto call = calls_.take(id)) resolve(std::move(*call), why);
}

failure engine::timeout_failure(const protocol::call_tracker<pending_call>::expired_call& c) const {
  const auto& p = *c.payload.sent;
  const auto elapsed = std::chrono::duration_cast<milliseconds>(c.elapsed);
  std::string text = "Timed out waiting for a reply to message ID " + c.id.str() + " from " +
                     p.to.text() + " after " + std::to_string(elapsed.count()) + " ms: ";
  std::string stage;
  const auto& link = reply_subscription_ && reply_subscription_->is_ready()
                         ? publisher_->last_failure()
                         : consumer_->last_failure();
  if (c.limit == protocol::call_limit::monitor) {
    stage = "monitor";
    text += "the server sent no heartbeat in time.";
  } else if (p.returned) {
    stage = "returned";
    text += "no queue is bound there.";
  } else if (c.stage == protocol::call_stage::confirmed) {
    stage = "confirmed";
    text += "the broker has the request, no server answered.";
  } else if (publisher_->is_blocked()) {
    stage = "blocked";
    text += "the broker has blocked the connection.";
  } else if (p.ever_written) {
    stage = "sent";
    text += "the request was sent but not confirmed.";
  } else {
    text += "the request was not sent";
    if (link)
      text += ", " + link->message();
    else if (!publisher_->is_open())
      text += ", still connecting to " + publisher_->broker_name();
    stage = link || !publisher_->is_open() ? "connecting" : "queued";
    text += ".";
  }
  return {errc::timed_out,
          std::move(text),
          {stage, p.to.text(), c.id.str(), publisher_->broker_name(), elapsed}};
}

void engine::expire_calls() {
  call_timer_at_ = clock::time_point::max();
  const auto now = loop_->now();
  while (auto expired = calls_.next_expired(now)) {
    const auto why = timeout_failure(*expired);
    resolve(std::move(expired->payload), why);
  }
  arm_call_timer();
}

/// Most calls end long before their deadline, so the timer is only ever moved forward in time.
void engine::arm_call_timer() {
  const auto next = calls_.next_deadline();
  if (!next || *next >= call_timer_at_) return;
  loop_->cancel(call_timer_);
  call_timer_at_ = *next;
  call_timer_ = loop_->run_at(*next, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->expire_calls();
  });
}

// ---- end ----------------------------------------------------------------------------------------

void engine::close(milliseconds limit, unique_function<void()> done) {
  if (std::exchange(closed_, true)) {
    loop_->post(std::move(done));
    return;
  }
  const failure why(errc::closed, "The transport was closed.");
  loop_->cancel(call_timer_);
  awaiting_reply_queue_.clear();
  answers_->close();
  for (auto& call : calls_.take_all()) resolve(std::move(call.payload), why);

  // What the broker has not confirmed yet (the last replies of a server) gets the time to be; both
  // connections then end with a round trip, without which the broker may drop what it just read.
  const auto deadline = loop_->now() + limit;
  auto finish = [self = shared_from_this(), deadline, done = std::move(done)]() mutable {
    self->publisher_->fail_all({errc::closed, "The transport was closed."});
    self->consumer_->remove_all();
    const auto left = std::max(
        milliseconds(1), std::chrono::duration_cast<milliseconds>(deadline - self->loop_->now()));
    self->consumer_->shut(left, [self, deadline, done = std::move(done)]() mutable {
      const auto rest = std::max(
          milliseconds(1), std::chrono::duration_cast<milliseconds>(deadline - self->loop_->now()));
      self->publisher_->shut(rest, [self, done = std::move(done)]() mutable {
        // Replies that handlers gave while the connections ended.
        self->publisher_->fail_all({errc::closed, "The transport was closed."});
        self->reply_subscription_ = nullptr;
        done();
      });
    });
  };
  if (!publisher_->is_open()) return finish();
  auto once = std::make_shared<unique_function<void()>>(std::move(finish));
  const auto run_once = [once] {
    if (*once) std::exchange(*once, nullptr)();
  };
  const auto timer = loop_->run_at(deadline, run_once);
  publisher_->when_idle([self = shared_from_this(), timer, run_once] {
    self->loop_->cancel(timer);
    run_once();
  });
}

}  // namespace oslo::messaging::rabbit
