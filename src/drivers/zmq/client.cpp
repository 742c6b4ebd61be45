#include "drivers/zmq/client.hpp"

#include <algorithm>
#include <utility>

#include "core/saturating.hpp"
#include "core/send_stage.hpp"
#include "core/tasks/guarded.hpp"
#include "core/unique_id.hpp"
#include "wire/reply.hpp"
#include "wire/request.hpp"

namespace oslo::messaging::zmq {
namespace {

using namespace std::chrono_literals;
using service = subscription::service;

constexpr std::size_t most_pending = 1'000'000;
/// Longer than libzmq waits before it connects again.
constexpr auto between_questions = 500ms;
constexpr std::chrono::milliseconds longest_monitor = std::chrono::hours(366 * 24);

failure closed_failure() {
  return {errc::closed, "The transport was closed."};
}

std::string routing_key(const route& r) {
  return r.server.empty() ? r.topic : r.topic + '.' + r.server;
}

bool matches(const route& r, const peer& p, const lane& l) {
  const auto& s = l.what;
  if (!r.exact_endpoint.empty())
    return p.where().endpoint == r.exact_endpoint && s.id == r.exact_id;
  if (!p.where().own)  // they know topics only
    return r.of == service::rpc && s.topic == r.topic && s.server == r.server;
  return s.of == r.of && s.topic == r.topic && s.exchange == r.exchange &&
         (r.of == service::rpc ? r.server.empty() || s.server == r.server : s.pool == r.pool);
}

}  // namespace

client::client(context_ptr c, matchmaker& who)
    : context_(std::move(c)),
      matchmaker_(who),
      id_(unique_id()),
      reply_q_("reply_" + id_),
      pending_(random_bits(), most_pending) {}

// ---- sending ------------------------------------------------------------------------------------

void client::send(service of, target to, outgoing_message m, notification_format f, send_options o,
                  send_completion done) {
  const auto refuse = [&](failure why) {
    context_->loop->post([done = std::move(done), why = std::move(why)]() mutable { done(why); });
  };
  if (closed_) return refuse(closed_failure());
  const std::size_t bytes = m.body.size();
  if (messages_ >= most_messages || bytes_ + bytes > most_bytes)
    return refuse({errc::limit_exceeded,
                   "Too much waits for servers of zmq://: " + std::to_string(messages_) +
                       " messages of together " + std::to_string(bytes_) + " bytes."});
  if (bytes > static_cast<std::size_t>(largest_message) - 1024)
    return refuse({errc::limit_exceeded,
                   "A message may have at most " + std::to_string(largest_message) + " bytes."});
  const auto now = context_->loop->now();
  std::optional<scheduler::time_point> deadline;
  if (o.timeout) deadline = deadline_after(now, *o.timeout);
  std::optional<scheduler::clock::duration> monitor;
  if (o.call_monitor_timeout && o.wait_for_reply)
    monitor = std::min(*o.call_monitor_timeout, longest_monitor);

  auto what = std::make_shared<content>();
  what->of = of;
  what->inner = std::move(m.body);
  what->ctxt = std::move(m.ctxt);
  what->headers = std::move(m.headers);
  what->format = f;
  what->unique_id = std::string(std::string_view(unique_digits()));
  if (o.wait_for_reply) what->monitor = o.call_monitor_timeout;
  const std::string exchange = context_->exchange_of(to);
  const std::string server = to.server.value_or("");
  auto r = route_to({.of = of,
                     .exchange = exchange,
                     .topic = *to.topic,
                     .server = of == service::rpc && !to.fanout ? server : std::string()});

  pending p{std::move(done), o.wait_for_reply};
  p.destination = exchange + "/" + routing_key(*r);
  p.to = r;
  p.order = ++orders_;
  const auto order = p.order;
  if (pending_.size() >= pending_.capacity()) {
    done = std::move(p.done);
    return refuse({errc::limit_exceeded, "Too many calls wait for their reply."});
  }
  const auto id = pending_.add(std::move(p), now, deadline, monitor);
  if (o.wait_for_reply) what->call_id = id.str();
  if (o.cancel.stop_possible()) {
    auto on_cancel = std::make_unique<std::stop_callback<post_cancel>>(
        std::move(o.cancel), post_cancel{weak_from_this(), id});
    if (auto* known = pending_.find(id.view())) known->on_cancel = std::move(on_cancel);
  }
  if (tick_ == scheduler::timer_id::none) tick();
  if (deadline && *deadline <= now) {
    expire();
    return;
  }
  arm();

  const bool many = to.fanout || of == service::notification;
  auto& v = view_of(*to.topic, r->server);
  if (many) {
    ask(v, true,
        [this, of, exchange, topic = *to.topic, what = std::move(what), key = id.str(), deadline] {
          if (pending_.find(key) != nullptr) spread(of, exchange, topic, what, key, deadline);
        });
    return;
  }
  refresh_candidates(*r);
  if (o.at_least_once && r->candidates.empty()) {
    ask_for_one(std::move(r), std::move(what), id.str(), deadline, order, false);
    return;
  }
  if (r->candidates.empty() && v.ended == v.begun) look_up(v);
  enqueue(std::move(r), std::move(what), id.str(), deadline, order);
}

/// Sends to whoever there is, or says that nobody is. A server that has just come may not be
/// connected at once: when some are not, that is asked a second time.
void client::ask_for_one(std::shared_ptr<route> r, std::shared_ptr<content> what, std::string key,
                         std::optional<scheduler::time_point> deadline, std::uint64_t order,
                         bool again) {
  auto& v = view_of(r->topic, r->server);
  ask(v, true,
      [this, r = std::move(r), what = std::move(what), key = std::move(key), deadline, order,
       again]() mutable {
        refresh_candidates(*r);
        if (!r->candidates.empty())
          return enqueue(std::move(r), std::move(what), key, deadline, order);
        const bool sure = std::all_of(peers_.begin(), peers_.end(),
                                      [](const auto& p) { return p.second->is_up(); });
        if (!sure && !again) {
          context_->loop->run_at(context_->loop->now() + between_questions,
                                 [weak = weak_from_this(), r = std::move(r), what = std::move(what),
                                  key = std::move(key), deadline, order]() mutable {
                                   if (const auto self = weak.lock(); self && !self->closed_)
                                     self->ask_for_one(std::move(r), std::move(what),
                                                       std::move(key), deadline, order, true);
                                 });
          return;
        }
        auto none = pending_.take(key);
        if (!none) return;
        failure_detail detail;
        detail.stage = to_string(send_stage::returned);
        detail.destination = none->destination;
        detail.message_id = key;
        end(std::move(*none),
            failure(errc::undeliverable, "No server listens on topic " + r->topic + ".",
                    std::move(detail))
                .about({.exchange = r->exchange, .routing_key = routing_key(*r)}));
      });
}

void client::post_cancel::operator()() const {
  const auto self = owner.lock();
  if (!self) return;
  self->context_->loop->post([self, key = id] {
    if (auto p = self->pending_.take(key)) {
      if (const auto c = p->last.lock(); c && c->on != nullptr) c->on->to->drop(c->id);
      self->end(std::move(*p),
                failure(errc::cancelled, "The call was cancelled while it waited for a reply."));
    }
  });
}

void client::end(pending&& p, result<reply> r) {
  context_->loop->post(
      [done = std::move(p.done), r = std::move(r)]() mutable { done(std::move(r)); });
}

void client::enqueue(std::shared_ptr<route> to, std::shared_ptr<content> what,
                     const std::string& key, std::optional<scheduler::time_point> deadline,
                     std::uint64_t order) {
  auto* const p = pending_.find(key);
  if (p == nullptr) return;
  auto c = std::make_shared<copy>();
  c->order = order;
  c->id = what->call_id.empty() ? unique_id() : what->call_id;
  c->pending = key;
  c->bytes = what->inner.size();
  c->what = std::move(what);
  c->to = to;
  c->deadline = deadline;
  ++messages_;
  bytes_ += c->bytes;
  ++p->copies;
  p->last = c;
  to->waiting.emplace(order, std::move(c));
  auto& r = *to;
  busy_routes_.insert(std::move(to));
  if (r.waiting.size() == 1) pump(r);
}

/// One copy to each listener of a fanout; of a notification to one of each pool, and to each old
/// peer.
void client::spread(service of, const std::string& exchange, const std::string& topic,
                    std::shared_ptr<content> what, const std::string& key,
                    std::optional<scheduler::time_point> deadline) {
  std::vector<std::shared_ptr<route>> all;
  std::set<std::string> pools;
  for (const auto& [endpoint, p] : peers_)
    for (const auto& l : p->lanes()) {
      const auto& s = l->what;
      if (s.topic != topic) continue;
      route r{.of = of, .exchange = exchange, .topic = topic};
      if (p->where().own) {
        if (s.of != of || s.exchange != exchange) continue;
        if (of == service::notification) {
          if (!pools.insert(s.pool).second) continue;
          r.pool = s.pool;
          all.push_back(route_to(std::move(r)));
          continue;
        }
      } else if (!s.server.empty()) {
        continue;
      }
      r.exact_endpoint = endpoint;
      r.exact_id = s.id;
      all.push_back(route_to(std::move(r)));
    }
  if (all.empty()) {  // nobody is there, and that is all, if it is known
    auto p = pending_.take(key);
    if (p && view_of(topic, {}).known) return end(std::move(*p), reply{});
    if (p)
      end(std::move(*p), failure(errc::unreachable, "It is not known where servers of topic " +
                                                        topic + " are. " + matchmaker_.trouble()));
    return;
  }
  auto* const p = pending_.find(key);
  if (p == nullptr) return;
  ++p->copies;  // until all of them are made
  for (auto& r : all) enqueue(std::move(r), what, key, deadline, ++orders_);
  finish_copy(key);
}

std::shared_ptr<route> client::route_to(route r) {
  std::string key(1, r.of == service::rpc ? 'r' : 'n');
  for (const auto& part : {r.exchange, r.topic, r.server, r.pool, r.exact_endpoint})
    key.append(part).append(1, '\0');
  key += std::to_string(r.exact_id);
  auto& known = routes_[key];
  if (auto there = known.lock()) return there;
  auto made = std::make_shared<route>(std::move(r));
  made->turn = orders_;  // a route lives for as long as something is on it
  known = made;
  return made;
}

void client::pump_soon() {
  if (closed_ || busy_routes_.empty() || std::exchange(pump_posted_, true)) return;
  context_->loop->post([self = shared_from_this()] {
    self->pump_posted_ = false;
    self->pump();
  });
}

void client::pump() {
  const std::vector<std::shared_ptr<route>> all(busy_routes_.begin(), busy_routes_.end());
  for (const auto& r : all) pump(*r);
}

void client::refresh_candidates(route& r) {
  if (r.candidates_of == world_) return;
  r.candidates_of = world_;
  r.candidates.clear();
  for (const auto& [endpoint, p] : peers_)
    for (const auto& l : p->lanes())
      if (matches(r, *p, *l)) r.candidates.push_back(l.get());
}

void client::pump(route& r) {
  refresh_candidates(r);
  if (!r.candidates.empty()) r.alone_since.reset();
  while (!r.waiting.empty() && !r.candidates.empty()) {
    const auto c = r.waiting.begin()->second;
    if (!still_wanted(*c)) {
      forget(*c);
      r.waiting.erase(r.waiting.begin());
      continue;
    }
    lane* best = nullptr;
    std::size_t at = 0;
    for (std::size_t i = 0; i < r.candidates.size(); ++i) {
      const std::size_t n = (r.turn + i) % r.candidates.size();
      auto* const l = r.candidates[n];
      if (l->takes() && (best == nullptr || l->in_flight < best->in_flight)) {
        best = l;
        at = n;
      }
    }
    if (best == nullptr) return;
    const auto world = world_;
    r.turn = at + 1;
    if (!send_copy(*best, c)) return;
    if (world == world_ && !r.waiting.empty() && r.waiting.begin()->second == c)
      r.waiting.erase(r.waiting.begin());
  }
  if (r.waiting.empty()) {
    for (auto at = busy_routes_.begin(); at != busy_routes_.end(); ++at)
      if (at->get() == &r) {
        busy_routes_.erase(at);
        break;
      }
  }
}

bool client::send_copy(lane& on, const copy_ptr& c) {
  auto& what = *c->what;
  try {
    if (!on.to->where().own) {
      const auto type = what.of == service::notification ? old_type::notification
                        : !what.call_id.empty()          ? old_type::call
                        : c->to->exact_endpoint.empty()  ? old_type::cast
                                                         : old_type::fanout;
      if (!on.to->send_old(type, c->id, write_old_request(what.inner, what.ctxt))) return false;
      forget(*c);  // they say nothing but the reply
      if (auto* p = pending_.find(c->pending); p != nullptr && p->is_call)
        p->at = on.to->await_reply();
      if (what.call_id.empty()) finish_copy(c->pending);
      return true;
    }
    if (what.own_body.empty()) {
      wire::request_keys keys{.unique_id = what.unique_id};
      if (!what.call_id.empty()) {
        keys.msg_id = what.call_id;
        keys.reply_q = reply_q_;
        keys.timeout = what.monitor;
      }
      if (what.of == service::rpc)
        wire::write_inner(what.own_body, what.inner, what.ctxt, keys);
      else
        wire::write_notification(what.own_body, what.inner, what.ctxt, what.unique_id, what.format);
    }
  } catch (const messaging_error& e) {
    forget(*c);
    if (auto p = pending_.take(c->pending)) end(std::move(*p), e.failure());
    return true;
  }
  request_head head{.subscription = on.what.id,
                    .turn = on.turn,
                    .tell_taken = what.call_id.empty(),
                    .again = c->again,
                    .requeues = c->requeues};
  head.headers = what.headers;
  if (!what.call_id.empty() && c->deadline)
    head.left = std::chrono::ceil<std::chrono::milliseconds>(
        std::max(*c->deadline - context_->loop->now(), scheduler::clock::duration::zero()));
  if (!on.to->send(on, c, what.own_body, write_request_head(head))) return false;
  if (auto* p = pending_.find(c->pending); p != nullptr && p->is_call) p->at = on.to->await_reply();
  return true;
}

// ---- what becomes of it -------------------------------------------------------------------------

/// Taken ones are wanted until they are acknowledged, whatever became of the sender.
bool client::still_wanted(const copy& c) {
  if (c.pending.empty()) return true;
  return pending_.find(c.pending) != nullptr;
}

void client::forget(const copy& c) {
  --messages_;
  bytes_ -= c.bytes;
}

void client::finish_copy(const std::string& key) {
  auto* const p = pending_.find(key);
  if (p == nullptr || p->is_call || --p->copies > 0) return;
  if (auto done = pending_.take(key)) end(std::move(*done), reply{});
}

void client::taken(const copy_ptr& c) {
  if (c->what->call_id.empty()) finish_copy(std::exchange(c->pending, {}));
}

void client::acknowledged(const copy_ptr& c) {
  forget(*c);
  if (c->pending.empty()) return;
  if (auto* p = pending_.find(c->pending)) p->begun = true;
  if (c->what->call_id.empty()) finish_copy(c->pending);
}

void client::put_back(copy_ptr c) {
  if (closed_ || !still_wanted(*c)) return forget(*c);
  auto to = c->to;
  to->waiting.emplace(c->order, std::move(c));
  busy_routes_.insert(std::move(to));
  pump_soon();
}

void client::answered(std::string_view call_id, bool old, std::string_view body) {
  auto* const p = pending_.find(call_id);
  if (p == nullptr || !p->is_call) return;
  result<reply> outcome = reply{};
  if (old) {
    outcome = read_old_reply(body);
  } else {
    auto r = wire::read_reply(body);
    if (!r) {
      outcome = r.error();
    } else if (r->is_heartbeat()) {
      pending_.heartbeat(call_id, context_->loop->now());
      return;
    } else if (r->failure) {
      outcome = failure(*std::move(r->failure));
    } else {
      outcome = reply{std::move(r->result)};
    }
  }
  if (const auto c = p->last.lock(); c && c->on != nullptr) {
    c->on->to->drop(c->id);
    forget(*c);
  }
  auto done = pending_.take(call_id);
  call_guarded(*context_->loop, done->done, std::move(outcome));
  pump_soon();
}

void client::arm() {
  const auto when = pending_.next_deadline();
  if (!when || *when >= armed_ || closed_) return;
  context_->loop->cancel(timer_);
  armed_ = *when;
  timer_ = context_->loop->run_at(*when, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->armed_ = scheduler::time_point::max();
    self->expire();
  });
}

