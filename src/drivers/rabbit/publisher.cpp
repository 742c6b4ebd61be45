#include "drivers/rabbit/publisher.hpp"

#include <algorithm>

#include "core/send_stage.hpp"
#include "core/tasks/raised_flag.hpp"
#include "core/utf8.hpp"
#include "drivers/rabbit/consumer.hpp"
#include "drivers/rabbit/deadline.hpp"

namespace oslo::messaging::rabbit {
namespace {

/// So many unconfirmed messages are many milliseconds' work for any broker.
constexpr std::size_t many = 256;
/// Unsent output above which nothing more is encoded.
constexpr std::size_t output_high_water = 4u << 20;
/// What a message takes beside its body.
constexpr std::size_t overhead = 512;
/// A caller that reconnects after a fail-over declares its queue again within that time; a server
/// that is ending waits no longer.
constexpr milliseconds patience_when_ending{2'000};
constexpr milliseconds straight_through{100};
constexpr std::chrono::seconds tell_again_after{30};

using stage = pending_send::stage;

amqp091::properties with_headers(amqp091::properties properties,
                                 const std::vector<message_header>& headers) {
  if (!properties.headers) properties.headers.emplace();
  for (const auto& h : headers) properties.headers->set(h.name, h.value);
  return properties;
}

}  // namespace

// ---- in -----------------------------------------------------------------------------------------

void publisher::publish(const send_ptr& s) {
  if (link_.is_shut()) return end(s, failure(errc::closed, "The transport is closed."));
  // While every broker refuses us, waiting would only hide why.
  if (!link_.is_open())
    if (const auto* verdict = link_.verdict()) return end(s, *verdict);
  if (const auto* forbidden = prohibition_of(*s)) return end(s, *forbidden);
  const bool ready = link_.is_open() && (!s->needs_reply_queue || reply_queue_ready_);
  if (!ready && away_ && s->retry == 0) return end(s, *away_);
  auto& r = routes_.at(s->to);
  if (r.through == nullptr) r.through = &main_;
  const auto cost = s->body.size() + overhead;
  s->cost = cost;
  if (!has_room(*s, r)) {
    s->cost = 0;
    return end(
        s, failure(errc::limit_exceeded,
                   std::to_string(count_) + " messages of " + std::to_string(cost_) +
                       " bytes already wait for " +
                       (link_.broker_name().empty() ? "the broker" : link_.broker_name()) + ", " +
                       std::to_string(r.count) + " of them for " + s->to.text() + "."));
  }
  s->on = &r;
  ++r.count;
  r.cost += cost;
  ++count_;
  cost_ += cost;
  enter(s);
  if (link_.is_open())
    pump();
  else
    link_.open();
}

/// One destination never takes all there is. A single message always has room.
bool publisher::has_room(const pending_send& s, const route& r) const noexcept {
  if (count_ == 0) return true;
  if (count_ >= most || cost_ + s.cost > most_bytes) return false;
  return r.count == 0 || (r.count < most_of_route && r.cost + s.cost <= most_bytes_of_route);
}

void publisher::enter(const send_ptr& s) {
  s->at = stage::waiting;
  if (s->needs_reply_queue && !reply_queue_ready_) {
    s->queued = true;
    gated_.push_back(s);
  } else if (s->on->held.empty() && s->on->has_room()) {
    admit(s);
  } else {
    s->queued = true;
    s->on->held.push_back(s);
  }
}

void publisher::admit(const send_ptr& s) {
  s->admitted = s->queued = true;
  ++s->on->admitted;
  s->on->through->ready.push_back(s);
}

/// Null when nobody waits for it any more.
send_ptr publisher::take_front(send_queue& q) {
  auto s = std::move(q.front());
  q.pop_front();
  s->queued = false;
  if (s->at != stage::ended) return s;
  --husks_;
  return nullptr;
}

/// Makes room for those that are held back.
void publisher::leave_window(pending_send& s) {
  if (!std::exchange(s.admitted, false)) return;
  auto& r = *s.on;
  --r.admitted;
  if (r.comes_back) bring_back(r);
  while (!r.held.empty() && r.has_room()) {
    if (const auto next = take_front(r.held)) admit(next);
  }
}

void publisher::discharge(pending_send& s) {
  leave_window(s);
  if (s.cost == 0) return;
  --s.on->count;
  s.on->cost -= s.cost;
  --count_;
  cost_ -= s.cost;
  s.cost = 0;
  s.on = nullptr;
  s.body = {};
}

void publisher::set_reply_queue(bool ready) {
  reply_queue_ready_ = ready;
  if (!ready) return;
  away_.reset();
  while (!gated_.empty())
    if (const auto s = take_front(gated_)) enter(s);
  pump();
}

// ---- out ----------------------------------------------------------------------------------------

/// Of suspects that could end the connection only one at a time is on the way, in whatever lane.
bool publisher::can_write(const lane& l) noexcept {
  return link_.is_open() && (&l == &main_ || main_.suspects == 0) && l.channel != 0 &&
         !l.leaves_by && !link_.is_blocked() && (l.suspects == 0 || l.suspects_written < l.probe) &&
         l.window.size() < l.most_written && link_.machine().output_size() < output_high_water;
}

void publisher::pump() {
  if (pumping_) return;  // a completion published
  const raised_flag pumping(pumping_);
  do {
    pump(main_);
    pump(apart_);
  } while (!main_.ready.empty() && can_write(main_));  // a completion published
  choose_patience();
  if (link_.is_open()) link_.flush_later();
}

void publisher::pump(lane& l) {
  if (l.ready.empty()) return;
  if (l.channel == 0) reopen_channel(l, link_.now());
  if (!can_write(l)) return;
  const auto now = link_.now();
  do {
    if (const auto s = take_front(l.ready)) write(l, s, now);
  } while (!l.ready.empty() && can_write(l));
}

/// The confirms of calls and replies only free the window: they need not wake us one by one. With
/// many messages on the wire each takes far longer than the moment that confirms wait to be read.
void publisher::choose_patience() {
  const auto& w = main_.window;
  crowded_ = w.size() >= (crowded_ ? many / 2 : many);  // not to and fro at the limit
  if (idle_done_ || (w.empty() && apart_.window.empty()) || main_.suspects != 0)
    link_.read_with(net::patience::none);
  else if (w.awaited() + apart_.window.awaited() == 0 && main_.ready.empty())
    link_.read_with(net::patience::ample);
  else
    link_.read_with(crowded_ ? net::patience::brief : net::patience::none);
}

void publisher::write(lane& l, const send_ptr& s, instant now) {
  try {
    ensure_destination(l, *s->on, s->to, now);
    const auto& properties = properties_for(*s, now);
    const auto& [to, routing_key, queue, ttl] = s->to;
    if (s->headers.empty())
      link_.machine().publish(l.channel, to.name, routing_key, s->mandatory, properties, s->body);
    else
      link_.machine().publish(l.channel, to.name, routing_key, s->mandatory,
                              with_headers(properties, s->headers), s->body);
  } catch (const std::logic_error& e) {  // too long, or no text
    // Not `limit_exceeded`, which passes: no broker would ever take this one.
    return give_up(
        s, failure(errc::invalid_argument, "Cannot publish to " + s->to.text() + ": " + e.what()));
  }
  s->at = stage::written;
  s->was_written = true;
  s->returned = false;
  const bool first = l.window.empty();
  l.window.add(s, now);
  if (s->suspect) {
    ++l.suspects_written;
    l.probed_until = now + probe_limit;
    owner_.wake_at(l.probed_until);
  }
  if (first) owner_.wake_at(silence_deadline(l));
}

amqp091::properties& publisher::properties_for(const pending_send& s, instant now) {
  if (s.expires) {
    // Of a message that went straight through exactly what the caller asked for, as Python does; of
    // one that had to wait or is repeated what is left.
    auto left = std::chrono::duration_cast<milliseconds>(*s.expires - now);
    if (s.lifetime - left < straight_through && !s.was_written) left = s.lifetime;
    left = std::max(left, milliseconds(1));
    set_call_time(timed_properties_, stamp_.of(left, now, std::chrono::system_clock::now()));
    return timed_properties_;
  }
  if (s.to.message_ttl.count() == 0) return properties_;
  aging_properties_.expiration = std::to_string(s.to.message_ttl.count());
  return aging_properties_;
}

// ---- the broker's word --------------------------------------------------------------------------

void publisher::on_return(const amqp091::returned_message& m) {
  auto* const l = lane_of(m.channel);
  if (l == nullptr) return;
  if (auto* s = l->window.match_return(m.exchange, m.routing_key, m.body)) {
    s->returned = true;
    s->return_code = m.code;
  }
}

void publisher::on_confirm(amqp091::channel_id ch, std::uint64_t sequence, bool multiple,
                           bool ack) {
  auto* const l = lane_of(ch);
  if (l == nullptr) return;
  l->reopen.reset();
  l->confirmed = true;
  l->window.confirm(sequence, multiple, [&](const send_ptr& s) { confirmed(*l, s, ack); });
}

void publisher::confirmed(lane& l, const send_ptr& s, bool ack) {
  if (s->suspect && l.suspects_written != 0) --l.suspects_written;
  clear_suspicion(*s);
  if (s->on != nullptr) {
    if (&l == &apart_) s->on->comes_back = true;
    weigh(l, *s->on, s->to, ack);
  }
  leave_window(*s);
  if (s->at == stage::ended) return discharge(*s);
  if (ack && !s->returned) return end(s, {});
  s->at = stage::waiting;  // it has not arrived
  if (!s->returned) ++s->refusals;
  if (comes_again(*s, !s->returned)) return pause(s);
  if (s->returned)
    give_up(s, failure(errc::undeliverable,
                       "No queue is bound for " + s->to.text() + " on " + link_.broker_name() +
                           " (" + std::to_string(s->return_code) + ").",
                       {std::string(to_string(send_stage::returned)),
                        s->to.text(),
                        s->wants_reply && s->id ? s->id->str() : std::string(),
                        link_.broker_name(),
                        {}})
                   .about({.exchange = s->to.to.name, .routing_key = s->to.routing_key}));
  else
    give_up(s, failure(errc::rejected,
                       link_.broker_name() + " refused the message for " + s->to.text() + "."));
}

/// What the broker could not take just now it may take later: a queue comes back with its node.
bool publisher::comes_again(const pending_send& s, bool refused) const {
  if (idle_done_ || (refused && s.retry >= 0 && s.refusals > s.retry)) return false;
  auto patience = refused ? s.patience_refused : s.patience_returned;
  if (s.from && s.from->is_ending()) patience = std::min(patience, patience_when_ending);
  return link_.now() - s.begun < patience;
}

void publisher::pause(const send_ptr& s) {
  clear_suspicion(*s);  // it is no message that ends channels, and may come again in another lane
  leave_window(*s);
  s->at = stage::pausing;
  const auto until = link_.now() + again_after;
  pausing_.push_back({s, until});
  owner_.wake_at(until);
}

void publisher::resume_due(instant now) {
  while (!pausing_.empty() && pausing_.front().until <= now) {
    const auto s = std::move(pausing_.front().send);
    pausing_.pop_front();
    if (s->at == stage::pausing) enter(s);
  }
}

void publisher::on_tick(instant now) {
  resume_due(now);
  look_into_silence(now);
  for (auto* l : {&main_, &apart_}) {
    clear_silent_suspects(*l, now);
    forget_old_confirms(*l, now);
    leave_when_drained(*l, now);
    reopen_channel(*l, now);
  }
  pump();
  check_idle();
}

publisher::instant publisher::next_deadline() const {
  auto next = pausing_.empty() ? instant::max() : pausing_.front().until;
  for (const auto* l : {&main_, &apart_}) {
    next = std::min(next, silence_deadline(*l));
    if (l->suspects_written != 0) next = std::min(next, l->probed_until);
    if (needs_channel(*l)) next = std::min(next, l->reopen_at);
    if (l->leaves_by) next = std::min(next, *l->leaves_by);
  }
  return next;
}

void publisher::on_blocked(std::string_view reason) {
  blocked_reason_ = to_one_line(reason);
  const auto now = link_.now();
  tell_blocks_ = !told_block_ || now - *told_block_ >= tell_again_after;
  if (tell_blocks_) told_block_ = now;
  link_.log()(tell_blocks_ ? log_level::error : log_level::debug,
              "The broker " + link_.broker_name() + " has blocked the connection: " +
                  blocked_reason_ + ". " + std::to_string(pending()) + " messages wait.");
  owner_.blocked_changed();
  check_idle();
}

void publisher::on_unblocked() {
  confirms_from_ = link_.now();
  blocked_reason_.clear();
  owner_.wake_at(std::min(silence_deadline(main_), silence_deadline(apart_)));
  link_.log()(tell_blocks_ ? log_level::info : log_level::debug,
              "The broker " + link_.broker_name() + " has unblocked the connection.");
  owner_.blocked_changed();
  pump();
}

void publisher::input_done() {
  for (auto* l : {&main_, &apart_})
    if (std::exchange(l->confirmed, false)) {
      l->confirmed_at = link_.now();
      leave_when_drained(*l, link_.now());
    }
  if (!main_.ready.empty() || !apart_.ready.empty()) pump();
  if (main_.window.empty() && apart_.window.empty())
    link_.read_with(net::patience::none);  // so that heartbeats are seen
  check_idle();
}

}  // namespace oslo::messaging::rabbit
