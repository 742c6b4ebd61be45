#include "notify/outbox/outbox_queue.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/saturating.hpp"

namespace oslo::messaging::notify {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_pause{100};
constexpr milliseconds longest_pause{5'000};

/// What may pass by itself or by the operator's hand: the same message can be taken later.
bool may_pass(errc e) noexcept {
  switch (e) {
    case errc::vhost_not_found:
    case errc::authentication_failed:
    case errc::tls_failed: return true;
    default: return is_retryable(e);
  }
}

/// A broker that refuses one message closes the channel, and takes its neighbours for guilty.
bool may_be_of_a_neighbour(errc e) noexcept {
  return e == errc::precondition_failed || e == errc::access_refused || e == errc::broker_error ||
         e == errc::protocol_error;
}

}  // namespace

// ---- coming in ----------------------------------------------------------------------------------

failure outbox_queue::full() const {
  return {errc::limit_exceeded, "The outbox is full: it holds " + std::to_string(held()) +
                                    " notifications with " + std::to_string(bytes_) + " bytes."};
}

bool outbox_queue::fits(const outbox_entry& e) const noexcept {
  return held() < max_messages_ && e.bytes <= max_bytes_ - std::min(bytes_, max_bytes_);
}

void outbox_queue::number(const entry_ptr& e) noexcept {
  e->number = ++last_number_;
  ++counts_.accepted;
}

void outbox_queue::take_in(const entry_ptr& e, time_point now) {
  number(e);
  if (give_up_after_) e->deadline = deadline_after(now, *give_up_after_);
  waiting_.emplace_hint(waiting_.end(), e->number, e);
  bytes_ += e->bytes;
  waiting_bytes_ += e->bytes;
}

outbox_queue::admission outbox_queue::admit(const entry_ptr& e, time_point now,
                                            const circumstances& c, endings& out) {
  if (closing_) return {decision::refused, failure(errc::closed, "The outbox is closed.")};
  if (e->bytes > max_bytes_)
    return {decision::refused,
            failure(errc::limit_exceeded, "A notification of " + std::to_string(e->bytes) +
                                              " bytes does not fit into an outbox of " +
                                              std::to_string(max_bytes_) + " bytes.")};
  if (!c.others_wait && fits(*e)) {
    take_in(e, now);
    return {decision::taken};
  }
  switch (rule_) {
    case when_full::wait:
      if (c.may_wait) return {decision::must_wait, {}, true};
      break;
    case when_full::drop_oldest:
      if (c.may_drop && drop_for(*e, out)) {
        take_in(e, now);
        return {decision::taken, {}, true};
      }
      [[fallthrough]];
    case when_full::drop_newest:
      if (c.may_drop) {
        number(e);
        end(e, delivery_outcome::dropped, full(), out);
        return {decision::taken, {}, true};
      }
      break;
    case when_full::error: break;
  }
  return {decision::refused, full(), true};
}

/// Makes room among those that are not on their way; false, and nothing is dropped, when that is
/// not enough.
bool outbox_queue::drop_for(const outbox_entry& e, endings& out) {
  const auto bytes_on_the_way = bytes_ - waiting_bytes_;
  if (on_the_way_.size() >= max_messages_ || e.bytes > max_bytes_ - bytes_on_the_way) return false;
  while (!fits(e)) {
    const auto oldest = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    waiting_bytes_ -= oldest->bytes;
    bytes_ -= oldest->bytes;
    end(oldest, delivery_outcome::dropped, full(), out);
  }
  return true;
}

// ---- going out ----------------------------------------------------------------------------------

bool outbox_queue::can_send(time_point now) const noexcept {
  return !given_up_ && !waiting_.empty() && on_the_way_.size() < window_ && now >= paused_until_ &&
         (on_the_way_.empty() ||
          (!waiting_.begin()->second->alone && !on_the_way_.begin()->second->alone));
}

outbox_queue::entry_ptr outbox_queue::next(time_point now, endings& out) {
  while (can_send(now)) {
    const auto e = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    waiting_bytes_ -= e->bytes;
    if (e->deadline) {
      const auto left = std::chrono::ceil<milliseconds>(*e->deadline - now);
      if (left <= milliseconds(0)) {
        bytes_ -= e->bytes;
        end(e, delivery_outcome::failed,
            failure(errc::timed_out, "The notification was not delivered within " +
                                         std::to_string(give_up_after_->count()) + " ms" +
                                         (e->passing ? ": " + e->passing->message() : ".")),
            out);
        continue;
      }
      e->message.timeout = left;
    }
    e->under_way = e->left.size() + 1;
    on_the_way_.emplace(e->number, e);
    return e;
  }
  return nullptr;
}

outbox_queue::progress outbox_queue::answer(const entry_ptr& e, std::optional<std::size_t> sink,
                                            const result<void>& r, bool refused_as_a_whole,
                                            time_point now, endings& out) {
  progress p;
  if (e->ended) return p;
  if (sink) {
    bool over = true;
    if (r.has_error()) {
      const auto code = r.error().code();
      const bool passes = may_pass(code) || (refused_as_a_whole && code == errc::access_refused);
      if (passes && !(e->deadline && code == errc::timed_out)) {
        e->passing = r.error();
        e->try_later = true;
        over = false;
      } else if (!e->alone && may_be_of_a_neighbour(code)) {
        e->alone = true;
        over = false;
      } else if (!e->for_good) {
        e->for_good = r.error();
      }
    }
    if (over) std::erase(e->left, *sink);
  }
  if (--e->under_way != 0) return p;
  on_the_way_.erase(e->number);
  if (!e->left.empty()) {
    waiting_.emplace(e->number, e);
    waiting_bytes_ += e->bytes;
    if (std::exchange(e->try_later, false)) begin_pause(now, p);
    return p;
  }
  bytes_ -= e->bytes;
  p.ended = true;
  if (e->for_good) {
    end(e, delivery_outcome::failed, *e->for_good, out);
  } else {
    end(e, delivery_outcome::delivered, {}, out);
    pause_ = milliseconds(0);
    p.is_well_again = std::exchange(is_ill_, false);
  }
  return p;
}

void outbox_queue::begin_pause(time_point now, progress& p) noexcept {
  if (now < paused_until_) return;  // the same trouble
  pause_ = std::clamp(pause_ * 2, first_pause, longest_pause);
  paused_until_ = now + pause_;
  is_ill_ = true;
  p.pause = paused_until_;
}

// ---- the end ------------------------------------------------------------------------------------

void outbox_queue::end(const entry_ptr& e, delivery_outcome what, failure why, endings& out) {
  e->ended = true;
  ++(what == delivery_outcome::delivered ? counts_.delivered
     : what == delivery_outcome::dropped ? counts_.dropped
                                         : counts_.failed);
  if (what == delivery_outcome::dropped) {  // its report may have to wait
    e->message.body = {};
    e->message.ctxt = {};
  }
  out.push_back({e, what, std::move(why)});
}

void outbox_queue::give_up(endings& out) {
  given_up_ = true;
  for (const auto& [number, e] : on_the_way_)
    end(e, delivery_outcome::failed,
        failure(errc::closed,
                "The outbox was closed before the bus had confirmed the notification, which may "
                "have arrived."),
        out);
  for (const auto& [number, e] : waiting_)
    end(e, delivery_outcome::failed,
        failure(errc::closed, "The outbox was closed before the notification was sent."), out);
  on_the_way_.clear();
  waiting_.clear();
  bytes_ = waiting_bytes_ = 0;
}

outbox_counts outbox_queue::counts() const noexcept {
  auto out = counts_;
  out.held = held();
  out.bytes = bytes_;
  return out;
}

}  // namespace oslo::messaging::notify
