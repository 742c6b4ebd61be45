#include "drivers/rabbit/connection_health.hpp"

#include <utility>

namespace oslo::messaging::rabbit {
namespace {

link_state state_of(const net::amqp_link& link) {
  if (link.is_shut()) return link_state::closed;
  if (link.is_open()) return link_state::connected;
  if (link.is_idle()) return link_state::idle;
  return link.verdict() != nullptr ? link_state::refused : link_state::connecting;
}

}  // namespace

void connection_health::update() {
  transport_health now{state_of(publishing_), state_of(consuming_), publishing_.broker_name(), {}};
  if (now.broker.empty()) now.broker = consuming_.broker_name();
  now.publishing_peer = publishing_.peer();
  now.consuming_peer = consuming_.peer();
  for (const auto* link : {&consuming_, &publishing_})
    if (!link->is_open() && link->last_failure()) now.reason = link->last_failure()->message();
  if (now.publishing == link_state::connected && publishing_.is_blocked()) {
    now.publishing = link_state::blocked;
    now.reason = publisher_.blocked_reason();
  }
  if (now.publishing != link_state::connected || now.consuming != link_state::connected)
    deaf_ = false;  // what is wrong has a better name
  if (deaf_) {
    now.deaf = true;
    now.reason = "A probe did not come back.";
  }
  {
    const std::lock_guard lock(mutex_);
    if (now == now_) return;
    now_ = now;
  }
  if (changed_) changed_(now);
}

void connection_health::set_deaf(bool deaf) {
  deaf_ = deaf;
  update();
}

transport_health connection_health::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

void connection_health::watch(unique_function<void(const transport_health&)> changed) {
  changed_ = std::move(changed);
}

}  // namespace oslo::messaging::rabbit
