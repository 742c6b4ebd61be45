// How sends of a producer end, and the producer itself.
#include <utility>

#include "core/send_stage.hpp"
#include "core/tasks/guarded.hpp"
#include "drivers/kafka/pending_send.hpp"
#include "drivers/kafka/producer.hpp"

namespace oslo::messaging::kafka {
namespace {

/// How long librdkafka may take to say what became of messages that it was told to drop.
constexpr std::chrono::milliseconds time_for_verdict{250};

}  // namespace

// ---- the end of a send --------------------------------------------------------------------------

void producer::finish(const send_ptr& s, result<reply> r, bool later) {
  const auto kept = s;
  s->ended = true;
  s->on_cancel.reset();
  clear_due(s);
  --waiting_;
  if (s->expired) --expired_;
  if (!s->in_library) erase(s);
  auto done = std::exchange(kept->done, nullptr);
  if (later)
    loop_->post([done = std::move(done), r = std::move(r)]() mutable { done(std::move(r)); });
  else
    call_guarded(*loop_, done, std::move(r));
  if (waiting_ == 0 && drained_) std::exchange(drained_, nullptr)();
}

void producer::erase(const send_ptr& s) {
  const auto kept = s;
  bytes_ -= kept->body.size();
  all_->erase(kept->place);
}

void producer::set_due(const send_ptr& s) {
  clear_due(s);
  auto when = s->deadline;
  if (s->give_up && (!when || *s->give_up < *when)) when = s->give_up;
  // Most have the same time to live, so that the latest one ends last.
  if (when) s->due = due_.emplace_hint(due_.end(), *when, s.get());
}

void producer::clear_due(const send_ptr& s) {
  if (s->due) due_.erase(*std::exchange(s->due, std::nullopt));
}

void producer::arm() {
  if (due_.empty() || due_.begin()->first >= armed_) return;
  loop_->cancel(timer_);
  armed_ = due_.begin()->first;
  timer_ = loop_->run_at(armed_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->armed_ = instant::max();
    self->expire();
  });
}

void producer::expire() {
  const auto now = loop_->now();
  std::vector<send_ptr> over;
  while (!due_.empty() && due_.begin()->first <= now) {
    over.push_back(due_.begin()->second->shared_from_this());
    clear_due(over.back());
  }
  // librdkafka drops all that it holds or nothing.
  const bool unwanted = state_.is_down() && over.size() + expired_ == waiting_;
  for (const auto& s : over) {
    if (!s->in_library)
      finish(s, timed_out(*s, false));
    else if (!unwanted)
      finish(s, timed_out(*s, true));
    else
      wait_for_verdict(s);
  }
  if (unwanted && in_library_ != 0) purge();
  arm();
}

void producer::wait_for_verdict(const send_ptr& s) {
  s->expired = true;
  ++expired_;
  loop_->run_at(loop_->now() + time_for_verdict,
                [weak = weak_from_this(), weak_send = std::weak_ptr(s)] {
                  const auto self = weak.lock();
                  const auto send = weak_send.lock();
                  if (self && send && !send->ended)
                    self->finish(send, self->timed_out(*send, true));
                });
}

/// What librdkafka has not put on the wire shall not be sent when a broker is back.
void producer::purge() {
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

/// The same, when nobody waits for anything that it holds.
void producer::purge_if_unwanted() {
  if (state_.is_down() && waiting_ == 0 && in_library_ != 0) purge();
}

/// `sent_perhaps`: librdkafka has it, and may bring it to a broker yet.
failure producer::timed_out(const pending_send& s, bool sent_perhaps) const {
  const auto& why = state_.reason();
  const bool attempts_over = s.give_up && (!s.deadline || *s.give_up <= *s.deadline);
  const bool connected = state_.state() == link_state::connected;
  const auto stage = sent_perhaps ? send_stage::sent
                     : connected  ? send_stage::queued
                                  : send_stage::connecting;
  auto detail = detail_of(s, to_string(stage));
  std::string text = attempts_over ? "No broker can be reached for topic " + s.topic
                                   : "Topic " + s.topic + " has not taken the message within " +
                                         std::to_string(detail.elapsed.count()) + " ms";
  if (!why.empty()) text += " (" + why + ")";
  text += sent_perhaps ? "; it may be delivered yet." : ".";
  const auto code = !attempts_over ? errc::timed_out
                    : sent_perhaps ? errc::outcome_unknown
                                   : errc::unreachable;
  return {code, std::move(text), std::move(detail)};
}

failure_detail producer::detail_of(const pending_send& s, std::string_view stage) const {
  failure_detail d;
  d.stage = stage;
  d.destination = s.topic;
  d.broker = state_.broker();
  d.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(loop_->now() - s.begun);
  return d;
}

// ---- the end ------------------------------------------------------------------------------------

void producer::drain(unique_function<void()> done) {
  if (waiting_ == 0) return done();
  drained_ = std::move(done);
}

void producer::close(const failure& why) {
  if (std::exchange(closed_, true)) return;
  const auto self = shared_from_this();
  loop_->cancel(timer_);
  drained_ = nullptr;
  const std::vector<send_ptr> all(all_->begin(), all_->end());
  for (const auto& s : all)
    if (!s->ended) finish(s, why);
  if (!client_) return;
  event_fd::detach(events_.get());
  wake_.reset();
  events_.reset();
  client_.keep_until_the_end(std::exchange(all_, std::make_shared<std::list<send_ptr>>()));
  client_ = {};
}

}  // namespace oslo::messaging::kafka