failure client::late(protocol::call_tracker<pending>::expired_call& call) {
  auto& p = call.payload;
  failure_detail detail;
  detail.destination = p.destination;
  detail.message_id = call.id.str();
  detail.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(call.elapsed);
  const auto c = p.last.lock();
  const bool waits = c && c->to->waiting.contains(c->order);
  if (c && c->on != nullptr) detail.broker = c->on->to->where().endpoint;
  std::string text;
  if (waits && c->to->candidates.empty()) {
    detail.stage = to_string(send_stage::returned);
    text = "No server has listened on topic " + p.to->topic + " in time";
    if (auto why = matchmaker_.trouble(); !why.empty()) text += ". " + why;
  } else if (waits || (!p.begun && !p.is_call)) {
    detail.stage = to_string(waits ? send_stage::queued : send_stage::sent);
    text = "No server on topic " + p.to->topic + " has taken the message in time";
  } else {
    detail.stage = to_string(send_stage::waiting);
    text = "No reply on topic " + p.to->topic;
    if (call.limit == protocol::call_limit::monitor) text += ": the server sends no heartbeats";
  }
  return {errc::timed_out, std::move(text), std::move(detail)};
}

void client::expire() {
  while (auto call = pending_.next_expired(context_->loop->now())) {
    auto why = late(*call);
    if (const auto c = call->payload.last.lock(); c && call->payload.is_call && c->on != nullptr) {
      c->on->to->drop(c->id);
      forget(*c);
    }
    end(std::move(call->payload), std::move(why));
  }
  pump_soon();
  arm();
}

void client::close() {
  if (std::exchange(closed_, true)) return;
  context_->loop->cancel(tick_);
  context_->loop->cancel(timer_);
  for (auto& p : pending_.take_all()) end(std::move(p.payload), closed_failure());
  for (const auto& [endpoint, p] : peers_) p->close();
  busy_routes_.clear();
  for (auto& [key, weak] : routes_)
    if (const auto r = weak.lock()) {
      r->waiting.clear();
      r->candidates.clear();
    }
  views_.clear();
  peers_.clear();
}

}  // namespace oslo::messaging::zmq
