// Channels that go on refusing what another one would take.
#include <algorithm>

#include "drivers/rabbit/publisher.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr std::chrono::seconds shortest_pause{1}, longest_pause{16};
/// What is on the way has long been confirmed by then, unless its queue is silent.
constexpr std::chrono::milliseconds drain_limit{250};

}  // namespace

/// A queue that is full refuses as well: there another channel is of no use, and costs the other
/// destinations one way to the broker and back now and then.
void publisher::weigh(lane& l, route& r, const destination& to, bool ack) {
  if (ack) {
    r.refused_on = 0;
    return;
  }
  const auto now = link_.now();
  if (r.refused_on != l.life) {
    r.refused_on = l.life;
    r.refused_from = now;
  }
  if (now - r.refused_from < refusal_limit || now < leave_again_at_) return;
  if (l.leaves_by || l.suspects != 0 || l.channel == 0 || link_.is_blocked()) return;
  const bool again = now < leave_again_at_ + longest_pause;
  leave_pause_ = again ? std::min(2 * leave_pause_, longest_pause) : shortest_pause;
  leave_again_at_ = now + leave_pause_;
  l.leaves_by = now + drain_limit;
  owner_.wake_at(*l.leaves_by);
  link_.log()(log_level::warning,
              "[publish] " + link_.broker_name() + " refuses all messages for " + to.text() +
                  ". Another channel is opened, where it may know " + "the queue better.");
}

void publisher::leave_when_drained(lane& l, instant now) {
  if (!l.leaves_by) return;
  if (!l.window.empty()) {
    if (now >= *l.leaves_by) l.leaves_by.reset();  // to repeat what is silent would be worse
    return;
  }
  l.leaves_by.reset();
  link_.machine().close_channel(std::exchange(l.channel, 0));
  l.reopen_at = now;
  reopen_channel(l, now);
}

}  // namespace oslo::messaging::rabbit
