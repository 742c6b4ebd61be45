// What the broker refuses to have, or to publish to: whom that concerns.
#include <algorithm>

#include "drivers/rabbit/blame.hpp"
#include "drivers/rabbit/mismatch.hpp"
#include "drivers/rabbit/publisher.hpp"
#include "protocol/amqp091/spec.hpp"

namespace oslo::messaging::rabbit {
namespace {

namespace reply_code = amqp091::reply_code;
using stage = pending_send::stage;

constexpr std::chrono::seconds forbidden_for{60};

bool needs_transient_queue(const pending_send& s) {
  return s.to.ensure_queue && !s.to.ensure_queue->durable;
}

}  // namespace

const failure* publisher::prohibition_of(const pending_send& s) const {
  if (!forbidden_ || link_.now() >= forbidden_->until) return nullptr;
  const bool meant = forbidden_->of ? forbidden_->of->is_of(s.to) : needs_transient_queue(s);
  return meant ? &forbidden_->why : nullptr;
}

/// The oldest request without an answer is the one that failed. What exists with other properties
/// can be used without a declaration; what is gone is declared again; for what there is no room
/// now, room is waited for.
void publisher::topology_refused(lane& l, const failure& reason, std::uint16_t code) {
  if (l.asked.empty()) return channel_lost(l, reason);
  const auto failed = l.asked.front();
  const auto& object = failed.queue.empty() ? failed.exchange : failed.queue;
  bool adopted = false;
  if (code == reply_code::precondition_failed && read_mismatch(reason.message()))
    adopted = foreign_.insert(object).second;
  if (code == reply_code::not_found) {
    foreign_.erase(failed.exchange);
    foreign_.erase(failed.queue);
  }
  if (adopted)
    link_.log()(log_level::error,
                "[publish] " + reason.message() + " Until then it is used as it is.");
  else
    link_.log()(log_level::warning, "[publish] " + reason.message());

  const auto concerns = [&](const pending_send& p) { return failed.is_of(p.to); };
  const auto written = take_written(l);
  // What came behind the request was not taken. Of its own destination nothing came before it,
  // unless it was made again on a channel in use.
  for (const auto& s : written) s->in_doubt |= failed.again || !concerns(*s);
  if (!adopted)
    refuse(written, concerns, reason,
           code == reply_code::not_found || reason.code() == errc::limit_exceeded,
           reason.code() == errc::access_refused);
  requeue(written);
}

/// Whichever of them was the one, the others would fare no better: each would end the connection
/// once more. What is published later fails at once, for a while.
void publisher::transient_queues_forbidden(const failure& reason) {
  link_.log()(log_level::error, "[publish] " + reason.message());
  forbidden_ = {reason, link_.now() + forbidden_for};
  for (auto* l : {&apart_, &main_}) {
    const auto written = take_written(*l);
    // What came behind its own declaration was not taken.
    for (const auto& s : written)
      s->in_doubt |= std::ranges::none_of(l->asked, [&](const declaration& d) {
        return !d.queue.empty() && !d.again && d.is_of(s->to);
      });
    refuse(written, needs_transient_queue, reason, false, true);
    requeue(written);
  }
}

/// The oldest request without an answer ended the connection, as it would the next one: what it is
/// for fails. Where both lanes wait for answers, it is one of two.
void publisher::declaration_forbidden(const failure& reason) {
  link_.log()(log_level::error, "[publish] " + reason.message());
  const bool sure = main_.asked.empty() != apart_.asked.empty();
  for (auto* l : {&apart_, &main_}) {
    if (l->asked.empty()) {
      write_again(*l);
      continue;
    }
    const auto failed = l->asked.front();
    const auto concerns = [&](const pending_send& p) { return failed.is_of(p.to); };
    const auto written = take_written(*l);
    for (const auto& s : written) s->in_doubt |= failed.again || !concerns(*s);
    if (sure) forbidden_ = {reason, link_.now() + forbidden_for, failed};
    refuse(written, concerns, reason, false, sure);
    requeue(written);
  }
}

/// One exchange, or one routing key, is forbidden or gone. Which of the messages to it was the
/// first that the broker did not take, it does not say.
void publisher::destination_refused(lane& l, const amqp091::close_reason& why,
                                    const failure& reason) {
  const auto concerns = [&](const pending_send& p) { return means(why, p.to); };
  const bool alone = is_alone(l);
  const auto written = take_written(l);
  if (std::none_of(written.begin(), written.end(), [&](const auto& s) { return concerns(*s); }))
    return message_refused(l, written, alone, reason, false);
  link_.log()(log_level::warning, "[publish] " + reason.message());
  if (!alone) put_in_doubt(written);
  const bool vanished = why.code == reply_code::not_found;
  refuse(written, concerns, reason, vanished, !vanished);
  requeue(written);
}

/// Of the written ones and, when it is `for_good`, of those that wait.
void publisher::refuse(const send_queue& written, const condition& concerns, const failure& reason,
                       bool vanished, bool for_good) {
  if (for_good)
    for (const auto& s : unwritten(concerns)) give_up(s, reason);
  for (const auto& s : written) {
    if (s->at == stage::ended || !concerns(*s)) continue;  // the end of another may have ended it
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

}  // namespace oslo::messaging::rabbit
