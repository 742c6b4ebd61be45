// How a message ends, and the publisher itself.
#include <utility>

#include "drivers/rabbit/publisher.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr std::size_t husks_worth_sweeping = 1'024;

using stage = pending_send::stage;

}  // namespace

void publisher::end(const send_ptr& s, result<void> r) {
  if (s->at == stage::ended) return;
  clear_suspicion(*s);
  discharge(*s);
  s->at = r.has_value() && s->wants_reply ? stage::confirmed : stage::ended;
  if (s->at == stage::ended && s->queued) add_husk();
  owner_.published(s, std::move(r));
}

/// Never says "not sent" of what may have arrived.
void publisher::give_up(const send_ptr& s, const failure& why) {
  if (s->at == stage::ended) return;
  if (!s->may_have_arrived()) return end(s, why);
  end(s, failure(errc::outcome_unknown, "The message for " + s->to.text() +
                                            " was sent but never confirmed: " + why.message()));
}

void publisher::abandon(pending_send& s) {
  if (s.at == stage::ended) return;
  const bool on_the_wire = s.at == stage::written;
  s.at = stage::ended;
  // On the wire it stays in the window: its confirm is still to come, it is only not repeated.
  if (on_the_wire && s.cost != 0) return;
  clear_suspicion(s);
  discharge(s);
  if (s.queued) add_husk();
  check_idle();
}

void publisher::add_husk() {
  if (++husks_ > husks_worth_sweeping && husks_ > count_) sweep();
}

void publisher::sweep() {
  const auto drop = [this](send_queue& q) {
    husks_ -= std::erase_if(q, [](const send_ptr& s) { return s->at == stage::ended; });
  };
  drop(gated_);
  drop(main_.ready);
  drop(apart_.ready);
  routes_.for_each([&](route& r) { drop(r.held); });
}

void publisher::drain(const failure& why, unique_function<void()> done) {
  idle_done_ = std::move(done);
  for (const auto& p : std::exchange(pausing_, {}))
    if (p.send->at == stage::pausing) give_up(p.send, why);
  choose_patience();
  check_idle();
}

void publisher::check_idle() {
  if (idle_done_ && (idle() || link_.is_blocked())) std::exchange(idle_done_, nullptr)();
}

}  // namespace oslo::messaging::rabbit
