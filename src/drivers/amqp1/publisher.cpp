#include "drivers/amqp1/publisher.hpp"

#include <algorithm>
#include <utility>

#include "core/send_stage.hpp"
#include "core/tasks/raised_flag.hpp"
#include "drivers/amqp1/message.hpp"

namespace oslo::messaging::amqp1 {
namespace {

using stage = pending_send::stage;
using std::chrono::milliseconds;

constexpr std::size_t husks_worth_sweeping = 1024;

milliseconds left_until(pending_send::instant when, pending_send::instant now) {
  return std::max(milliseconds(1), std::chrono::ceil<milliseconds>(when - now));
}

/// Artemis says in words alone that there is no such address.
bool is_about_the_address(const condition& why) {
  return why.is("amqp:not-found") || why.description.starts_with("AMQ119002");
}

std::uint32_t to_ttl(milliseconds t) {
  return static_cast<std::uint32_t>(std::min<std::int64_t>(t.count(), 0xffff'ffff));
}

}  // namespace

// ---- the way of a message -----------------------------------------------------------------------

publisher::route& publisher::route_of(const destination& d) {
  const auto [it, is_new] = routes_.try_emplace(d);
  if (is_new) it->second.to = d;
  return it->second;
}

publisher::route* publisher::route_on(link_id l) noexcept {
  const auto it = by_link_.find(l);
  return it == by_link_.end() ? nullptr : it->second;
}

void publisher::publish(const send_ptr& s) {
  auto& r = route_of(s->to);
  const auto bytes = s->body.size() + 1;
  if (count_ >= most || cost_ + bytes > most_bytes || r.count >= most_of_route ||
      r.cost + bytes > most_bytes_of_route)
    return owner_.published(
        s, failure(errc::limit_exceeded, std::to_string(r.count) + " messages wait for " +
                                             named(r.to) + ", " + std::to_string(count_) +
                                             " in all."));
  s->cost = bytes;
  ++count_, ++r.count;
  cost_ += bytes, r.cost += bytes;
  link_.open();
  if (!link_.is_open() && s->retry == 0 && away_) return end(r, s, *away_);
  r.ready.push_back(s);
  if (link_.is_open() && r.sender == 0 && link_.now() >= r.reopen_at) attach(r);
  pump(r);
}

void publisher::make_node(const destination& d) {
  auto& r = route_of(d);
  r.wanted = true;
  if (link_.is_open() && r.sender == 0) attach(r);
}

void publisher::attach(route& r) {
  r.address = address_of(r.to, rules_, mode());
  r.sender = link_.machine().open_sender(r.address);
  r.open = false;
  r.used = link_.now();
  by_link_[r.sender] = &r;
  link_.flush_later();
  owner_.wake_at(r.used + idle_sender_);
}

bool publisher::can_write(const route& r) {
  if (!r.open || !link_.is_open() || link_.machine().credit(r.sender) == 0) return false;
  crowded_ = link_.machine().backlog() >= most_backlog;
  return !crowded_;
}

void publisher::pump(route& r) {
  if (r.pumping) return;
  const raised_flag pumping(r.pumping);
  while (!r.ready.empty() && can_write(r)) {
    const auto s = r.ready.front();
    if (s->at == stage::waiting && s->wants_reply && !s->answers_itself && reply_address_.empty())
      return;
    r.ready.pop_front();
    if (s->at == stage::waiting)
      write(r, s);
    else if (r.husks > 0)
      --r.husks;
  }
}

void publisher::encode(const route& r, const pending_send& s) {
  message_head head;
  std::string own_id;
  if (s.carries_id && s.id) head.message_id = s.id->view();
  head.to = s.relay_to.empty() ? std::string_view(r.address) : std::string_view(s.relay_to);
  head.headers = s.headers;
  head.correlation_id = s.correlation;
  if (s.answers_itself)
    head.correlation_id = own_id = encoded_text(s.id->view());
  else if (s.wants_reply)
    head.reply_to = reply_address_;
  if (s.expires) {
    const auto left = left_until(*s.expires, link_.now());
    head.ttl_ms = to_ttl(left);
    head.time = stamp_.of(left, link_.now(), std::chrono::system_clock::now());
  } else if (s.lifetime.count() > 0) {
    head.ttl_ms = to_ttl(s.lifetime);
  }
  encoded_.clear();
  write_message(encoded_, head,
                s.empty_body ? std::nullopt : std::optional<std::string_view>(s.body));
}

/// Over the relay a settled message for an address that is gone ends the link of all others.
/// Broker-J 9.2 gives credit for one of several settled messages, and drops a connection whose link
/// carries settled messages beside others.
bool publisher::goes_settled(const route& r, const pending_send& s) const {
  return s.pre_settled && !r.address.empty() && !is_broker_j(peer_.product);
}

void publisher::write(route& r, const send_ptr& s) {
  encode(r, *s);
  auto& machine = link_.machine();
  if (const auto most_here = machine.max_message(r.sender);
      most_here != 0 && encoded_.size() > most_here)
    return end(
        r, s,
        failure(errc::limit_exceeded,
                "The message for " + named(r.to) + " has " + std::to_string(encoded_.size()) +
                    " bytes; the broker takes " + std::to_string(most_here) + "."));
  const bool settled = goes_settled(r, *s);
  const auto id = machine.send(r.sender, encoded_, settled);
  r.used = link_.now();
  s->was_written = true;
  s->at = stage::written;
  link_.flush_later();
  if (settled)
    end(r, s, {});
  else
    r.written.emplace(id, s);
  constexpr std::size_t kept = 1 << 20;
  if (encoded_.capacity() > kept) encoded_ = {};
}

bool publisher::on_outcome(link_id l, delivery_id message, const disposition& v) {
  auto* const r = route_on(l);
  if (r == nullptr) return false;
  const auto it = r->written.find(message);
  if (it == r->written.end()) return true;
  const auto s = std::move(it->second);
  r->written.erase(it);
  if (s->at != stage::written) return true;  // abandoned
  using outcome = disposition::outcome;
  switch (v.what) {
    case outcome::accepted: end(*r, s, {}); break;
    case outcome::released: came_back(*r, s, "the broker gave it back"); break;
    case outcome::rejected:
      if (is_about_the_address(v.why))
        nobody_there(*r, s, v.why.text());
      else
        end(*r, s,
            failure(errc::rejected,
                    "The broker refused the message for " + named(r->to) + ": " + v.why.text()));
      break;
    case outcome::modified:
      end(*r, s,
          failure(errc::rejected,
                  "The broker could not deliver the message for " + named(r->to) + "."));
      break;
    case outcome::unknown:
      end(*r, s,
          failure(errc::outcome_unknown,
                  "The broker settled the message for " + named(r->to) + " without an outcome."));
  }
  return true;
}

void publisher::nobody_there(route& r, const send_ptr& s, const std::string& words) {
  s->nobody = true;
  if (!s->undeliverable_at_once && s->lost_if_nobody) return end(r, s, {});
  if (!s->undeliverable_at_once) {
    if (s->at == stage::written) came_back(r, s, words);
    return;
  }
  failure_detail detail;
  detail.stage = to_string(send_stage::returned);
  detail.destination = named(r.to);
  detail.broker = link_.broker_name();
  if (s->wants_reply && s->id) detail.message_id = s->id->str();
  failure_subject subject;
  subject.exchange = rules_.exchange_of(r.to);
  subject.routing_key = r.to.key();
  end(r, s,
      failure(errc::undeliverable, "Nothing takes messages for " + named(r.to) + ": " + words,
              std::move(detail))
          .about(std::move(subject)));
}

void publisher::came_back(route& r, const send_ptr& s, const std::string& how) {
  if (s->lost_if_nobody && !s->undeliverable_at_once) return end(r, s, {});
  if (s->undeliverable_at_once && !s->nobody) return nobody_there(r, s, how);
  ++s->came_back;
  if (idle_done_ || (s->retry >= 0 && s->came_back > s->retry))
    return end(r, s,
               failure(errc::rejected, "The message for " + named(r.to) + " came back " +
                                           std::to_string(s->came_back) + " times: " + how));
  s->at = stage::pausing;
  const auto until = link_.now() + again_after;
  pausing_.push_back({s, until});
  owner_.wake_at(until);
}

void publisher::resume_due(instant now) {
  while (!pausing_.empty() && pausing_.front().until <= now) {
    const auto s = std::move(pausing_.front().send);
    pausing_.pop_front();
    if (s->at != stage::pausing) continue;
    s->at = stage::waiting;
    auto& r = route_of(s->to);
    r.ready.push_back(s);
    pump(r);
  }
}

// ---- time ---------------------------------------------------------------------------------------

void publisher::on_tick(instant now) {
  resume_due(now);
  if (!link_.is_open()) return;
  for (auto& [to, r] : routes_)
    if (r.sender == 0 && (r.count != 0 || r.wanted) && r.reopen_at <= now) attach(r);
  close_idle(now);
}

void publisher::close_idle(instant now) {
  for (auto it = routes_.begin(); it != routes_.end();) {
    auto& r = it->second;
    const bool keep = r.count != 0 || r.wanted || r.pumping || now - r.used < idle_sender_;
    if (keep) {
      ++it;
      continue;
    }
    if (r.sender != 0) {
      by_link_.erase(r.sender);
      link_.machine().close_link(r.sender);
      link_.flush_later();
    }
    it = routes_.erase(it);
  }
}

publisher::instant publisher::next_deadline() const {
  auto next = pausing_.empty() ? instant::max() : pausing_.front().until;
  if (!link_.is_open()) return next;
  for (const auto& [to, r] : routes_)
    next = std::min(next, r.sender == 0 && r.count != 0 ? r.reopen_at : r.used + idle_sender_);
  return next;
}

// ---- the end of a message -----------------------------------------------------------------------

void publisher::end(route& r, const send_ptr& s, result<void> outcome) {
  if (s->at == stage::ended) return;
  discharge(r, *s);
  s->at = outcome.has_value() && s->wants_reply ? stage::confirmed : stage::ended;
  owner_.published(s, std::move(outcome));
  check_idle();
}

/// Never says "not sent" of what may have arrived.
void publisher::give_up(route& r, const send_ptr& s, const failure& why) {
  if (!s->may_have_arrived()) return end(r, s, why);
  end(r, s,
      failure(errc::outcome_unknown, "The message for " + named(r.to) +
                                         " was sent but never confirmed: " + why.message()));
}

void publisher::discharge(route& r, pending_send& s) {
  if (s.cost == 0) return;
  --count_, --r.count;
  cost_ -= s.cost, r.cost -= s.cost;
  s.cost = 0;
}

void publisher::abandon(pending_send& s) {
  if (s.at == stage::ended) return;
  const bool has_place = s.at == stage::waiting;
  s.at = stage::ended;
  s.body = {};
  if (s.cost == 0) return;
  auto& r = route_of(s.to);
  discharge(r, s);
  if (has_place && ++r.husks > husks_worth_sweeping && 2 * r.husks > r.ready.size() && !r.pumping) {
    std::erase_if(r.ready, [](const send_ptr& p) { return p->at == stage::ended; });
    r.husks = 0;
  }
  check_idle();
}

void publisher::drain(const failure& why, unique_function<void()> done) {
  idle_done_ = std::move(done);
  for (const auto& p : std::exchange(pausing_, {}))
    if (p.send->at == stage::pausing) give_up(route_of(p.send->to), p.send, why);
  check_idle();
}

void publisher::check_idle() {
  if (idle_done_ && idle()) std::exchange(idle_done_, nullptr)();
}

}  // namespace oslo::messaging::amqp1
