// Channels and connections that end under a publisher: whose fault it is, and what is sent again.
#include <algorithm>
#include <iterator>

#include "core/tasks/raised_flag.hpp"
#include "drivers/rabbit/blame.hpp"
#include "drivers/rabbit/mismatch.hpp"
#include "drivers/rabbit/publisher.hpp"
#include "protocol/amqp091/spec.hpp"

namespace oslo::messaging::rabbit {
namespace {

namespace reply_code = amqp091::reply_code;

using stage = pending_send::stage;

}  // namespace

lane* publisher::lane_of(amqp091::channel_id ch) noexcept {
  if (ch == 0) return nullptr;
  if (ch == main_.channel) return &main_;
  return ch == apart_.channel ? &apart_ : nullptr;
}

void publisher::open_channel(lane& l) {
  begin_channel(l, link_.machine().open_channel());
}

void publisher::begin_channel(lane& l, amqp091::channel_id ch) {
  l.channel = ch;
  l.asked.clear();
  l.declared.clear();
  l.window.begin_channel();
  l.confirmed_at = link_.now();
  l.life = ++lives_;
  l.leaves_by.reset();
  link_.machine().confirm_select(ch, 0);
}

void publisher::link_up() {
  away_.reset();
  properties_.content_type = "application/json";
  properties_.content_encoding = "utf-8";
  properties_.headers = amqp091::field_table{};
  properties_.delivery_mode = std::uint8_t{2};  // persistent
  properties_.priority = std::uint8_t{0};
  timed_properties_ = properties_;
  aging_properties_ = properties_;
  open_channel(main_);
  pump();
}

void publisher::link_down(const net::link_loss& loss) {
  const bool silent =
      blocked_reason_.empty() && (is_silent(link_.now()) || (loss.deaf && !main_.window.empty()));
  // As at a user's limit of channels. One that is refused will be refused again.
  if (loss.closed && loss.closed->code == reply_code::not_allowed &&
      (next_main_ != 0 || apart_.channel != 0))
    one_channel_ = true;
  main_.channel = apart_.channel = next_main_ = 0;
  next_main_open_.reset();
  main_.leaves_by.reset();
  apart_.leaves_by.reset();
  blocked_reason_.clear();
  if (!loss.was_open) {
    pass_failed(loss, false);
  } else if (loss.closed && forbids_transient_queues(*loss.closed)) {
    transient_queues_forbidden(explained(net::to_failure(*loss.closed, link_.broker_name())));
  } else if (loss.closed && is_final(*loss.closed) &&
             whom(*loss.closed, true) == blamed::topology) {
    declaration_forbidden(explained(net::to_failure(*loss.closed, link_.broker_name())));
  } else if (loss.closed && whom(*loss.closed, true) == blamed::message) {
    const bool main_alone = is_alone(main_) && apart_.window.empty();
    // Main goes on while a suspect is tried apart: a wrong verdict takes three such ends.
    const bool apart_alone =
        is_alone(apart_) && (main_.window.empty() || apart_.suspects_written == 1);
    message_refused(main_, take_written(main_), main_alone, loss.why, true);
    message_refused(apart_, take_written(apart_), apart_alone, loss.why, true);
  } else {
    if (silent) set_oldest_apart();
    for (auto* l : {&apart_, &main_}) write_again(*l);
    if (one_channel_) close_apart();
  }
  check_idle();
}

/// What was on the wire and somebody waits for, oldest first.
publisher::send_queue publisher::take_written(lane& l) {
  l.suspects_written = 0;
  auto all = l.window.take_all();
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
    (*it)->on->through->ready.push_front(*it);
  }
}

void publisher::write_again(lane& l) {
  const auto written = take_written(l);
  put_in_doubt(written);
  requeue(written);
}

void publisher::put_in_doubt(const send_queue& sends) {
  for (const auto& s : sends) s->in_doubt = true;
}

publisher::send_queue publisher::unwritten(const condition& which) {
  send_queue found;
  const auto look = [&](const send_queue& q) {
    for (const auto& s : q)
      if (s->at != stage::ended && which(*s)) found.push_back(s);
  };
  look(gated_);
  look(main_.ready);
  look(apart_.ready);
  routes_.for_each([&](const route& r) { look(r.held); });
  return found;
}

void publisher::fail_all(const failure& why) {
  auto all = take_written(main_);
  for (auto& s : take_written(apart_)) all.push_back(std::move(s));
  put_in_doubt(all);
  for (const auto& s : unwritten([](const pending_send&) { return true; })) all.push_back(s);
  for (auto& p : std::exchange(pausing_, {})) all.push_back(std::move(p.send));
  for (const auto& s : all) give_up(s, why);
  check_idle();
}

// ---- no connection ------------------------------------------------------------------------------

