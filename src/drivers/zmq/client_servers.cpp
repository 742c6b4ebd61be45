// The part of `client` that knows where servers are.
#include <algorithm>
#include <utility>

#include "core/tasks/guarded.hpp"
#include "drivers/zmq/client.hpp"

namespace oslo::messaging::zmq {
namespace {

using namespace std::chrono_literals;

constexpr auto tick_at_work = 50ms, tick_at_rest = 500ms;
/// Between two look-ups of a name that something waits for, and of one that is used.
constexpr std::chrono::milliseconds look_at_work = 100ms, look_at_rest = 1s;
constexpr auto forgotten_after = 60s;
/// Notifications within so long of a look-up share it.
constexpr auto new_enough = 200ms;
/// So long a listener that was lost may take to come back for what waits for it alone.
constexpr auto time_alone = 3s;

}  // namespace

auto client::view_of(const std::string& topic, const std::string& server) -> view& {
  const bool by_topic = matchmaker_.by_topic();
  const std::string key = by_topic ? topic + '\0' + server : std::string();
  auto [at, added] = views_.try_emplace(key);
  auto& v = at->second;
  if (added && by_topic) v.name = {topic, server};
  v.used = context_->loop->now();
  return v;
}

void client::look_up(view& v) {
  const auto number = ++look_ups_;
  v.begun = number;
  v.looked = context_->loop->now();
  const std::string key =
      matchmaker_.by_topic() ? v.name.topic + '\0' + v.name.server : std::string();
  matchmaker_.find(v.name, [weak = weak_from_this(), key, number](result<addresses> r) {
    if (const auto self = weak.lock()) self->found(key, number, std::move(r));
  });
}

void client::found(const std::string& key, std::uint64_t number, result<addresses> r) {
  const auto at = views_.find(key);
  if (closed_ || at == views_.end()) return;
  auto& v = at->second;
  v.ended = std::max(v.ended, number);
  if (r) {
    v.known = true;
    v.found = *std::move(r);
    for (const auto& a : v.found) {
      auto& p = peers_[a.endpoint];
      if (p && p->where().own != a.own) {
        p->retire();
        p.reset();
      }
      if (!p) {
        if (peers_.size() > most_peers) {
          peers_.erase(a.endpoint);
          context_->log(log_level::warning, "A server of zmq:// is not connected: there are " +
                                                std::to_string(peers_.size()) + " already.");
          continue;
        }
        p = std::make_shared<peer>(context_, a, id_, static_cast<peer_events&>(*this));
        p->start();
      }
      if (!a.own) p->add_old_lane(v.name);
    }
  }
  answer_questions();
}

/// `afresh`: what was known a moment ago is not enough.
void client::ask(view& v, bool afresh, unique_function<void()> answer) {
  const auto now = context_->loop->now();
  question q{.answer = std::move(answer)};
  if (!v.questions.empty() && v.questions.back().sync == 0) {
    q.look_up = v.questions.back().look_up;  // behind those that ask already
  } else if (afresh || now - v.looked >= new_enough || v.ended == 0) {
    look_up(v);
    q.look_up = v.begun;
  }
  v.questions.push_back(std::move(q));
  context_->loop->post([self = shared_from_this()] { self->answer_questions(); });
}

bool client::is_answered(view& v, question& q) {
  if (v.ended < q.look_up) return false;
  const auto now = context_->loop->now();
  if (q.sync == 0) q.sync = ++syncs_ & 0x7fff'ffff;
  bool all = true;
  for (const auto& a : v.found) {
    const auto at = peers_.find(a.endpoint);
    if (at == peers_.end()) continue;
    auto& p = *at->second;
    if (!p.is_settled(now)) {
      all = false;
    } else if (p.is_up() && p.where().own && p.synced() < q.sync) {
      if (p.asked() < q.sync) p.sync(q.sync);
      all = false;
    }
  }
  return all;
}

void client::answer_questions() {
  for (auto& [key, v] : views_)
    while (!v.questions.empty() && is_answered(v, v.questions.front())) {
      auto q = std::move(v.questions.front());
      v.questions.pop_front();
      q.answer();
    }
}

void client::synced() {
  if (closed_) return;
  answer_questions();
  pump_soon();
}

void client::lanes_changed() {
  ++world_;
  pump_soon();
}

void client::tick() {
  if (closed_) return;
  const auto now = context_->loop->now();
  bool at_work = !busy_routes_.empty();
  for (const auto& r : std::vector(busy_routes_.begin(), busy_routes_.end())) {
    auto& v = view_of(r->topic, r->exact_endpoint.empty() ? r->server : std::string());
    refresh_candidates(*r);
    std::erase_if(r->waiting, [&](const auto& w) {
      if (still_wanted(*w.second)) return false;
      forget(*w.second);
      return true;
    });
    if (r->candidates.empty() && v.ended == v.begun && now - v.looked >= look_at_work) look_up(v);
    const bool only_one =
        r->of == subscription::service::notification || !r->exact_endpoint.empty();
    if (r->waiting.empty()) {
      busy_routes_.erase(r);
    } else if (only_one && r->candidates.empty()) {
      if (!r->alone_since) r->alone_since = now;
      if (now - *r->alone_since < time_alone) continue;
      // Whoever it was for is not there any more.
      for (const auto& [order, c] : std::exchange(r->waiting, {})) {
        forget(*c);
        finish_copy(c->pending);
      }
      busy_routes_.erase(r);
    }
  }
  for (auto at = views_.begin(); at != views_.end();) {
    auto& v = at->second;
    at_work = at_work || !v.questions.empty();
    if (now - v.used > forgotten_after && v.questions.empty()) {
      at = views_.erase(at);
      continue;
    }
    if (v.ended == v.begun && now - v.looked >= look_at_rest) look_up(v);
    ++at;
  }
  std::erase_if(routes_, [](const auto& r) { return r.second.expired(); });
  std::set<std::string> needed;
  for (const auto& [key, v] : views_)
    for (const auto& a : v.found) needed.insert(a.endpoint);
  std::vector<std::shared_ptr<peer>> all;
  for (auto at = peers_.begin(); at != peers_.end();) {
    const auto p = at->second;
    if (!needed.contains(at->first) && !p->has_work()) {
      p->close();
      at = peers_.erase(at);
      ++world_;
      continue;
    }
    all.push_back(p);
    ++at;
  }
  for (const auto& p : all) p->beat(now);
  answer_questions();
  pump_soon();
  tick_ = context_->loop->run_at(now + (at_work ? tick_at_work : tick_at_rest),
                                 [weak = weak_from_this()] {
                                   if (const auto self = weak.lock()) self->tick();
                                 });
}

}  // namespace oslo::messaging::zmq
