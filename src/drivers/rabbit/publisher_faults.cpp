// Channels and connections that end under a publisher: whose fault it is, and what is sent again.
#include <algorithm>
#include <iterator>

#include "drivers/rabbit/blame.hpp"
#include "drivers/rabbit/mismatch.hpp"
#include "drivers/rabbit/publisher.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr std::uint16_t not_found = 404;
constexpr std::uint16_t precondition_failed = 406;
/// A message that ended so many channels, or whose topology did, is given up. A connection is more
/// than a channel: one may end for a reason of its own while a single message is on the way.
constexpr std::uint8_t most_strikes = 3;

using stage = pending_send::stage;

}  // namespace

void publisher::open_channel() {
  channel_ = link_.machine().open_channel();
  asked_.clear();
  declared_.clear();
  window_.begin_channel();
  confirmed_at_ = link_.now();
  ++life_;
  link_.machine().confirm_select(channel_, 0);
}

void publisher::link_up() {
  properties_.content_type = "application/json";
  properties_.content_encoding = "utf-8";
  properties_.headers = amqp091::field_table{};
  properties_.delivery_mode = std::uint8_t{2};  // persistent
  properties_.priority = std::uint8_t{0};
  timed_properties_ = properties_;
  aging_properties_ = properties_;
  open_channel();
  pump();
}

void publisher::link_down(const net::link_loss& loss) {
  channel_ = 0;
  blocked_reason_.clear();
  if (!loss.was_open) {
    pass_failed(loss, false);
  } else if (loss.closed && whom(*loss.closed, true) == blamed::message) {
    const bool alone = is_alone();
    message_refused(take_written(), alone, loss.why, true);
  } else {
    const auto written = take_written();
    put_in_doubt(written);
    requeue(written);
  }
  check_idle();
}

/// What was on the wire and somebody waits for, oldest first.
publisher::send_queue publisher::take_written() {
  suspects_written_ = 0;
  auto all = window_.take_all();
  std::erase_if(all, [this](const send_ptr& s) {
    if (s->at != stage::ended) return false;
    clear_suspicion(*s);
    discharge(*s);
    return true;
  });
  for (const auto& s : all) s->at = stage::waiting;
  return all;
}

/// Back to the front, oldest first.
void publisher::requeue(const send_queue& sends) {
  for (auto it = sends.rbegin(); it != sends.rend(); ++it) {
    if ((*it)->at != stage::waiting) continue;
    (*it)->queued = true;
    ready_.push_front(*it);
  }
}

void publisher::put_in_doubt(const send_queue& sends) {
  for (const auto& s : sends) s->in_doubt = true;
}

template <class Which>
publisher::send_queue publisher::unwritten(Which&& which) {
  send_queue found;
  const auto look = [&](const send_queue& q) {
    for (const auto& s : q)
      if (s->at != stage::ended && which(*s)) found.push_back(s);
  };
  look(gated_);
  look(ready_);
  routes_.for_each([&](const route& r) { look(r.held); });
  return found;
}

void publisher::fail_all(const failure& why) {
  auto all = take_written();
  put_in_doubt(all);
  for (const auto& s : unwritten([](const pending_send&) { return true; })) all.push_back(s);
  for (auto& p : std::exchange(pausing_, {})) all.push_back(std::move(p.send));
  for (const auto& s : all) give_up(s, why);
  check_idle();
}

// ---- no connection ------------------------------------------------------------------------------

void publisher::pass_failed(const net::link_loss& loss, bool reply_queue) {
  const auto broker = link_.broker_name();
  for (const auto& s : unwritten([&](const pending_send& p) {
         return (p.needs_reply_queue && !reply_queue_ready_) == reply_queue;
       })) {
    ++s->failed_passes;
    if (loss.verdict)
      give_up(s, loss.why);
    else if (s->fail_fast)
      give_up(s, failure(errc::not_sent, "Not connected: " + loss.why.message()));
    else if (s->retry >= 0 && s->failed_passes > s->retry)
      give_up(s, failure(errc::unreachable, "Unable to connect to AMQP server on " + broker +
                                                " after " + std::to_string(s->failed_passes) +
                                                " tries: " + loss.why.message()));
  }
}

void publisher::reply_queue_unreachable(const net::link_loss& loss) {
  pass_failed(loss, true);
  check_idle();
}

void publisher::fail_reply_queue(const failure& why) {
  for (const auto& s : unwritten([](const pending_send& p) { return p.needs_reply_queue; }))
    give_up(s, why);
  check_idle();
}

// ---- the channel is closed ----------------------------------------------------------------------

void publisher::on_channel_closed(amqp091::channel_id ch, const amqp091::close_reason& why) {
  if (ch == channel_) {
    channel_ = 0;
    const auto reason = explained(net::to_failure(why, link_.broker_name()));
    switch (whom(why, false)) {
      case blamed::topology: topology_refused(reason, why.code); break;
      case blamed::destination: destination_refused(why, reason); break;
      case blamed::message: {
        const bool alone = is_alone();
        message_refused(take_written(), alone, reason, false);
        break;
      }
      case blamed::nobody: channel_lost(reason); break;
    }
  } else {
    reopen_at_ = {};  // there may be a channel for us now
  }
  reopen_channel(link_.now());
  check_idle();
}

void publisher::reopen_channel(instant now) {
  if (channel_ != 0 || !link_.is_open()) return;
  if (now < reopen_at_) return owner_.wake_at(reopen_at_);
  try {
    open_channel();
  } catch (const std::length_error&) {  // all are in use, one perhaps only until it is closed
    reopen_at_ = now + again_after;
    return owner_.wake_at(reopen_at_);
  }
  pump();
}

