#include "protocol/link_policy.hpp"

#include <algorithm>
#include <numeric>

#include "protocol/amqp_failure.hpp"

namespace oslo::messaging::protocol {
namespace {

/// Before the next try after a fault, if even reckoning a better pause fails.
constexpr std::chrono::seconds after_fault{1};
constexpr std::size_t max_said = 16;

}  // namespace

link_policy::link_policy(link_policy_options options, std::uint64_t seed)
    : options_(std::move(options)),
      random_(seed),
      backoff_(options_.backoff, random_()),
      order_(options_.hosts.size()),
      race_(options_.hosts, options_.connect_timeout) {
  if (order_.empty()) throw_failure({errc::invalid_argument, "A link needs at least one broker."});
  if (options_.splay.count() < 0) throw_failure({errc::invalid_argument, "A splay is negative."});
  if (options_.verdict_pause.count() < 0 || options_.connect_timeout.count() <= 0)
    throw_failure({errc::invalid_argument, "A time limit of a link must be positive."});
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  shuffle();
}

void link_policy::shuffle() {
  for (auto i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random_.below(i)]);
}

link_actions link_policy::open(instant now) {
  if (phase_ == phase::idle) pause(backoff_.next(), now);
  return {};
}

link_actions link_policy::shut(std::chrono::milliseconds limit, instant now) {
  link_actions out;
  if (is_shut()) return out;
  const bool was_open = phase_ == phase::open;
  if (was_open) out.push_back(act::say_goodbye{});
  // A broker that has blocked us does not read: its goodbye would be waited for in vain.
  if (was_open && !blocked_) {
    phase_ = phase::parting;
    wake_ = now + limit;
  } else {
    finish(out);
  }
  return out;
}

void link_policy::finish(link_actions& out) {
  phase_ = phase::shut;
  blocked_ = false;
  race_.stop(out);
  out.push_back(act::hang_up{});
  out.push_back(act::report_shut{});
}

link_actions link_policy::resolved(act::try_id id, const std::vector<std::string>& addresses,
                                   instant now) {
  link_actions out;
  race_.resolved(id, addresses, now, out);
  after_race(now, out);
  return out;
}

link_actions link_policy::connected(act::try_id id, instant now) {
  link_actions out;
  if (phase_ == phase::searching && race_.connected(id, out)) {
    phase_ = phase::greeting;
    out.push_back(act::converse{id, race_.host()});
  }
  after_race(now, out);
  return out;
}

link_actions link_policy::failed(act::try_id id, failure why, bool answered, instant now) {
  link_actions out;
  race_.failed(id, std::move(why), answered, now, out);
  after_race(now, out);
  return out;
}

link_actions link_policy::tick(instant now) {
  link_actions out;
  if (phase_ == phase::pausing && now >= wake_) {
    begin_pass(now, out);
  } else if (phase_ == phase::searching) {
    race_.tick(now, out);
    after_race(now, out);
  } else if (phase_ == phase::parting && now >= wake_) {
    finish(out);
  }
  return out;
}

link_policy::instant link_policy::next_wake() const noexcept {
  switch (phase_) {
    case phase::pausing:
    case phase::parting: return wake_;
    case phase::searching: return race_.next_wake();
    default: return instant::max();
  }
}

void link_policy::begin_pass(instant now, link_actions& out) {
  phase_ = phase::searching;
  if (options_.shuffle) shuffle();
  race_.begin(order_, now, out);
  after_race(now, out);
}

void link_policy::after_race(instant now, link_actions& out) {
  if (phase_ != phase::searching && phase_ != phase::greeting) return;
  where_ = options_.hosts[race_.host()].text();
  if (phase_ == phase::searching && race_.is_over())
    end_pass(race_.why(), race_.all_refused(), race_.answered(), now, out);
}

void link_policy::end_pass(failure why, bool verdict, bool answered, instant now,
                           link_actions& out) {
  if (verdict) {
    const auto half = static_cast<std::uint64_t>(options_.verdict_pause.count() / 2);
    pause(std::chrono::milliseconds(half + random_.below(half + 1)), now);
  } else {
    pause(backoff_.next(answered), now);
  }
  last_failure_ = why;
  verdict_ = verdict;
  complain(why, verdict ? log_level::error : log_level::warning, now, out);
  out.push_back(act::report_down{{std::move(why), false, verdict}});
}

