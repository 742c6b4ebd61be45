// What the engine makes of its connection: the reply link, what comes back on it, health.
#include <algorithm>

#include "drivers/amqp1/bodies.hpp"
#include "drivers/amqp1/engine.hpp"
#include "drivers/amqp1/listener.hpp"
#include "drivers/amqp1/message.hpp"

namespace oslo::messaging::amqp1 {

void engine::link_up(const peer_description& peer) {
  ++connection_;
  publisher_->link_up(peer);
  if (wants_replies_) open_reply_link();
  for (const auto& l : std::vector(listeners_)) l->link_up();
}

void engine::link_down(const link_loss& loss) {
  reply_link_ = 0;
  reply_address_.clear();
  reply_reopen_at_ = instant::max();
  reply_refusal_.reset();
  publisher_->link_down(loss);
  for (const auto& l : std::vector(listeners_)) l->link_down();
}

void engine::input_done() {
  for (const auto& l : std::vector(listeners_)) l->serve();
}

void engine::on_link_open(link_id l, std::string_view address) {
  if (l == reply_link_) {
    if (address.empty()) return reply_link_closed({"", "the broker gave no reply address"});
    reply_refusal_.reset();
    reply_address_ = address;
    return publisher_->set_reply_address(reply_address_);
  }
  if (publisher_->on_link_open(l)) return;
  for (const auto& each : std::vector(listeners_))
    if (each->on_link_open(l)) return;
}

void engine::on_link_closed(link_id l, const condition& why) {
  if (l == reply_link_) return reply_link_closed(why);
  if (publisher_->on_link_closed(l, why)) return;
  for (const auto& each : std::vector(listeners_))
    if (each->on_link_closed(l, why)) return;
}

void engine::on_link_gone(link_id l) {
  for (const auto& each : std::vector(listeners_))
    if (each->on_link_gone(l)) return;
}

void engine::on_delivery(link_id l, delivery_id message, std::string_view bytes, bool settled) {
  if (l == reply_link_) return take_reply(message, bytes, settled);
  for (const auto& each : listeners_)
    if (each->on_delivery(l, message, bytes, settled)) return;
}

// ---- replies ------------------------------------------------------------------------------------

void engine::ensure_reply_link() {
  if (closed_ || std::exchange(wants_replies_, true)) return;
  link_->open();
  if (link_->is_open()) open_reply_link();
}

void engine::open_reply_link() {
  reply_reopen_at_ = instant::max();
  if (!link_->is_open()) return;
  reply_link_ = link_->machine().open_reply_receiver(options_.reply_credit);
  reply_debt_ = 0;
  link_->flush_later();
}

/// Without it no call can succeed. Calls that the broker has go on waiting: their replies have
/// nowhere to go any more, but nobody knows whether they were handled.
void engine::reply_link_closed(const condition& why) {
  const bool refused = reply_address_.empty();
  const auto told =
      to_failure(why, std::string("The reply link was ") + (refused ? "refused" : "ended") +
                          " by " + link_->broker_name());
  env_.log(log_level::warning, "[amqp] " + told.message());
  reply_link_ = 0;
  reply_address_.clear();
  publisher_->set_reply_address({});
  reply_reopen_at_ = env_.loop->now();
  if (refused) {
    reply_reopen_at_ += after_refusal;
    reply_refusal_ = told;
    publisher_->fail_calls(told);
  } else {
    reply_reopen_at_ += publisher::again_after;
  }
  wake_at(reply_reopen_at_);
}

void engine::settle_reply(delivery_id message, bool settled, settlement how) {
  auto& machine = link_->machine();
  if (!settled) machine.settle(reply_link_, message, how);
  ++reply_debt_;
  if (2 * reply_debt_ >= options_.reply_credit)
    machine.add_credit(reply_link_, std::exchange(reply_debt_, 0));
  link_->flush_later();
}

void engine::take_reply(delivery_id message, std::string_view bytes, bool settled) {
  if (std::exchange(deaf_, false)) update_health(health());
  const auto m = read_message(bytes);
  if (m.has_error() || m->kind == incoming_sections::body_kind::other) {
    settle_reply(message, settled, settlement::reject);
    env_.log(log_level::error, "A reply is dropped: " +
                                   (m.has_error() ? m.error().message() : "its body is no text"));
    return count("rpc_client_malformed_replies_total");
  }
  const auto* found = sends_.find(m->correlation_id);
  if (found == nullptr || !(*found)->wants_reply) {
    settle_reply(message, settled, settlement::not_for_us);
    env_.log(log_level::info, "No call waits for the reply to message ID " +
                                  std::string(m->correlation_id.substr(0, 64)) + ".");
    return count("rpc_client_late_replies_total");
  }
  settle_reply(message, settled, settlement::accept);
  if (m->kind == incoming_sections::body_kind::null) {
    sends_.heartbeat(m->correlation_id, env_.loop->now());
    return;
  }
  const auto s = *found;
  auto r = read_reply(m->body);
  if (r.has_error() && r.error().code() != errc::remote_error)
    count("rpc_client_malformed_replies_total");
  conclude(*s, std::move(r));
}

// ---- health -------------------------------------------------------------------------------------

transport_health engine::health() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

void engine::update_health(transport_health now) {
  if (now.publishing != link_state::connected) deaf_ = false;  // what is wrong has a better name
  now.deaf = deaf_;
  if (deaf_)
    now.reason = "A probe did not come back.";
  else if (now.publishing == link_state::connected)
    now.reason.clear();
  {
    const std::lock_guard lock(mutex_);
    if (now == health_) return;
    health_ = now;
  }
  if (health_changed_) health_changed_(now);
}

}  // namespace oslo::messaging::amqp1
