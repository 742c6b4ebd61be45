// Confirms that do not come: whose silence it is, and how the others get past it.
#include <algorithm>

#include "drivers/rabbit/publisher.hpp"

namespace oslo::messaging::rabbit {
namespace {

/// So many confirms that never came are a burden for the broker.
constexpr std::size_t most_forgotten = 65'536;
/// A broker that was frozen and opens a channel is about to confirm, too.
constexpr std::chrono::seconds grace{1};

using stage = pending_send::stage;

}  // namespace

/// Nothing was confirmed since then, though something was written; `max()`: nothing is missing.
/// While the broker blocks us, no time passes.
publisher::instant publisher::silent_since(const lane& l) const {
  if (l.window.empty() || link_.is_blocked()) return instant::max();
  return std::max({*l.window.oldest(), l.confirmed_at, confirms_from_});
}

bool publisher::is_silent(instant now) const {
  const auto since = silent_since(main_);
  return since != instant::max() && now - since >= silence_limit;
}

publisher::instant publisher::silence_deadline(const lane& l) const {
  const auto since = silent_since(l);
  if (since == instant::max() || !link_.is_open()) return instant::max();
  const auto forget_at = std::max(*l.window.oldest(), confirms_from_) + confirm_limit;
  if (&l != &main_) return forget_at;
  if (next_main_open_) return std::min(forget_at, *next_main_open_ + grace);
  if (one_channel_ || next_main_ != 0 || looked_at_ >= since) return forget_at;
  return std::min(forget_at, since + silence_limit);
}

/// The channel, or the whole connection? Another channel tells.
void publisher::look_into_silence(instant now) {
  if (next_main_open_ && now >= *next_main_open_ + grace) leave_silent_channel();
  if (main_.channel == 0 || !link_.is_open() || !is_silent(now)) return;
  if (next_main_ != 0) {
    if (next_main_open_ || now - silent_since(main_) < confirm_limit) return;
    return link_.renew(
        failure(errc::unreachable, link_.broker_name() + " has answered nothing for " +
                                       std::to_string(confirm_limit.count()) + " s"));
  }
  if (one_channel_ || looked_at_ >= silent_since(main_)) return;  // once
  looked_at_ = now;
  try {
    next_main_ = link_.machine().open_channel();
  } catch (const std::length_error&) {  // all are in use
  }
}

void publisher::on_channel_open(amqp091::channel_id ch) {
  if (ch != next_main_) return;
  next_main_open_ = link_.now();
  owner_.wake_at(*next_main_open_ + grace);
}

void publisher::leave_silent_channel() {
  const auto next = std::exchange(next_main_, 0);
  next_main_open_.reset();
  if (!link_.is_open() || next == 0) return;
  if (main_.channel == 0 || !is_silent(link_.now())) return link_.machine().close_channel(next);
  link_.machine().close_channel(std::exchange(main_.channel, 0));
  set_oldest_apart();
  write_again(main_);
  begin_channel(main_, next);
}

/// It may not be the one, but those before it were confirmed. Then it soon comes back.
void publisher::set_oldest_apart() {
  if (one_channel_) return;
  const auto* oldest = main_.window.first();
  if (oldest == nullptr || oldest->on == nullptr) return;
  auto& r = *oldest->on;
  const auto silence =
      std::chrono::duration_cast<std::chrono::seconds>(link_.now() - silent_since(main_));
  link_.log()(log_level::warning,
              "[publish] " + link_.broker_name() + " has confirmed nothing for " +
                  std::to_string(silence.count()) + " s, the message for " + oldest->to.text() +
                  " first. Until it confirms, what goes there has a channel " + "of its own.");
  const auto of_route = [&](const send_ptr& s) { return s->on == &r; };
  main_.window.for_each([&](pending_send& s) {
    if (s.on == &r) clear_suspicion(s);
  });
  for (const auto& s : main_.ready)
    if (of_route(s)) {
      clear_suspicion(*s);
      apart_.ready.push_back(s);
    }
  std::erase_if(main_.ready, of_route);
  r.through = &apart_;
  r.comes_back = false;
}

/// In order: what is still on the way apart is confirmed first, and the rest is held back until
/// then.
void publisher::bring_back(route& r) noexcept {
  r.comes_back = r.admitted != 0;
  if (!r.comes_back) r.through = &main_;
}

/// There is no channel for it: what goes there takes its turn in the main one again.
void publisher::close_apart() {
  for (const auto& s : std::exchange(apart_.ready, {})) {
    clear_suspicion(*s);
    main_.ready.push_back(s);
  }
  routes_.for_each([this](route& r) {
    r.through = &main_;
    r.comes_back = false;
  });
}

void publisher::forget_old_confirms(lane& l, instant now) {
  if (!link_.is_open() || link_.is_blocked() || now - confirms_from_ < confirm_limit) return;
  const auto before = l.window.forgotten();
  // A channel on which nothing was confirmed since is stuck in the broker.
  const bool stuck = l.window.oldest() > l.confirmed_at;
  l.window.forget_before(now - confirm_limit, [&](const send_ptr& s) {
    clear_suspicion(*s);  // long since
    s->in_doubt = true;
    if (s->at == stage::ended || s->wants_reply) return discharge(*s);  // the reply may still come
    give_up(s, failure(errc::outcome_unknown, link_.broker_name() + " was silent about it for " +
                                                  std::to_string(confirm_limit.count()) + " s."));
  });
  if (!link_.is_open() || l.window.forgotten() == before) return;
  if (!stuck && l.window.forgotten() < most_forgotten) return;
  link_.machine().close_channel(std::exchange(l.channel, 0));
  write_again(l);
  l.reopen_at = now;
}

}  // namespace oslo::messaging::rabbit
