// The links of the publisher: what becomes of messages when they open and end.
#include <utility>

#include "drivers/amqp1/publisher.hpp"

namespace oslo::messaging::amqp1 {
namespace {

using stage = pending_send::stage;

/// Only an operator can change it.
bool is_refusal(const condition& why) {
  return why.is_redirect() || why.is("amqp:unauthorized-access") || why.is("amqp:not-allowed") ||
         why.is("amqp:precondition-failed") || why.is("amqp:not-implemented");
}

}  // namespace

// ---- links --------------------------------------------------------------------------------------

bool publisher::on_link_open(link_id l) {
  auto* const r = route_on(l);
  if (r == nullptr) return false;
  r->open = true;
  r->wanted = false;
  pump(*r);
  return true;
}

bool publisher::on_credit(link_id l) {
  auto* const r = route_on(l);
  if (r == nullptr) return false;
  pump(*r);
  return true;
}

bool publisher::on_link_closed(link_id l, const condition& why) {
  auto* const r = route_on(l);
  if (r == nullptr) return false;
  by_link_.erase(l);
  const bool was_open = std::exchange(r->open, false);
  r->sender = 0;
  r->wanted = false;
  r->reopen_at = link_.now() + again_after;
  owner_.wake_at(r->reopen_at);
  const bool sent_some = !r->written.empty();
  take_back(*r);
  const auto what = "The link to " + named(r->to) + (was_open ? " was ended" : " was refused");
  link_.log()(log_level::debug, "[amqp] " + to_failure(why, what).message());
  if (why.is("amqp:not-found"))
    no_node(*r, why);
  else if (is_refusal(why))
    fail_ready(*r, to_failure(why, what), [](const pending_send&) { return true; });
  else if (sent_some && why.is("amqp:link:message-size-exceeded"))
    fail_ready(*r, to_failure(why, what), [](const pending_send& s) { return s.in_doubt; });
  return true;
}

void publisher::no_node(route& r, const condition& why) {
  for (const auto& s : std::exchange(r.ready, {})) {
    if (s->at != stage::waiting) continue;
    nobody_there(r, s, why.text());
    if (s->at == stage::waiting) r.ready.push_back(s);
  }
  r.husks = 0;
}

/// What has no outcome goes again, before anything newer.
void publisher::take_back(route& r) {
  auto written = std::exchange(r.written, {});
  for (auto it = written.rbegin(); it != written.rend(); ++it) {
    const auto& s = it->second;
    if (s->at != stage::written) continue;
    s->at = stage::waiting;
    s->in_doubt = true;
    r.ready.push_front(s);
  }
}

template <class Which>
void publisher::fail_ready(route& r, const failure& why, Which which) {
  for (const auto& s : std::exchange(r.ready, {})) {
    if (s->at != stage::waiting) continue;
    if (which(*s))
      give_up(r, s, why);
    else
      r.ready.push_back(s);
  }
  r.husks = 0;
}

void publisher::set_reply_address(std::string address) {
  reply_address_ = std::move(address);
  if (reply_address_.empty()) return;
  for (auto& [to, r] : routes_) pump(r);
}

void publisher::fail_calls(const failure& why) {
  for (auto& [to, r] : routes_) {
    fail_ready(r, why, [](const pending_send& s) { return s.wants_reply; });
    pump(r);
  }
}

void publisher::link_up(const peer_description& peer) {
  peer_ = peer;
  away_.reset();
  for (auto& [to, r] : routes_) {
    r.reopen_at = {};
    if (r.sender == 0 && (r.count != 0 || r.wanted)) attach(r);
  }
}

void publisher::link_down(const link_loss& loss) {
  reply_address_.clear();
  by_link_.clear();
  if (!loss.was_open) away_ = loss.why;
  for (auto& [to, r] : routes_) {
    r.sender = 0;
    r.open = false;
    take_back(r);
    if (loss.was_open) continue;
    fail_ready(r, loss.why, [&](pending_send& s) {
      ++s.failed_passes;
      return loss.verdict || (s.retry >= 0 && s.failed_passes > s.retry);
    });
  }
}

void publisher::output_drained() {
  if (!std::exchange(crowded_, false)) return;
  for (auto& [to, r] : routes_)
    if (!r.ready.empty()) pump(r);
}

void publisher::fail_all(const failure& why) {
  for (const auto& p : std::exchange(pausing_, {}))
    if (p.send->at == stage::pausing) give_up(route_of(p.send->to), p.send, why);
  for (auto& [to, r] : routes_) {
    const auto written = std::exchange(r.written, {});
    for (const auto& [id, s] : written)
      if (s->at == stage::written) give_up(r, s, why);
    fail_ready(r, why, [](const pending_send&) { return true; });
  }
}

}  // namespace oslo::messaging::amqp1
