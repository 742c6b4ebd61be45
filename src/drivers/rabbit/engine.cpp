#include "drivers/rabbit/engine.hpp"

#include <algorithm>

#include "core/saturating.hpp"
#include "core/send_stage.hpp"
#include "core/tasks/guarded.hpp"
#include "core/unique_id.hpp"
#include "wire/compression.hpp"
#include "wire/reply.hpp"
#include "wire/request.hpp"

namespace oslo::messaging::rabbit {
namespace {

using std::chrono::milliseconds;
using stage = pending_send::stage;

constexpr std::size_t most_pending = std::size_t{1} << 20;
/// Longer than any deadline, and far from overflow.
constexpr milliseconds longest_close = std::chrono::hours(24);
constexpr milliseconds for_ever = std::chrono::hours(24 * 3650);

net::link_settings for_purpose(net::link_settings s, const char* purpose) {
  s.purpose = purpose;
  auto name = s.amqp.client_properties.find("connection_name");
  if (name != nullptr && name->as_string() != nullptr)
    s.amqp.client_properties.set("connection_name", *name->as_string() + ":" + purpose);
  return s;
}

/// A queue that was declared to refuse what it has no room for does so until somebody reads it.
bool refuses_for_good(const destination& to) {
  const auto* rule = to.ensure_queue ? to.ensure_queue->arguments.find("x-overflow") : nullptr;
  return rule != nullptr && rule->as_string() != nullptr && *rule->as_string() == "reject-publish";
}

}  // namespace

engine::engine(options o, driver_environment env, std::shared_ptr<net::asio_loop> loop)
    : options_(std::move(o)),
      env_(std::move(env)),
      loop_(std::move(loop)),
      sends_(random_bits(), most_pending),
      namer_(options_.names, env_.log) {}

void engine::start() {
  const auto link = [this](const char* purpose) {
    auto l = std::make_shared<net::amqp_link>(loop_->executor(),
                                              for_purpose(options_.link, purpose), env_.log);
    l->watch([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->health_->update();
    });
    return l;
  };
  publish_link_ = link("publish");
  consume_link_ = link("consume");
  publisher_ = std::make_unique<publisher>(*publish_link_, static_cast<send_owner&>(*this));
  health_ = std::make_unique<connection_health>(*publish_link_, *consume_link_, *publisher_);
  consumer_ =
      std::make_unique<rabbit::consumer>(*consume_link_, static_cast<consumer_owner&>(*this));
  publish_link_->serve(*publisher_);
  consume_link_->serve(*consumer_);
  publisher_->watch_readers(options_.notifications.reader_check);
  replies_ = std::make_shared<rabbit::reply_sender>(*this);
}

// ---- sends --------------------------------------------------------------------------------------

bool engine::enroll(const send_ptr& s, send_options o) {
  const auto now = loop_->now();
  s->begun = now;
  std::optional<failure> no;
  if (closed_)
    no = failure(errc::closed, "The transport is closed.");
  else if (sends_.size() >= sends_.capacity())
    no = failure(errc::limit_exceeded,
                 std::to_string(sends_.size()) + " messages and calls are pending.");
  if (no) {
    complete(std::move(s->done), std::move(*no));
    return false;
  }
  const auto deadline = o.timeout ? deadline_after(now, *o.timeout) : std::nullopt;
  if (s->wants_reply && deadline) {
    s->expires = deadline;
    s->lifetime = *o.timeout;
  }
  std::optional<clock::duration> monitor;
  if (o.call_monitor_timeout) monitor = std::min(for_ever, *o.call_monitor_timeout);
  s->id = sends_.add(send_ptr(s), now, deadline, monitor);
  if (o.cancel.stop_possible())
    s->on_cancel = std::make_unique<std::stop_callback<unique_function<void()>>>(
        o.cancel, unique_function<void()>(
                      [weak = weak_from_this(), loop = loop_, send = std::weak_ptr(s)]() mutable {
                        loop->post([weak, send] {
                          const auto self = weak.lock();
                          if (const auto pending = send.lock(); self && pending)
                            self->cancel(*pending);
                        });
                      }));
  if (const auto next = sends_.next_deadline()) wake_at(*next);
  return true;
}

template <class Write>
void engine::publish(const send_ptr& s, Write write) {
  if (!s->done) return;  // it has ended while it waited for a name
  if (s->needs_reply_queue && reply_refusal_) return conclude(*s, *reply_refusal_);
  try {
    write(s->body, s->id->view());
    compress(*s);
  } catch (const messaging_error& e) {
    return conclude(*s, e.failure());
  }
  publisher_->publish(s);
}

/// On the loop, where the id of a call is known. What is too long for a message stays too long.
void engine::compress(pending_send& s) const {
  const auto codec = options_.compression;
  if (!codec || s.body.size() > options_.link.amqp.max_body) return;
  s.body = wire::compress(*codec, s.body);
  s.headers.push_back(
      {std::string(wire::compression_header), std::string(wire::header_value(*codec))});
}

void engine::call(destination to, outgoing_message m, send_options o, send_completion done) {
  const auto s = std::make_shared<pending_send>();
  s->to = std::move(to);
  s->done = std::move(done);
  s->wants_reply = s->needs_reply_queue = true;
  s->awaited = o.at_least_once;
  s->mandatory = true;  // so that a timeout can say that nobody listens, and a restart is survived
  s->retry = o.retry;
  if (!o.at_least_once) s->patience_returned = for_ever;
  s->patience_refused = for_ever;
  const auto monitor = o.call_monitor_timeout;
  ensure_reply_queue();
  const raised_flag sending(sending_);
  if (!enroll(s, std::move(o))) return;
  if (!naming_) return publish_call(s, m, monitor);
  unnamed_.push_back([this, s, m = std::move(m), monitor] { publish_call(s, m, monitor); });
}

void engine::publish_call(const send_ptr& s, const outgoing_message& m,
                          std::optional<milliseconds> monitor) {
  publish(s, [&](std::string& body, auto id) {
    wire::write_request(body, m.body, m.ctxt, {id, reply_queue_, monitor, unique_digits()});
  });
}

/// A call whose server is our own reply queue: the message that comes back is its reply.
void engine::probe(milliseconds limit,
                   unique_function<void(result<std::chrono::microseconds>)> done) {
  const auto s = std::make_shared<pending_send>();
  s->wants_reply = s->needs_reply_queue = s->mandatory = true;
  s->awaited = false;
  s->patience_returned = s->patience_refused = for_ever;
  s->done = [self = shared_from_this(), since = loop_->now(),
             done = std::move(done)](result<messaging::reply> r) mutable {
    if (r.has_error()) {
      if (r.error().code() == errc::timed_out) self->health_->set_deaf(true);
      return done(r.error());
    }
    done(std::chrono::duration_cast<std::chrono::microseconds>(self->loop_->now() - since));
  };
  ensure_reply_queue();
  send_options o;
  o.timeout = limit;
  const raised_flag sending(sending_);
  if (!enroll(s, std::move(o))) return;
  auto go = [this, s] {
    s->to = reply_destination(reply_queue_);
    publish(s,
            [](std::string& body, auto id) { wire::write_reply(body, {}, id, unique_digits()); });
  };
  if (!naming_) return go();
  unnamed_.push_back(std::move(go));
}

void engine::name_queue(queue_namer::completion done) {
  namer_.name(std::move(done), loop_->now());
  wake_at(namer_.next_deadline());
}

void engine::send(destination to, std::string body, std::vector<message_header> headers,
                  send_options o, send_completion done) {
  const auto s = std::make_shared<pending_send>();
  s->to = std::move(to);
  s->headers = std::move(headers);
  s->done = std::move(done);
  s->mandatory = o.at_least_once || o.keep;
  s->retry = o.retry;
  if (!refuses_for_good(s->to))
    s->patience_refused = o.timeout ? for_ever : publisher::confirm_limit;
  begin(s, std::move(o), [&](std::string& to_body, auto) { to_body = std::move(body); });
}

void engine::send(send_ptr s) {
  begin(s, {}, [](std::string&, auto) {});
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
                    s.to.text(),
                    {},
                    {},
                    {}}));
}

