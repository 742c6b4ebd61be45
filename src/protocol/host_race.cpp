#include "protocol/host_race.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "protocol/amqp_failure.hpp"

namespace oslo::messaging::protocol {
namespace {

/// Addresses of a name that are tried before the next host; the others come after all hosts.
constexpr std::size_t first_addresses = 2;
/// Hosts whose words are part of one sentence.
constexpr std::size_t max_told = 6;

bool is_v6(const std::string& address) {
  return address.find(':') != std::string::npos;
}

/// One of each family in turn, so that a family that leads nowhere costs one try and not all.
std::vector<std::string> alternating(const std::vector<std::string>& addresses) {
  std::deque<std::string> kinds[2];
  for (const auto& a : addresses)
    if (auto& kind = kinds[is_v6(a)]; std::ranges::find(kind, a) == kind.end()) kind.push_back(a);
  std::vector<std::string> mixed;
  bool v6 = !addresses.empty() && is_v6(addresses.front());
  while (mixed.size() < host_race::max_addresses && !(kinds[0].empty() && kinds[1].empty())) {
    if (kinds[v6].empty()) v6 = !v6;
    mixed.push_back(std::move(kinds[v6].front()));
    kinds[v6].pop_front();
    v6 = !v6;
  }
  return mixed;
}

}  // namespace

std::string endpoint::text() const {
  return (is_v6(host) ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool endpoint::is_literal() const noexcept {
  in6_addr ignored{};
  return is_v6(host) || ::inet_pton(AF_INET, host.c_str(), &ignored) == 1;
}

void host_race::begin(const std::vector<std::size_t>& order, instant now, link_actions& out) {
  outcomes_.assign(hosts_.size(), {});
  queue_.clear();
  tries_.clear();
  winner_.reset();
  answered_ = false;
  for (const auto host : order)
    queue_.push_back({host, hosts_[host].is_literal() ? hosts_[host].host : std::string()});
  next_start_ = now;
  advance(now, out);
}

std::deque<host_race::candidate>::const_iterator host_race::startable() const noexcept {
  const auto is_look_up = [](const attempt& t) { return t.what.address.empty(); };
  const auto look_ups =
      static_cast<std::size_t>(std::count_if(tries_.begin(), tries_.end(), is_look_up));
  return std::ranges::find_if(queue_, [&](const candidate& c) {
    return c.address.empty() ? look_ups < max_look_ups : tries_.size() - look_ups < max_dials;
  });
}

void host_race::advance(instant now, link_actions& out) {
  if (winner_ || now < next_start_) return;
  const auto next = startable();
  if (next == queue_.end()) return;
  attempt t{++last_id_, *next, now + limit_};
  queue_.erase(next);
  const auto& host = hosts_[t.what.host];
  last_host_ = t.what.host;
  if (t.what.address.empty())
    out.push_back(act::look_up{t.id, host});
  else
    out.push_back(act::dial{t.id, {t.what.address, host.port}, host});
  tries_.push_back(std::move(t));
  next_start_ = now + stagger;
}

std::optional<host_race::attempt> host_race::take(act::try_id id) {
  const auto it = std::ranges::find(tries_, id, &attempt::id);
  if (it == tries_.end()) return std::nullopt;
  auto t = std::move(*it);
  tries_.erase(it);
  return t;
}

void host_race::resolved(act::try_id id, const std::vector<std::string>& addresses, instant now,
                         link_actions& out) {
  const auto t = take(id);
  if (!t) return;
  auto mixed = alternating(addresses);
  if (mixed.empty())
    note(t->what.host, {errc::unreachable, hosts_[t->what.host].text() + " has no address"}, false,
         out);
  const auto first = std::min(mixed.size(), first_addresses);
  for (auto i = first; i > 0; --i) queue_.push_front({t->what.host, std::move(mixed[i - 1])});
  for (auto i = first; i < mixed.size(); ++i) queue_.push_back({t->what.host, std::move(mixed[i])});
  next_start_ = now;
  advance(now, out);
}

bool host_race::connected(act::try_id id, link_actions& out) {
  const auto t = take(id);
  if (!t) return false;
  for (auto it = tries_.rbegin(); it != tries_.rend(); ++it) {
    out.push_back(act::give_up{it->id});
    queue_.push_front(std::move(it->what));
  }
  tries_.clear();
  winner_ = t->what.host;
  answered_ = true;
  return true;
}

void host_race::failed(act::try_id id, failure why, bool answered, instant now, link_actions& out) {
  const auto t = take(id);
  if (!t) return;
  note(t->what.host, std::move(why), answered, out);
  next_start_ = now;
  advance(now, out);
}

void host_race::winner_failed(failure why, instant now, link_actions& out) {
  if (!winner_) return;
  note(*std::exchange(winner_, std::nullopt), std::move(why), true, out);
  next_start_ = now;
  advance(now, out);
}

void host_race::tick(instant now, link_actions& out) {
  for (std::size_t i = 0; i < tries_.size();) {
    if (now < tries_[i].deadline) {
      ++i;
      continue;
    }
    const auto late = take(tries_[i].id);
    out.push_back(act::give_up{late->id});
    note(late->what.host,
         {errc::unreachable,
          hosts_[late->what.host].text() +
              (late->what.address.empty() ? " was not found within " : " did not answer within ") +
              std::to_string(limit_.count()) + " ms"},
         false, out);
    next_start_ = now;
    i = 0;  // a note may end other tries, too
  }
  advance(now, out);
}

void host_race::stop(link_actions& out) {
  for (const auto& t : tries_) out.push_back(act::give_up{t.id});
  tries_.clear();
  queue_.clear();
  winner_.reset();
}

/// Keeps the failure if it tells as much as what is known. A verdict ends all tries of its host.
void host_race::note(std::size_t host, failure why, bool answered, link_actions& out) {
  answered_ |= answered;
  const auto value = is_verdict(why.code()) ? worth::verdict
                     : answered             ? worth::answered
                                            : worth::unreachable;
  auto& known = outcomes_[host];
  if (value >= known.value) known = {value, std::move(why)};
  if (value != worth::verdict) return;
  const auto same_host = [&](const candidate& c) { return c.host == host; };
  std::erase_if(queue_, same_host);
  std::erase_if(tries_, [&](const attempt& t) {
    if (!same_host(t.what)) return false;
    out.push_back(act::give_up{t.id});
    return true;
  });
}

host_race::instant host_race::next_wake() const noexcept {
  if (winner_) return instant::max();
  auto next = startable() == queue_.end() ? instant::max() : next_start_;
  for (const auto& t : tries_) next = std::min(next, t.deadline);
  return next;
}

bool host_race::all_refused() const noexcept {
  return std::ranges::all_of(outcomes_, [](const outcome& o) { return o.value == worth::verdict; });
}

std::vector<failure> host_race::verdicts() const {
  std::vector<failure> all;
  for (const auto& o : outcomes_)
    if (o.value == worth::verdict) all.push_back(o.why);
  return all;
}

failure host_race::why() const {
  std::vector<failure> told = verdicts();
  for (const auto& o : outcomes_)
    if (o.value == worth::unreachable || o.value == worth::answered) told.push_back(o.why);
  if (told.empty()) return {errc::unreachable, "no broker was tried"};
  const bool alike =
      std::ranges::all_of(told, [&](const failure& f) { return f.code() == told[0].code(); });
  const auto code = alike || all_refused() ? told[0].code() : errc::unreachable;
  std::string text;
  for (std::size_t i = 0; i < std::min(told.size(), max_told); ++i)
    text += (i == 0 ? "" : "; ") + told[i].message();
  if (told.size() > max_told) text += "; and " + std::to_string(told.size() - max_told) + " more";
  return {code, std::move(text)};
}

}  // namespace oslo::messaging::protocol