void publisher::pass_failed(const net::link_loss& loss, bool reply_queue) {
  away_ = failure(errc::unreachable, "Unable to connect to AMQP server on " + link_.broker_name() +
                                         ": " + loss.why.message());
  for (const auto& s : unwritten([&](const pending_send& p) {
         return (p.needs_reply_queue && !reply_queue_ready_) == reply_queue;
       })) {
    ++s->failed_passes;
    if (loss.verdict)
      give_up(s, loss.why);
    else if (s->retry >= 0 && s->failed_passes > s->retry)
      give_up(s, failure(errc::unreachable,
                         "Unable to connect to AMQP server on " + link_.broker_name() + " after " +
                             std::to_string(s->failed_passes) + " tries: " + loss.why.message()));
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
  if (ch == next_main_) {
    next_main_ = 0;
    next_main_open_.reset();
  }
  if (auto* const l = lane_of(ch)) {
    l->channel = 0;
    const auto reason = explained(net::to_failure(why, link_.broker_name()));
    // What a completion publishes comes behind what is written again.
    const raised_flag later(pumping_);
    switch (whom(why, false)) {
      case blamed::topology: topology_refused(*l, reason, why.code); break;
      case blamed::destination: destination_refused(*l, why, reason); break;
      case blamed::message: {
        const bool alone = is_alone(*l);
        message_refused(*l, take_written(*l), alone, reason, false);
        break;
      }
      case blamed::nobody: channel_lost(*l, reason); break;
    }
  } else {
    main_.reopen_at = apart_.reopen_at = {};  // there may be a channel for us now
  }
  for (auto* l : {&main_, &apart_}) reopen_channel(*l, link_.now());
  check_idle();
}

bool publisher::needs_channel(const lane& l) const noexcept {
  return l.channel == 0 && link_.is_open() && (&l == &main_ || !l.ready.empty());
}

void publisher::reopen_channel(lane& l, instant now) {
  if (!needs_channel(l)) return;
  if (now < l.reopen_at) return owner_.wake_at(l.reopen_at);
  try {
    open_channel(l);
  } catch (const std::length_error&) {  // all are in use, one perhaps only until it is closed
    if (&l == &apart_) return close_apart();
    l.reopen_at = now + again_after;
    return owner_.wake_at(l.reopen_at);
  }
  pump();
}

/// While suspects are tried one at a time, others may be on the wire that have been silent.
bool publisher::is_alone(const lane& l) noexcept {
  const auto* last = l.window.last();
  return last != nullptr && last->at != stage::ended &&
         (l.window.size() == 1 || (l.probe == 1 && l.suspects_written == 1));
}

/// Nobody is to blame: the broker refuses the channel itself, or has reasons of its own.
void publisher::channel_lost(lane& l, const failure& reason) {
  link_.log()(log_level::warning, "[publish] " + reason.message());
  const bool alone = l.window.size() == 1;
  const auto written = take_written(l);
  put_in_doubt(written);
  l.reopen_at = link_.now() + l.reopen.next();
  if (alone && written.size() == 1 && ++written.front()->strikes >= most_strikes)
    return give_up(written.front(), reason);
  requeue(written);
}

/// Everything that was on the channel is a suspect, unless it was alone there.
void publisher::message_refused(lane& l, const send_queue& written, bool alone,
                                const failure& reason, bool connection) {
  link_.log()(log_level::warning, "[publish] " + reason.message());
  // Nothing that we can leave out.
  if (written.empty() && !connection) l.reopen_at = link_.now() + l.reopen.next();
  // The last one that was written is it; what was on the wire before it has only been silent.
  if (alone && !written.empty()) {
    const auto s = written.back();
    put_in_doubt({written.begin(), std::prev(written.end())});
    if (!connection || ++s->strikes >= most_strikes) {
      // It may have been taken the first time, and been forbidden since. Its size does not change.
      if (std::exchange(s->suspect, false)) {
        --l.suspects;
        s->in_doubt |= reason.code() != errc::precondition_failed;
      }
      l.culprit_known = l.suspects != 0;
      s->in_doubt |= connection;
      give_up(s, reason);
      return requeue(written);
    }
  }
  l.probe = 1;
  l.culprit_known = false;
  for (const auto& s : written)
    if (!std::exchange(s->suspect, true)) ++l.suspects;
  requeue(written);
}

/// Its own case is decided; that of the others goes on, faster once the culprit is known.
void publisher::clear_suspicion(pending_send& s) noexcept {
  if (!std::exchange(s.suspect, false)) return;
  s.in_doubt = true;  // what was on a channel that was closed may have been taken
  auto& l = *s.on->through;
  --l.suspects;
  if (l.culprit_known) l.probe = std::min(2 * l.probe, route::window);
}

/// The broker closes a channel at once. Who is silent has another reason, and holds up nobody.
void publisher::clear_silent_suspects(lane& l, instant now) {
  if (l.suspects_written == 0 || now < l.probed_until) return;
  l.window.for_each([this](pending_send& s) { clear_suspicion(s); });
  l.suspects_written = 0;
}

}  // namespace oslo::messaging::rabbit
