#include "notify/handling.hpp"

#include <algorithm>
#include <iterator>
#include <oslo/messaging/detail/current_failure.hpp>
#include <stdexcept>
#include <utility>

namespace oslo::messaging::notify {

handling::~handling() {
  if (!done_) owner_->done(std::move(messages_), {});
}

void handling::begin() noexcept {
  results_.resize(messages_.size());
  read_all();
  proceed();
}

void handling::read_all() {
  for (std::size_t i = 0; i < messages_.size(); ++i) try {
      auto n = table_.read(*messages_[i]);
      if (!n) continue;
      auto at = std::find_if(groups_.begin(), groups_.end(),
                             [&](const group& g) { return g.priority == n->priority; });
      if (at == groups_.end()) at = groups_.insert(groups_.end(), group{n->priority});
      at->read.push_back(*std::move(n));
      at->from.push_back(i);
    } catch (...) {  // of the serializer: it would not get better by another delivery
      cannot_read("was dropped, because the serializer",
                  detail::current_failure(errc::malformed_message, {}));
    }
  std::sort(groups_.begin(), groups_.end(),
            [](const group& a, const group& b) { return a.priority < b.priority; });
}

void handling::proceed() {
  const auto& endpoints = table_.all();
  while (group_ < groups_.size()) {
    const group& g = groups_[group_];
    if (endpoint_ == endpoints.size()) {
      ++group_;
      endpoint_ = 0;
      continue;
    }
    const endpoint& e = *endpoints[endpoint_++];
    const auto* const h = table_.handler(e, g.priority);
    if (h == nullptr) continue;
    try {
      if (!choose(e, g)) continue;
      if (h->deferred()) {
        if (start(*h)) return;  // the answer may be there already, and another thread at work
        continue;
      }
      take(asked(h->run(*this)));
    } catch (...) {
      take(failed(std::current_exception()));
    }
  }
  done_ = true;
  owner_->done(std::move(messages_), std::move(results_));
}

/// False: the handler threw, and its responder went down with that.
bool handling::start(const detail::handler& h) {
  using step = start_state::step;
  const std::uint32_t number = start_.load().number + 1;
  start_ = {number, step::running};
  const auto dropped = [&] {
    start_state running{number, step::running};
    if (start_.compare_exchange_strong(running, {number, step::returned})) return false;
    start_state without{number, step::running_without_responder};
    return start_.compare_exchange_strong(without, {number, step::returned});
  };
  try {
    h.start(shared_from_this());
  } catch (...) {
    const opinion o = failed(std::current_exception());
    if (!dropped()) return true;  // the answer was given, or will be
    take(o);
    return false;
  }
  if (dropped()) abandon();
  return true;
}

/// Fills `what_` with what the filter lets through; false when that is nothing.
bool handling::choose(const endpoint& e, const group& g) {
  if (e.wanted().takes_everything()) {
    what_ = g.read;
    return true;
  }
  chosen_.clear();
  std::copy_if(g.read.begin(), g.read.end(), std::back_inserter(chosen_),
               [&](const notification& n) { return wants(e, n); });
  what_ = chosen_;
  return !chosen_.empty();
}

/// What a filter cannot read it does not let through.
bool handling::wants(const endpoint& e, const notification& n) const noexcept {
  try {
    return e.wanted().matches(n);
  } catch (...) {
    cannot_read("is not wanted, because its filter",
                detail::current_failure(errc::malformed_message, {}));
    return false;
  }
}

handling::opinion handling::asked(outcome what) {
  return {{what, what == outcome::requeue ? "The handler asked for it." : ""}};
}

/// A requeue ends the work on its group. What this handler cannot read stays for the others.
void handling::take(const opinion& o) {
  if (o.what == outcome::handled) return;
  group& g = groups_[group_];
  group left{g.priority};
  for (std::size_t i = 0; i < g.read.size(); ++i) {
    if (o.unreadable && g.read[i].payload_json == *o.unreadable) {
      left.read.push_back(g.read[i]);
      left.from.push_back(g.from[i]);
    } else {
      results_[g.from[i]] = o;
    }
  }
  if (!left.read.empty()) {
    g = std::move(left);
    return;
  }
  ++group_;
  endpoint_ = 0;
}

handling::opinion handling::failed(const std::exception_ptr& error) const {
  const auto& log = table_.log();
  std::string text = "not a std::exception";
  try {
    std::rethrow_exception(error);
  } catch (const detail::wrong_payload& e) {
    unreadable(e.failure());
    return {{outcome::requeue, e.what()}, e.payload_json()};
  } catch (const std::exception& e) {
    text = e.what();
  } catch (...) {
  }
  log(log_level::error, "Exception during message handling: " + text);
  return {{outcome::requeue, std::move(text)}};
}

void handling::unreadable(const failure& why) const noexcept {
  cannot_read("was dropped, because its handler", why);
}

void handling::cannot_read(std::string_view who, const failure& why) const noexcept {
  table_.log()(log_level::error,
               "A notification " + std::string(who) + " cannot read it: " + why.message());
}

// ---- answers that come later --------------------------------------------------------------------

void handling::answer(outcome what) noexcept {
  answered_later(asked(what));
}

void handling::fail(std::exception_ptr error) noexcept {
  if (!error)
    error = std::make_exception_ptr(std::runtime_error("The handler failed without an exception."));
  answered_later(failed(error));
}

void handling::abandon() noexcept {
  // It may go down with the exception that is the reason.
  auto now = start_.load();
  if (now.at == start_state::step::running &&
      start_.compare_exchange_strong(now,
                                     {now.number, start_state::step::running_without_responder}))
    return;
  fail(std::make_exception_ptr(
      std::runtime_error("The handler dropped the notification without an answer.")));
}

/// Not at once: this may be a thread of the application, in the middle of something.
void handling::answered_later(opinion o) noexcept {
  try {
    owner_->resume([self = shared_from_this(), o = std::move(o)] {
      self->take(o);
      self->proceed();
    });
  } catch (...) {
    table_.log()(log_level::error, "The executor refused a notification: " +
                                       detail::current_failure(errc::handler_failed, {}).message());
  }
}

void handling::run(boost::asio::awaitable<outcome> handler) {
  owner_->run(std::move(handler),
              [self = shared_from_this()](std::exception_ptr error, outcome what) {
                if (error)
                  self->take(self->failed(error));
                else
                  self->take(asked(what));
                self->proceed();
              });
}

}  // namespace oslo::messaging::notify