link_actions link_policy::opened(instant now) {
  link_actions out;
  if (phase_ != phase::greeting) return out;
  phase_ = phase::open;
  open_since_ = now;
  worked_ = false;
  last_failure_.reset();
  verdict_ = false;
  start_behind(race_.host());
  // Else nobody would learn of a host that is wrong as long as another one works.
  for (const auto& why : race_.verdicts()) complain(why, log_level::warning, now, out);
  out.push_back(act::say{log_level::info, "Connected to " + where_ + " to " + options_.purpose});
  out.push_back(act::report_up{});
  return out;
}

link_actions link_policy::ended(const amqp091::close_reason& why, instant now) {
  link_loss loss{to_failure(why, where_), true};
  if (why.from == amqp091::close_reason::origin::broker) loss.closed = why;
  loss.deaf = why.from == amqp091::close_reason::origin::deaf;
  return end(std::move(loss), now);
}

link_actions link_policy::ended(failure why, instant now) {
  return end({std::move(why), true}, now);
}

link_actions link_policy::end(link_loss loss, instant now) {
  link_actions out;
  switch (phase_) {
    case phase::greeting:
      phase_ = phase::searching;
      out.push_back(act::hang_up{});
      race_.winner_failed(std::move(loss.why), now, out);
      after_race(now, out);
      break;
    case phase::open:
      out.push_back(act::hang_up{});
      lose(std::move(loss), now, out);
      break;
    case phase::parting: finish(out); break;
    default: break;
  }
  return out;
}

void link_policy::lose(link_loss loss, instant now, link_actions& out) {
  blocked_ = false;
  if (now - open_since_ >= good_after) said_.clear();
  auto limit = pause_after_loss(now);
  if (options_.splay.count() > 0)
    limit += std::chrono::milliseconds(
        random_.below(static_cast<std::uint64_t>(options_.splay.count()) + 1));
  pause(limit, now);
  last_failure_ = loss.why;
  complain(loss.why, log_level::warning, now, out);
  out.push_back(act::report_down{std::move(loss)});
}

std::chrono::milliseconds link_policy::pause_after_loss(instant now) {
  const bool young = now - open_since_ < good_after;
  if (!young || worked_) backoff_.reset();
  auto limit = backoff_.next();
  if (!young || !worked_) return limit;
  paid_until_ = std::max(paid_until_, now) + good_after;
  const auto owed = std::chrono::duration_cast<std::chrono::milliseconds>(
      paid_until_ - now - young_at_once * good_after);
  if (owed.count() <= 0) return limit;
  // Clients that lost the same broker are not to come back together.
  return owed +
         std::chrono::milliseconds(random_.below(static_cast<std::uint64_t>(owed.count()) / 2 + 1));
}

link_actions link_policy::fault(failure why, instant now) {
  link_actions out;
  const auto before = phase_;
  if (before == phase::idle || before == phase::shut) return out;
  // First of all a next step: what follows could fail, too.
  phase_ = phase::pausing;
  wake_ = now + after_fault;
  switch (before) {
    case phase::greeting:
      race_.winner_failed(std::move(why), now, out);
      phase_ = phase::searching;
      after_race(now, out);
      break;
    case phase::open: lose({std::move(why), true}, now, out); break;
    case phase::parting: finish(out); break;
    default:
      race_.stop(out);
      start_behind(race_.host());  // whatever is wrong, it may be this host
      end_pass(std::move(why), false, false, now, out);
  }
  return out;
}

void link_policy::start_behind(std::size_t host) {
  const auto used = std::ranges::find(order_, host);
  std::rotate(order_.begin(), std::next(used), order_.end());
}

link_actions link_policy::blocked(bool on) {
  link_actions out;
  if (phase_ != phase::open || blocked_ == on) return out;
  blocked_ = on;
  out.push_back(act::limit_silence{!on});
  return out;
}

void link_policy::pause(std::chrono::milliseconds limit, instant now) {
  phase_ = phase::pausing;
  wake_ = now + limit;
}

/// A long outage is one line every now and then, not one a pass.
void link_policy::complain(const failure& why, log_level level, instant now, link_actions& out) {
  std::erase_if(said_, [&](const auto& s) { return now - s.second >= say_again_after; });
  const bool news =
      std::ranges::find(said_, why.message(), &decltype(said_)::value_type::first) == said_.end();
  if (news) {
    if (said_.size() == max_said) said_.erase(said_.begin());
    said_.emplace_back(why.message(), now);
  }
  out.push_back(
      act::say{news ? level : log_level::debug, "[" + options_.purpose + "] " + why.message()});
}

}  // namespace oslo::messaging::protocol