/// While suspects are tried one at a time, others may be on the wire that have been silent.
bool publisher::is_alone() const noexcept {
  const auto* last = window_.last();
  return last != nullptr && last->at != stage::ended &&
         (window_.size() == 1 || (probe_ == 1 && suspects_written_ == 1));
}

/// Nobody is to blame: the broker refuses the channel itself, or has reasons of its own.
void publisher::channel_lost(const failure& reason) {
  link_.log()(log_level::warning, "[publish] " + reason.message());
  const bool alone = window_.size() == 1;
  const auto written = take_written();
  put_in_doubt(written);
  reopen_at_ = link_.now() + reopen_.next();
  if (alone && written.size() == 1 && ++written.front()->strikes >= most_strikes)
    return give_up(written.front(), reason);
  requeue(written);
}

/// The oldest request without an answer is the one that failed. What exists with other properties
/// can be used without a declaration; what is gone is declared again.
void publisher::topology_refused(const failure& reason, std::uint16_t code) {
  if (asked_.empty()) return channel_lost(reason);
  const auto failed = asked_.front();
  const auto& object = failed.queue.empty() ? failed.exchange : failed.queue;
  bool adopted = false;
  if (code == precondition_failed) adopted = foreign_.insert(object).second;
  if (code == not_found) {
    foreign_.erase(failed.exchange);
    foreign_.erase(failed.queue);
  }
  if (adopted)
    link_.log()(log_level::error,
                "[publish] " + reason.message() + " Until then it is used as it is.");
  else
    link_.log()(log_level::warning, "[publish] " + reason.message());

  const auto concerns = [&](const pending_send& p) { return failed.is_of(p.to); };
  const auto written = take_written();
  // What came behind the request was not taken. Of its own destination nothing came before it,
  // unless it was made again on a channel in use.
  for (const auto& s : written) s->in_doubt |= failed.again || !concerns(*s);
  if (!adopted)
    refuse(written, concerns, reason, code == not_found, reason.code() == errc::access_refused);
  requeue(written);
}

/// One exchange, or one routing key, is forbidden or gone. Which of the messages to it was the
/// first that the broker did not take, it does not say.
void publisher::destination_refused(const amqp091::close_reason& why, const failure& reason) {
  const auto concerns = [&](const pending_send& p) { return means(why, p.to); };
  const bool alone = is_alone();
  const auto written = take_written();
  if (std::none_of(written.begin(), written.end(), [&](const auto& s) { return concerns(*s); }))
    return message_refused(written, alone, reason, false);
  link_.log()(log_level::warning, "[publish] " + reason.message());
  if (!alone) put_in_doubt(written);
  const bool vanished = why.code == not_found;
  refuse(written, concerns, reason, vanished, !vanished);
  requeue(written);
}

/// Of the written ones and, when it is `for_good`, of those that wait.
template <class Concerns>
void publisher::refuse(const send_queue& written, Concerns&& concerns, const failure& reason,
                       bool vanished, bool for_good) {
  if (for_good)
    for (const auto& s : unwritten(concerns)) give_up(s, reason);
  for (const auto& s : written) {
    if (!concerns(*s)) continue;
    if (for_good)
      give_up(s, reason);
    else
      strike(s, reason, vanished);
  }
}

/// The topology of a message ended a channel: it is tried again at once, a few times. What vanishes
/// again and again (its node is down) is waited for.
void publisher::strike(const send_ptr& s, const failure& reason, bool vanished) {
  if (++s->strikes < most_strikes) return;
  s->strikes = 0;
  if (vanished && comes_again(*s, true))
    pause(s);
  else
    give_up(s, reason);
}

/// Everything that was on the channel is a suspect, unless it was alone there.
void publisher::message_refused(const send_queue& written, bool alone, const failure& reason,
                                bool connection) {
  link_.log()(log_level::warning, "[publish] " + reason.message());
  // Nothing that we can leave out.
  if (written.empty() && !connection) reopen_at_ = link_.now() + reopen_.next();
  // The last one that was written is it; what was on the wire before it has only been silent.
  if (alone && !written.empty()) {
    const auto s = written.back();
    put_in_doubt({written.begin(), std::prev(written.end())});
    if (!connection || ++s->strikes >= most_strikes) {
      // It may have been taken the first time, and been forbidden since. Its size does not change.
      if (std::exchange(s->suspect, false)) {
        --suspects_;
        s->in_doubt |= reason.code() != errc::precondition_failed;
      }
      culprit_known_ = suspects_ != 0;
      s->in_doubt |= connection;
      give_up(s, reason);
      return requeue(written);
    }
  }
  probe_ = 1;
  culprit_known_ = false;
  for (const auto& s : written)
    if (!std::exchange(s->suspect, true)) ++suspects_;
  requeue(written);
}

/// Its own case is decided; that of the others goes on, faster once the culprit is known.
void publisher::clear_suspicion(pending_send& s) noexcept {
  if (!std::exchange(s.suspect, false)) return;
  s.in_doubt = true;  // what was on a channel that was closed may have been taken
  --suspects_;
  if (culprit_known_) probe_ = std::min(2 * probe_, route::window);
}

/// The broker closes a channel at once. Who is silent has another reason, and holds up nobody.
void publisher::clear_silent_suspects(instant now) {
  if (suspects_written_ == 0 || now < probed_until_) return;
  window_.for_each([this](pending_send& s) { clear_suspicion(s); });
  suspects_written_ = 0;
}

}  // namespace oslo::messaging::rabbit
