// What shows each side that the other one lives, and what silence means.
#include <algorithm>
#include <string>

#include "protocol/amqp091/connection_impl.hpp"

namespace amqp091 {
namespace {

std::string whole_seconds(instant::duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(d).count());
}

}  // namespace

/// RabbitMQ looks twice an interval whether it has sent something, so that a whole one may pass
/// without a byte of a broker that is well. After that it is asked something, which any broker
/// answers at once.
instant connection::impl::dead_at() const {
  return heard_ + interval() + interval() / 2;
}

/// Heartbeats are sent by a broker to which nothing gets through any more, too.
void connection::impl::watch_peer(instant now, instant last_stimulus) {
  if (heartbeat_ == 0) return;
  if (now - last_stimulus > patience()) {
    // The caller was away: what has come meanwhile is to be read first.
    heard_ = std::max(heard_, now - interval());
    if (answer_due_ != instant::max()) answer_due_ = std::max(answer_due_, now + interval() / 2);
  }
  if (now >= dead_at())
    return end({.from = close_reason::origin::heartbeat,
                .text = "Nothing was heard from the broker for " + whole_seconds(now - heard_) +
                        " s, with heartbeats of " + std::to_string(heartbeat_) + " s."});
  if (now >= answer_due_)
    return end({.from = close_reason::origin::deaf,
                .text = "The broker sent heartbeats and answered nothing for " +
                        whole_seconds(now - spoke_) + " s."});
  if (!asked_ && !blocked_ && now >= spoke_ + interval()) ask(now);
  if (now < heartbeat_due_) return;
  heartbeat_due_ = now + interval() / 2;
  if (has_output()) return;
  writer w{out_};
  w.end_frame(w.begin_frame(frame_type::heartbeat, 0), frame_max_);
}

/// channel.flow changes nothing when it turns on what is on, and has to be answered. On each
/// channel: one may be held up in the broker by a queue of its own.
void connection::impl::ask(instant now) {
  bool any = false, says = false;
  for (std::size_t id = 1; id < channels_.size(); ++id) {
    auto* const ch = channels_[id].get();
    if (ch == nullptr || ch->now != channel::phase::open) continue;
    any = true;
    if (std::ranges::find(ch->pending, method::channel_flow_ok, &pending_request::answer) !=
        ch->pending.end())
      continue;
    request(static_cast<channel_id>(id), 0, method::channel_flow, method::channel_flow_ok,
            [](writer& w) { w.u8(1); });
    says = true;
  }
  if (!any) {
    spoke_ = now;  // there is nothing that it could have to answer
    return;
  }
  asked_ = true;
  if (!says) answer_due_ = now + patience();
}

void connection::impl::peer_spoke() noexcept {
  spoke_ = heard_;
  asked_ = false;
  answer_due_ = instant::max();
}

void connection::impl::note_sent(instant now) {
  heartbeat_due_ = now + interval() / 2;
  if (asked_ && answer_due_ == instant::max()) answer_due_ = now + patience();
}

void connection::impl::output_moves(instant now) {
  if (answer_due_ != instant::max()) answer_due_ = std::max(answer_due_, now + patience());
}

instant connection::impl::next_watch() const {
  if (heartbeat_ == 0) return instant::max();
  auto next = std::min({heartbeat_due_, dead_at(), answer_due_});
  if (!asked_ && !blocked_) next = std::min(next, spoke_ + interval());
  return next;
}

}  // namespace amqp091