void engine::complete(send_completion done, result<messaging::reply> r) {
  if (!sending_) return call_guarded(*loop_, done, std::move(r));
  loop_->post([done = std::move(done), r = std::move(r)]() mutable { done(std::move(r)); });
}

failure engine::timeout_failure(const pending_send& s, protocol::call_limit limit,
                                clock::duration elapsed) const {
  const auto ms = std::chrono::duration_cast<milliseconds>(elapsed);
  const auto id = s.wants_reply ? s.id->str() : std::string();
  std::string text = (s.wants_reply ? "Timed out waiting for a reply to message ID " + id + " from "
                                    : std::string("The broker did not confirm the message for ")) +
                     s.to.text() + " after " + std::to_string(ms.count()) + " ms: ";
  const auto& link = s.needs_reply_queue && !has_reply_queue() ? *consume_link_ : *publish_link_;
  auto at = send_stage::queued;
  if (limit == protocol::call_limit::monitor) {
    at = send_stage::monitor;
    text += "the server sent no heartbeat in time.";
  } else if (s.in_doubt || s.suspect) {
    at = send_stage::sent;
    text += "it was sent once and never confirmed, and could not be sent again.";
  } else if (s.returned) {
    at = send_stage::returned;
    text += "no queue is bound there.";
  } else if (s.at == stage::confirmed) {
    at = send_stage::confirmed;
    text += "the broker has the request, no server answered.";
  } else if (publish_link_->is_blocked()) {
    at = send_stage::blocked;
    text += "the broker has blocked the connection.";
  } else if (s.at == stage::pausing) {
    at = send_stage::refused;
    text += "the broker refused the message each time.";
  } else if (s.was_written) {
    at = send_stage::sent;
    text += "it was sent but not confirmed.";
  } else {
    text += "it was not sent";
    if (!link.is_open()) {
      at = send_stage::connecting;
      text += link.last_failure()          ? ", " + link.last_failure()->message()
              : link.broker_name().empty() ? ", not connected yet"
                                           : ", still connecting to " + link.broker_name();
    }
    text += text.ends_with('.') ? "" : ".";
  }
  // A call has no reply; of anything else it is not known whether it has arrived.
  const auto code =
      !s.wants_reply && s.may_have_arrived() ? errc::outcome_unknown : errc::timed_out;
  return {
      code, std::move(text), {std::string(to_string(at)), s.to.text(), id, link.broker_name(), ms}};
}

