// A thousand clients lose their broker at the same moment: when they come back, they do not come
// together. The real policy and pauses, and a clock that is moved by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <vector>

#include "protocol/link_policy.hpp"

namespace oslo::messaging::protocol {
namespace {

using namespace std::chrono_literals;
using instant = link_policy::instant;

constexpr int clients = 1'000;
constexpr auto round_trip = 1ms;
constexpr auto window = 100ms;

/// The broker of all of them: away until `opens`.
class crowd {
 public:
  crowd(instant lost, instant opens) : opens_(opens) {
    for (int i = 0; i < clients; ++i) {
      link_policy_options o;
      o.hosts = {{"10.0.0.1", 5672}};
      o.purpose = "test";
      members_.push_back(std::make_unique<link_policy>(o, static_cast<std::uint64_t>(i)));
    }
    // An hour ago all were connected.
    for (auto& m : members_) begin(*m, lost - 1h);
    up_.clear();
    attempts_.clear();
    now_ = lost;
    for (auto& m : members_)
      obey(*m, m->ended({errc::unreachable, "Connection reset by peer"}, now_));
  }

  void run_until_all_are_up() {
    while (up_.size() < members_.size() && !due_.empty()) {
      const auto next = due_.begin();
      now_ = next->first;
      const auto what = next->second;
      due_.erase(next);
      if (what.id == 0) {
        // One that wants to be woken later by now has said so.
        if (what.who->next_wake() <= now_) obey(*what.who, what.who->tick(now_));
      } else if (now_ < opens_) {
        obey(*what.who, what.who->failed(what.id, {errc::unreachable, "refused"}, false, now_));
      } else {
        greet(*what.who, what.id);
      }
    }
  }

  const std::vector<instant>& up() const { return up_; }
  /// When somebody dialled, in order.
  const std::vector<instant>& attempts() const { return attempts_; }

 private:
  struct step {
    link_policy* who;
    act::try_id id;  ///< of a dial that is answered; 0: it wanted to be woken
  };

  void begin(link_policy& who, instant at) {
    (void)who.open(at);
    const auto actions = who.tick(at);
    greet(who, std::get<act::dial>(actions.at(0)).id);
  }
  void greet(link_policy& who, act::try_id id) {
    (void)who.connected(id, now_);
    (void)who.opened(now_);
    if (who.is_open()) up_.push_back(now_);
  }
  void obey(link_policy& who, const link_actions& actions) {
    for (const auto& a : actions)
      if (const auto* dial = std::get_if<act::dial>(&a)) {
        attempts_.push_back(now_);
        due_.emplace(now_ + round_trip, step{&who, dial->id});
      }
    if (who.next_wake() != instant::max()) due_.emplace(who.next_wake(), step{&who, 0});
  }

  instant opens_;
  instant now_{};
  std::vector<std::unique_ptr<link_policy>> members_;
  std::multimap<instant, step> due_;
  std::vector<instant> up_, attempts_;
};

/// The most in any window. `times` are in order.
std::size_t most_at_once(const std::vector<instant>& times) {
  std::size_t most = 0, first = 0;
  for (std::size_t last = 0; last < times.size(); ++last) {
    while (times[last] - times[first] >= window) ++first;
    most = std::max(most, last - first + 1);
  }
  return most;
}

/// What a pause of always the same length would do: everybody comes back in step.
std::vector<instant> fixed_pauses(instant lost, instant opens, std::chrono::milliseconds pause) {
  auto back = lost;
  while (back < opens) back += pause;
  return std::vector<instant>(clients, back);
}

/// A broker that confirms one message of each and drops them again, for ever.
std::vector<instant> dropped_again_and_again(std::chrono::seconds for_so_long) {
  std::vector<instant> calls;
  const instant begun{2h};
  for (int i = 0; i < clients; ++i) {
    link_policy_options o;
    o.hosts = {{"10.0.0.1", 5672}};
    o.purpose = "test";
    link_policy who(o, static_cast<std::uint64_t>(i));
    (void)who.open(begun);
    for (auto now = begun; now < begun + for_so_long; now = std::max(now, who.next_wake())) {
      const auto actions = who.tick(now);
      calls.push_back(now);
      now += round_trip;
      (void)who.connected(std::get<act::dial>(actions.at(0)).id, now);
      (void)who.opened(now);
      who.worked();
      (void)who.ended({errc::unreachable, "Connection reset by peer"}, now);
    }
  }
  std::ranges::sort(calls);
  return calls;
}

std::vector<instant> from(const std::vector<instant>& times, instant first) {
  return {std::ranges::lower_bound(times, first), times.end()};
}

TEST(reconnect_storm, a_thousand_clients_come_back_spread_over_the_longest_pause) {
  const instant lost{2h};
  for (const auto away : {1s, 5s, 20s}) {
    const auto opens = lost + away;
    crowd all(lost, opens);
    all.run_until_all_are_up();
    ASSERT_EQ(all.up().size(), static_cast<std::size_t>(clients));
    // The attempt right after the loss meets a closed port and is not to be counted.
    const auto meanwhile = most_at_once(from(all.attempts(), lost + window));
    const auto together = most_at_once(all.up());
    const auto in_step = most_at_once(fixed_pauses(lost, opens, 1'500ms));
    const auto last = all.up().back() - opens;
    std::printf(
        "%d clients, broker away for %2d s: at most %zu attempts and %zu connections in 100 ms "
        "(fixed pauses: %zu); %zu attempts in all; the last is back after %d ms\n",
        clients, static_cast<int>(away / 1s), meanwhile, together, in_step, all.attempts().size(),
        static_cast<int>(last / 1ms));
    EXPECT_EQ(in_step, static_cast<std::size_t>(clients));
    // Evenly spread over 1.5 s it would be 67.
    EXPECT_LT(together, in_step / 4);
    EXPECT_LT(meanwhile, in_step / 2);
    EXPECT_LE(last, 1'500ms + round_trip);
  }
}

TEST(reconnect_storm, a_broker_that_drops_a_thousand_clients_again_and_again_sees_them_spread) {
  const auto calls = dropped_again_and_again(60s);
  // The first ones come as soon as they are dropped: nothing tells them from a single bad moment.
  const auto later = from(calls, instant{2h} + 1s);
  const auto together = most_at_once(later);
  std::printf(
      "%d clients, dropped again and again: at most %zu connections in 100 ms, %zu in 60 s\n",
      clients, together, calls.size());
  EXPECT_LE(calls.size(), clients * (60u / 2 + link_policy::young_at_once + 1));
  // Evenly spread over 2 s it would be 50.
  EXPECT_LT(together, clients / 4u);
}

}  // namespace
}  // namespace oslo::messaging::protocol
