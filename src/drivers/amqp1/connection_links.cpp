// The links of a connection, and the messages on them.
#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/session.h>
#include <proton/terminus.h>

#include <algorithm>
#include <utility>

#include "core/unique_id.hpp"
#include "drivers/amqp1/connection_engine.hpp"

namespace oslo::messaging::amqp1 {

// ---- events -------------------------------------------------------------------------------------

void connection::link_opened(pn_link_t* l) {
  const auto* const s = find(id_of(l));
  if (s == nullptr || s->closing) return;
  const bool sends = pn_link_is_sender(l);
  auto* const wanted = sends ? pn_link_target(l) : pn_link_source(l);
  auto* const node = sends ? pn_link_remote_target(l) : pn_link_remote_source(l);
  const bool named = pn_terminus_get_address(wanted) != nullptr || pn_terminus_is_dynamic(wanted);
  // No node is a refusal: the broker says why when it closes the link, which follows.
  if (!named || pn_terminus_get_address(node) != nullptr) link_accepted(l);
}

void connection::link_accepted(pn_link_t* l) {
  const auto id = id_of(l);
  const bool sends = pn_link_is_sender(l);
  auto& s = *find(id);
  s.open = true;
  if (!sends && s.credit > 0) pn_link_flow(l, static_cast<int>(s.credit));
  const char* const address =
      pn_terminus_get_address(sends ? pn_link_remote_target(l) : pn_link_remote_source(l));
  user_.on_link_open(id, address == nullptr ? std::string_view() : std::string_view(address));
  if (sends && find(id) != nullptr && pn_link_credit(l) > 0) user_.on_credit(id);
}

void connection::link_ended(pn_link_t* l) {
  const auto id = id_of(l);
  const auto* const s = find(id);
  if (s == nullptr) return;
  const bool ours = s->closing;
  const auto why = to_condition(pn_link_remote_condition(l));
  links_.erase(id);
  pn_link_set_context(l, nullptr);
  pn_link_close(l);
  pn_link_free(l);
  if (ours)
    user_.on_link_gone(id);
  else
    user_.on_link_closed(id, why);
}

void connection::delivery_changed(pn_delivery_t* d) {
  if (pn_link_is_sender(pn_delivery_link(d)))
    outcome_came(d);
  else
    message_came(d);
}

void connection::outcome_came(pn_delivery_t* d) {
  if (!pn_delivery_updated(d)) return;
  auto* const l = pn_delivery_link(d);
  const auto id = id_of(l);
  auto* const told = pn_delivery_remote(d);
  disposition v;
  switch (pn_delivery_remote_state(d)) {
    case PN_ACCEPTED: v.what = disposition::outcome::accepted; break;
    case PN_REJECTED:
      v.what = disposition::outcome::rejected;
      v.why = to_condition(pn_disposition_condition(told));
      break;
    case PN_RELEASED: v.what = disposition::outcome::released; break;
    case PN_MODIFIED:
      v.failed = pn_disposition_is_failed(told);
      v.undeliverable = pn_disposition_is_undeliverable(told);
      v.what = v.failed || v.undeliverable ? disposition::outcome::modified
                                           : disposition::outcome::released;
      break;
    default:
      if (!pn_delivery_settled(d)) return pn_delivery_clear(d);
  }
  const auto message = reinterpret_cast<std::uintptr_t>(pn_delivery_get_context(d));
  pn_delivery_settle(d);
  if (find(id) != nullptr) user_.on_outcome(id, message, v);
}

void connection::message_came(pn_delivery_t* d) {
  auto* const l = pn_delivery_link(d);
  const auto id = id_of(l);
  auto* const s = find(id);
  if (s == nullptr) return;
  if (pn_delivery_aborted(d)) {
    s->partial.clear();
    s->too_large = false;
    pn_delivery_settle(d);
    pn_link_flow(l, 1);  // it has used one up
    return;
  }
  if (!pn_delivery_readable(d)) return pn_delivery_clear(d);
  const auto n = pn_delivery_pending(d);
  if (!s->too_large &&
      n > options_.max_message - std::min(options_.max_message, s->partial.size())) {
    s->too_large = true;
    s->partial = {};
  }
  if (s->too_large) {
    std::string nobody(n, '\0');
    pn_link_recv(l, nobody.data(), n);
  } else if (n != 0) {
    const auto before = s->partial.size();
    s->partial.resize(before + n);
    pn_link_recv(l, s->partial.data() + before, n);
  }
  if (pn_delivery_partial(d)) return;
  const bool settled = pn_delivery_settled(d);
  const bool too_large = std::exchange(s->too_large, false);
  const auto message = ++last_delivery_;
  pn_link_advance(l);
  if (too_large) {
    auto* const why = pn_disposition_condition(pn_delivery_local(d));
    pn_condition_set_name(why, "amqp:link:message-size-exceeded");
    pn_delivery_update(d, PN_REJECTED);
    pn_delivery_settle(d);
    if (!s->closing) pn_link_flow(l, 1);
    return;
  }
  if (s->closing) return;  // the end of the link gives it back
  if (settled)
    pn_delivery_settle(d);
  else
    s->taken.emplace(message, d);
  const auto body = std::exchange(s->partial, {});
  user_.on_delivery(id, message, body, settled);
}

// ---- the user above -----------------------------------------------------------------------------

connection::link_state* connection::find(link_id id) noexcept {
  const auto it = links_.find(id);
  return it == links_.end() ? nullptr : &it->second;
}
const connection::link_state* connection::find(link_id id) const noexcept {
  const auto it = links_.find(id);
  return it == links_.end() ? nullptr : &it->second;
}

link_id connection::add(pn_link_t* l) {
  const auto id = ++last_link_;
  pn_link_set_context(l, reinterpret_cast<void*>(static_cast<std::uintptr_t>(id)));
  links_[id].link = l;
  return id;
}

std::string connection::link_name(const char* kind, const std::string& address) {
  return std::string("openstack.org/om/") + kind + "/[" + address + "]/" + unique_id();
}

link_id connection::open_sender(const std::string& address) {
  auto* const l = pn_sender(engine_->session, link_name("sender", address).c_str());
  pn_terminus_set_type(pn_link_target(l), PN_TARGET);
  if (!address.empty()) {
    pn_terminus_set_address(pn_link_target(l), address.c_str());
    pn_terminus_set_address(pn_link_source(l), address.c_str());
  }
  const auto id = add(l);
  pn_link_open(l);
  return id;
}

link_id connection::open_receiver(const std::string& address, std::uint32_t credit) {
  auto* const l = pn_receiver(engine_->session, link_name("receiver", address).c_str());
  pn_terminus_set_address(pn_link_source(l), address.c_str());
  pn_terminus_set_address(pn_link_target(l), address.c_str());
  pn_link_set_snd_settle_mode(l, PN_SND_MIXED);
  const auto id = add(l);
  links_[id].credit = credit;
  pn_link_open(l);
  return id;
}

link_id connection::open_reply_receiver(std::uint32_t credit) {
  auto* const l = pn_receiver(engine_->session, link_name("receiver", "rpc-response").c_str());
  pn_terminus_set_type(pn_link_source(l), PN_SOURCE);
  pn_terminus_set_dynamic(pn_link_source(l), true);
  pn_terminus_set_address(pn_link_target(l), "rpc-response");
  const auto id = add(l);
  links_[id].credit = credit;
  pn_link_open(l);
  return id;
}

void connection::close_link(link_id id) {
  auto* const s = find(id);
  if (s == nullptr || std::exchange(s->closing, true)) return;
  s->taken.clear();
  pn_link_close(s->link);
}

std::uint32_t connection::credit(link_id id) const noexcept {
  const auto* const s = find(id);
  if (s == nullptr || !s->open || s->closing) return 0;
  return static_cast<std::uint32_t>(std::max(0, pn_link_credit(s->link)));
}

std::uint64_t connection::max_message(link_id id) const noexcept {
  const auto* const s = find(id);
  return s == nullptr ? 0 : pn_link_remote_max_message_size(s->link);
}

std::size_t connection::backlog() const noexcept {
  return engine_->session == nullptr ? 0 : pn_session_outgoing_bytes(engine_->session);
}

delivery_id connection::send(link_id id, std::string_view message, bool settled) {
  auto* const l = find(id)->link;
  const auto n = ++last_delivery_;
  auto* const d = pn_delivery(l, pn_dtag(reinterpret_cast<const char*>(&n), sizeof n));
  pn_delivery_set_context(d, reinterpret_cast<void*>(static_cast<std::uintptr_t>(n)));
  pn_link_send(l, message.data(), message.size());
  pn_link_advance(l);
  if (settled) pn_delivery_settle(d);
  return n;
}

void connection::add_credit(link_id id, std::uint32_t messages) {
  const auto* const s = find(id);
  if (s != nullptr && s->open && !s->closing) pn_link_flow(s->link, static_cast<int>(messages));
}

void connection::revoke_credit(link_id id) {
  auto* const s = find(id);
  if (s == nullptr || s->closing) return;
  s->credit = 0;
  const auto unused = pn_link_credit(s->link) - pn_link_queued(s->link);
  if (s->open && unused > 0) pn_link_flow(s->link, -unused);
}

void connection::settle(link_id id, delivery_id message, settlement what) {
  auto* const s = find(id);
  if (s == nullptr) return;
  const auto it = s->taken.find(message);
  if (it == s->taken.end()) return;
  auto* const d = it->second;
  s->taken.erase(it);
  auto* const local = pn_delivery_local(d);
  switch (what) {
    case settlement::accept: pn_delivery_update(d, PN_ACCEPTED); break;
    case settlement::reject: pn_delivery_update(d, PN_REJECTED); break;
    case settlement::release: pn_delivery_update(d, PN_RELEASED); break;
    case settlement::not_for_us: pn_disposition_set_undeliverable(local, true); [[fallthrough]];
    case settlement::give_back:
      pn_disposition_set_failed(local, true);
      pn_delivery_update(d, PN_MODIFIED);
      break;
  }
  pn_delivery_settle(d);
}

}  // namespace oslo::messaging::amqp1