// ---- time ---------------------------------------------------------------------------------------

/// Most deadlines are never reached, so the timer is only ever moved forward in time.
void engine::wake_at(clock::time_point when) {
  if (when >= timer_at_) return;
  loop_->cancel(timer_);
  timer_at_ = when;
  timer_ = loop_->run_at(when, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->tick();
  });
}

void engine::tick() {
  timer_at_ = clock::time_point::max();
  const auto now = loop_->now();
  while (auto expired = sends_.next_expired(now)) {
    auto& s = *expired->payload;
    conclude(s, timeout_failure(s, expired->limit, expired->elapsed));
  }
  publisher_->on_tick(now);
  consumer_->on_tick(now);
  namer_.on_tick(now);
  auto next =
      std::min({publisher_->next_deadline(), consumer_->next_deadline(), namer_.next_deadline()});
  if (const auto deadline = sends_.next_deadline()) next = std::min(next, *deadline);
  if (next != clock::time_point::max()) wake_at(next);
}

// ---- end ----------------------------------------------------------------------------------------

void engine::close(milliseconds limit, unique_function<void()> done) {
  if (gone_) return loop_->post(std::move(done));
  closers_.push_back(std::move(done));
  if (std::exchange(closed_, true)) return;
  limit = std::clamp(limit, milliseconds(0), longest_close);
  const failure why(errc::closed, "The transport was closed.");
  for (const auto& pending : sends_.take_all())
    if (pending.payload->wants_reply) conclude(*pending.payload, why);
  unnamed_.clear();
  namer_.give_up();

  // What the broker has not confirmed yet (the last replies of a server) gets the time to be; both
  // connections then end with a round trip, without which the broker may drop what it just read.
  const auto deadline = loop_->now() + limit;
  const auto left = [this, deadline] {
    return std::max(milliseconds(1),
                    std::chrono::duration_cast<milliseconds>(deadline - loop_->now()));
  };
  auto finish = [self = shared_from_this(), why, left]() mutable {
    self->publisher_->fail_all(why);
    self->consumer_->remove_all();
    self->consume_link_->shut(left(), [self, why, left] {
      self->publish_link_->shut(left(), [self, why] {
        // Replies that handlers gave while the connections ended.
        self->publisher_->fail_all(why);
        self->reply_channel_ = nullptr;
        self->loop_->cancel(self->timer_);
        self->gone_ = true;
        for (auto& closed : std::exchange(self->closers_, {}))
          if (closed) closed();
      });
    });
  };
  if (!publish_link_->is_open()) return finish();
  auto once = std::make_shared<unique_function<void()>>(std::move(finish));
  const auto run_once = [once] {
    if (*once) std::exchange(*once, nullptr)();
  };
  const auto timer = loop_->run_at(deadline, run_once);
  publisher_->drain(why, [self = shared_from_this(), timer, run_once] {
    self->loop_->cancel(timer);
    run_once();
  });
}

}  // namespace oslo::messaging::rabbit
