#include "protocol/link_policy.hpp"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "support/link_lines.hpp"

namespace oslo::messaging::protocol {
namespace {

using namespace std::chrono_literals;
using link_script::lines_of;
using link_script::said;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using ms = std::chrono::milliseconds;
using lines = std::vector<std::string>;

/// A policy and a time that stands still until it is moved.
struct fixture {
  static link_policy_options options(std::vector<endpoint> hosts) {
    return {std::move(hosts), {1s, 2.0, 30s, 1'500ms}, 5s, 10s, "test"};
  }
  explicit fixture(std::vector<endpoint> hosts, std::uint64_t seed = 1)
      : fixture(options(std::move(hosts)), seed) {}
  fixture(link_policy_options o, std::uint64_t seed) : policy(std::move(o), seed) {}

  lines tick() { return lines_of(policy.tick(now)); }
  /// Moves to the next time that the policy asks for.
  ms wake() {
    const auto before = now;
    EXPECT_NE(policy.next_wake(), link_policy::instant::max()) << "stuck";
    now = std::max(now, policy.next_wake());
    return std::chrono::duration_cast<ms>(now - before);
  }
  lines start() {
    (void)policy.open(now);
    wake();
    return tick();
  }
  failure refused(const std::string& text = "refused") { return {errc::unreachable, text}; }
  link_actions fail(act::try_id id, const std::string& text = "refused") {
    return policy.failed(id, refused(text), false, now);
  }
  /// Dials until it is open; for policies whose next dial has this number.
  void open(act::try_id id) {
    (void)policy.connected(id, now);
    (void)policy.opened(now);
    ASSERT_TRUE(policy.is_open());
  }

  link_policy::instant now{1h};
  link_policy policy;
};

amqp091::close_reason broker_says(std::uint16_t code, const std::string& text) {
  return {amqp091::close_reason::origin::broker, code, text, 10, 40};
}
amqp091::close_reason cut() {
  return {amqp091::close_reason::origin::transport, 0, "End of file"};
}

TEST(link_policy, one_address_from_idle_to_open_and_shut) {
  fixture f({{"10.0.0.1", 5672}});
  EXPECT_TRUE(f.policy.is_idle());
  EXPECT_EQ(f.policy.next_wake(), link_policy::instant::max());
  EXPECT_THAT(f.start(), ElementsAre("dial 1 10.0.0.1:5672"));
  EXPECT_EQ(f.policy.where(), "10.0.0.1:5672");
  EXPECT_THAT(lines_of(f.policy.open(f.now)), IsEmpty());  // it is under way
  EXPECT_THAT(lines_of(f.policy.connected(1, f.now)), ElementsAre("converse 1"));
  EXPECT_FALSE(f.policy.is_open());
  const auto up = f.policy.opened(f.now);
  EXPECT_THAT(lines_of(up), ElementsAre("up"));
  EXPECT_THAT(said(up), ElementsAre("INFO Connected to 10.0.0.1:5672 to test"));
  EXPECT_EQ(f.policy.next_wake(), link_policy::instant::max());
  EXPECT_THAT(lines_of(f.policy.shut(2s, f.now)), ElementsAre("goodbye"));
  EXPECT_TRUE(f.policy.is_shut());
  EXPECT_THAT(lines_of(f.policy.ended(cut(), f.now)), ElementsAre("hang_up", "shut"));
  EXPECT_EQ(f.policy.next_wake(), link_policy::instant::max());
}

TEST(link_policy, a_goodbye_that_is_not_answered_is_waited_for_no_longer_than_asked) {
  fixture f({{"10.0.0.1", 5672}});
  f.start();
  f.open(1);
  (void)f.policy.shut(2s, f.now);
  EXPECT_EQ(f.wake(), 2s);
  EXPECT_THAT(f.tick(), ElementsAre("hang_up", "shut"));
}

TEST(link_policy, a_shut_before_it_is_open_ends_everything_at_once) {
  fixture idle({{"10.0.0.1", 5672}});
  EXPECT_THAT(lines_of(idle.policy.shut(2s, idle.now)), ElementsAre("hang_up", "shut"));
  EXPECT_THAT(idle.policy.open(idle.now), IsEmpty());
  EXPECT_EQ(idle.policy.next_wake(), link_policy::instant::max());

  fixture dialling({{"10.0.0.1", 5672}});
  dialling.start();
  EXPECT_THAT(lines_of(dialling.policy.shut(2s, dialling.now)),
              ElementsAre("give_up 1", "hang_up", "shut"));
  EXPECT_THAT(dialling.policy.connected(1, dialling.now), IsEmpty());

  fixture greeting({{"10.0.0.1", 5672}});
  greeting.start();
  (void)greeting.policy.connected(1, greeting.now);
  EXPECT_THAT(lines_of(greeting.policy.shut(2s, greeting.now)), ElementsAre("hang_up", "shut"));
  EXPECT_THAT(greeting.policy.opened(greeting.now), IsEmpty());
  EXPECT_THAT(greeting.policy.shut(2s, greeting.now), IsEmpty());
}

TEST(link_policy, a_blocked_link_is_silent_for_good_reason_and_does_not_wait_for_a_goodbye) {
  fixture f({{"10.0.0.1", 5672}});
  f.start();
  f.open(1);
  EXPECT_THAT(lines_of(f.policy.blocked(true)), ElementsAre("allow_silence"));
  EXPECT_THAT(f.policy.blocked(true), IsEmpty());
  EXPECT_TRUE(f.policy.is_blocked());
  EXPECT_THAT(lines_of(f.policy.blocked(false)), ElementsAre("limit_silence"));
  (void)f.policy.blocked(true);
  EXPECT_THAT(lines_of(f.policy.shut(2s, f.now)), ElementsAre("goodbye", "hang_up", "shut"));
}

TEST(link_policy, a_new_connection_is_not_blocked) {
  fixture f({{"10.0.0.1", 5672}});
  f.start();
  f.open(1);
  (void)f.policy.blocked(true);
  (void)f.policy.ended(cut(), f.now);
  EXPECT_FALSE(f.policy.is_blocked());
}

// ---- The race --------------------------------------------------------------------------------

TEST(link_policy, addresses_race_and_the_others_wait_in_case_that_the_winner_fails) {
  fixture f({{"rabbit", 5672}});
  EXPECT_THAT(f.start(), ElementsAre("look_up 1 rabbit"));
  EXPECT_THAT(lines_of(f.policy.resolved(1, {"10.0.0.1", "10.0.0.2", "10.0.0.3"}, f.now)),
              ElementsAre("dial 2 10.0.0.1:5672"));
  EXPECT_EQ(f.wake(), 250ms);
  EXPECT_THAT(f.tick(), ElementsAre("dial 3 10.0.0.2:5672"));
  EXPECT_THAT(lines_of(f.policy.connected(3, f.now)), ElementsAre("give_up 2", "converse 3"));
  EXPECT_THAT(f.policy.connected(2, f.now), IsEmpty());  // too late
  EXPECT_THAT(lines_of(f.policy.ended(cut(), f.now)),
              ElementsAre("hang_up", "dial 4 10.0.0.1:5672"));
}

TEST(link_policy, a_refused_dial_is_followed_by_the_next_one_at_once) {
  fixture f({{"rabbit", 5672}});
  f.start();
  (void)f.policy.resolved(1, {"10.0.0.1", "10.0.0.2"}, f.now);
  EXPECT_THAT(lines_of(f.fail(2)), ElementsAre("dial 3 10.0.0.2:5672"));
}

TEST(link_policy, every_address_has_a_time_limit_of_its_own) {
  fixture f({{"rabbit", 5672}});
  f.start();
  (void)f.policy.resolved(1, {"10.0.0.1", "10.0.0.2"}, f.now);
  f.wake();
  f.tick();
  EXPECT_EQ(f.wake(), 4'750ms);
  EXPECT_THAT(f.tick(), ElementsAre("give_up 2"));
  EXPECT_EQ(f.wake(), 250ms);
  EXPECT_THAT(f.tick(), ElementsAre("give_up 3", "down rabbit:5672 did not answer within 5000 ms"));
}

TEST(link_policy, families_take_turns) {
  fixture f({{"rabbit", 5672}});
  f.start();
  EXPECT_THAT(lines_of(f.policy.resolved(1, {"fd00::1", "fd00::2", "10.0.0.1"}, f.now)),
              ElementsAre("dial 2 [fd00::1]:5672"));
  EXPECT_THAT(lines_of(f.fail(2)), ElementsAre("dial 3 10.0.0.1:5672"));
  EXPECT_THAT(lines_of(f.fail(3)), ElementsAre("dial 4 [fd00::2]:5672"));
}

TEST(link_policy, a_name_brings_sixteen_addresses_and_four_dials_at_most) {
  fixture f({{"rabbit", 5672}});
  f.start();
  std::vector<std::string> many;
  for (int i = 0; i < 1'000; ++i) many.push_back("10.0.0." + std::to_string(i));
  (void)f.policy.resolved(1, many, f.now);
  for (int i = 0; i < 3; ++i) {
    f.wake();
    EXPECT_EQ(f.tick().size(), 1u);
  }
  EXPECT_EQ(f.wake(), 4'250ms) << "a fifth dial";
  int dials = 4;
  while (f.policy.last_failure() == std::nullopt) {
    for (const auto& l : f.tick()) dials += l.starts_with("dial");
    if (!f.policy.last_failure()) f.wake();
  }
  EXPECT_EQ(dials, 16);
}

TEST(link_policy, a_name_without_an_address_is_a_failure) {
  fixture f({{"rabbit", 5672}});
  f.start();
  EXPECT_THAT(lines_of(f.policy.resolved(1, {}, f.now)),
              ElementsAre("down rabbit:5672 has no address"));
}

/// The seed with which the hosts come in the order of the list.
std::uint64_t seed_for(const std::vector<endpoint>& hosts) {
  for (std::uint64_t seed = 0;; ++seed) {
    fixture f(hosts, seed);
    f.start();
    if (f.policy.where() != hosts[0].text()) continue;
    if (hosts.size() == 2) return seed;
    (void)f.fail(1);
    if (f.policy.where() == hosts[1].text()) return seed;
  }
}

TEST(link_policy, an_address_does_not_wait_for_a_look_up_that_hangs) {
  const std::vector<endpoint> hosts{{"slow", 1}, {"10.0.0.2", 2}};
  fixture f(hosts, seed_for(hosts));
  EXPECT_THAT(f.start(), ElementsAre("look_up 1 slow"));
  EXPECT_EQ(f.wake(), 250ms);
  EXPECT_THAT(f.tick(), ElementsAre("dial 2 10.0.0.2:2"));
  EXPECT_THAT(lines_of(f.policy.connected(2, f.now)), ElementsAre("give_up 1", "converse 2"));
}

TEST(link_policy, look_ups_that_hang_do_not_use_up_the_dials) {
  std::vector<endpoint> hosts;
  for (int i = 0; i < 20; ++i) hosts.push_back({"slow" + std::to_string(i), 1});
  hosts.push_back({"10.0.0.2", 2});
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    fixture f(hosts, seed);
    auto seen = f.start();
    const auto begun = f.now;
    while (seen.empty() || !seen.back().starts_with("dial")) {
      f.wake();
      const auto more = f.tick();
      seen.insert(seen.end(), more.begin(), more.end());
    }
    EXPECT_LE(f.now - begun, 1s);
  }
}

TEST(link_policy, a_look_up_that_takes_too_long_has_failed) {
  fixture f({{"slow", 1}});
  f.start();
  EXPECT_EQ(f.wake(), 5s);
  EXPECT_THAT(f.tick(), ElementsAre("give_up 1", "down slow:1 was not found within 5000 ms"));
  EXPECT_THAT(f.policy.resolved(1, {"10.0.0.1"}, f.now), IsEmpty());
}

TEST(link_policy, a_pass_starts_behind_the_host_that_was_used_last) {
  const std::vector<endpoint> hosts{{"10.0.0.1", 1}, {"10.0.0.2", 2}, {"10.0.0.3", 3}};
  fixture f(hosts, seed_for(hosts));
  f.start();
  (void)f.fail(1);
  f.open(2);
  EXPECT_EQ(f.policy.where(), "10.0.0.2:2");
  f.now += 1min;
  (void)f.policy.ended(cut(), f.now);
  f.wake();
  EXPECT_THAT(f.tick(), ElementsAre("dial 3 10.0.0.3:3"));
  EXPECT_THAT(lines_of(f.fail(3)), ElementsAre("dial 4 10.0.0.1:1"));
  EXPECT_THAT(lines_of(f.fail(4)), ElementsAre("dial 5 10.0.0.2:2"));
}

TEST(link_policy, clients_spread_over_the_hosts) {
  std::map<std::string, int> first;
  for (std::uint64_t seed = 0; seed < 3'000; ++seed) {
    fixture f({{"10.0.0.1", 1}, {"10.0.0.2", 2}, {"10.0.0.3", 3}}, seed);
    f.start();
    ++first[f.policy.where()];
  }
  for (const auto& [where, count] : first) EXPECT_NEAR(count, 1'000, 120) << where;
}

// ---- Failures, verdicts, pauses --------------------------------------------------------------

/// kombu_failover_strategy = shuffle.
TEST(link_policy, passes_in_an_order_of_their_own_each) {
  std::vector<endpoint> hosts;
  for (int i = 1; i <= 5; ++i) hosts.push_back({"10.0.0." + std::to_string(i), 1});
  const auto orders = [&](bool shuffle) {
    auto o = fixture::options(hosts);
    o.shuffle = shuffle;
    fixture f(std::move(o), 1);
    auto at_first = f.start().at(0);
    std::set<std::string> seen;
    act::try_id id = 1;
    for (int pass = 0; pass < 20; ++pass) {
      std::string order;
      for (int i = 0; i < 5; ++i) {
        order += at_first.substr(at_first.rfind(' '));
        const auto then = lines_of(f.fail(id++));
        if (i < 4) at_first = then.at(0);
      }
      seen.insert(order);
      f.wake();
      at_first = f.tick().at(0);
    }
    return seen.size();
  };
  EXPECT_EQ(orders(false), 1u);
  EXPECT_GT(orders(true), 10u);
}

TEST(link_policy, a_pass_that_fails_is_reported_once_with_the_words_of_every_host) {
  const std::vector<endpoint> hosts{{"10.0.0.1", 1}, {"10.0.0.2", 2}};
  fixture f(hosts, seed_for(hosts));
  f.start();
  EXPECT_THAT(lines_of(f.fail(1, "one is down")), ElementsAre("dial 2 10.0.0.2:2"));
  EXPECT_EQ(f.policy.last_failure(), std::nullopt);
  EXPECT_THAT(lines_of(f.fail(2, "two is down")), ElementsAre("down one is down; two is down"));
  EXPECT_EQ(f.policy.last_failure()->code(), errc::unreachable);
  EXPECT_EQ(f.policy.verdict(), nullptr);
}

TEST(link_policy, a_verdict_of_one_host_does_not_keep_us_from_the_other) {
  const std::vector<endpoint> hosts{{"one", 1}, {"10.0.0.2", 2}};
  fixture f(hosts, seed_for(hosts));
  f.start();
  (void)f.policy.resolved(1, {"10.0.1.1", "10.0.1.2", "10.0.1.3"}, f.now);
  (void)f.policy.connected(2, f.now);
  // Its other addresses are not tried.
  EXPECT_THAT(lines_of(f.policy.ended(broker_says(403, "ACCESS_REFUSED"), f.now)),
              ElementsAre("hang_up", "dial 3 10.0.0.2:2"));
  (void)f.policy.connected(3, f.now);
  const auto up = f.policy.opened(f.now);
  EXPECT_THAT(lines_of(up), ElementsAre("up"));
  EXPECT_THAT(said(up), ElementsAre("WARNING [test] one:1 refused with code 403: ACCESS_REFUSED",
                                    "INFO Connected to 10.0.0.2:2 to test"));
}

TEST(link_policy, a_verdict_ends_other_dials_of_its_host) {
  fixture f({{"one", 1}});
  f.start();
  (void)f.policy.resolved(1, {"10.0.1.1", "10.0.1.2"}, f.now);
  f.wake();
  f.tick();
  EXPECT_THAT(lines_of(f.policy.failed(2, {errc::tls_failed, "expired"}, true, f.now)),
              ElementsAre("give_up 3", "down verdict expired"));
}

TEST(link_policy, a_verdict_beside_a_host_that_is_down_is_no_verdict_but_is_told_first) {
  const std::vector<endpoint> hosts{{"10.0.0.1", 1}, {"10.0.0.2", 2}};
  fixture f(hosts, seed_for(hosts));
  f.start();
  (void)f.fail(1, "one is down");
  (void)f.policy.connected(2, f.now);
  const auto down = f.policy.ended(broker_says(530, "NOT_ALLOWED - vhost v not found"), f.now);
  EXPECT_THAT(lines_of(down),
              ElementsAre("hang_up",
                          "down 10.0.0.2:2 refused with code 530: NOT_ALLOWED - vhost v "
                          "not found; one is down"));
  EXPECT_THAT(said(down), ElementsAre(HasSubstr("WARNING")));
  EXPECT_EQ(f.policy.verdict(), nullptr);
  EXPECT_EQ(f.policy.last_failure()->code(), errc::unreachable);
  EXPECT_LE(f.wake(), 1s) << "the ordinary pause";
}

TEST(link_policy, verdicts_of_all_hosts_are_a_verdict_with_a_slow_pause_of_random_length) {
  const std::vector<endpoint> hosts{{"10.0.0.1", 1}, {"10.0.0.2", 2}};
  std::set<ms> pauses;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    fixture f(hosts, seed);
    f.start();
    (void)f.policy.connected(1, f.now);
    (void)f.policy.ended(broker_says(530, "NOT_ALLOWED - connection limit reached"), f.now);
    (void)f.policy.connected(2, f.now);
    const auto down =
        f.policy.ended(broker_says(530, "NOT_ALLOWED - connection limit reached"), f.now);
    EXPECT_THAT(lines_of(down).back(), HasSubstr("down verdict"));
    EXPECT_THAT(said(down), ElementsAre(HasSubstr("ERROR [test] ")));
    ASSERT_NE(f.policy.verdict(), nullptr);
    EXPECT_EQ(f.policy.verdict()->code(), errc::access_refused);
    pauses.insert(f.wake());
    EXPECT_EQ(f.tick().size(), 1u) << "the next pass";
  }
  EXPECT_GE(*pauses.begin(), 5s);
  EXPECT_LT(*pauses.begin(), 5'500ms);
  EXPECT_LE(*pauses.rbegin(), 10s);
  EXPECT_GT(*pauses.rbegin(), 9'500ms);
}

TEST(link_policy, a_login_mechanism_that_is_not_offered_is_a_verdict) {
  fixture f({{"10.0.0.1", 1}});
  f.start();
  (void)f.policy.connected(1, f.now);
  (void)f.policy.ended({amqp091::close_reason::origin::protocol, 403, "No EXTERNAL."}, f.now);
  ASSERT_NE(f.policy.verdict(), nullptr);
  EXPECT_EQ(f.policy.verdict()->code(), errc::authentication_failed);
}

TEST(link_policy, a_verdict_is_forgotten_once_the_link_is_open) {
  fixture f({{"10.0.0.1", 1}});
  f.start();
  (void)f.policy.failed(1, {errc::tls_failed, "expired"}, true, f.now);
  ASSERT_NE(f.policy.verdict(), nullptr);
  f.wake();
  f.tick();
  f.open(2);
  EXPECT_EQ(f.policy.verdict(), nullptr);
  EXPECT_EQ(f.policy.last_failure(), std::nullopt);
}

TEST(link_policy, what_the_broker_said_to_an_open_connection_is_handed_on) {
  fixture f({{"10.0.0.1", 1}});
  f.start();
  f.open(1);
  EXPECT_THAT(
      lines_of(f.policy.ended(broker_says(541, "INTERNAL_ERROR"), f.now)),
      ElementsAre("hang_up", "lost 10.0.0.1:1 refused with code 541: INTERNAL_ERROR (541)"));
}

TEST(link_policy, a_connection_that_was_good_is_replaced_at_once) {
  fixture f({{"10.0.0.1", 1}});
  f.start();
  f.open(1);
  f.now += 2s;
  EXPECT_THAT(lines_of(f.policy.ended(cut(), f.now)),
              ElementsAre("hang_up", "lost 10.0.0.1:1 closed the connection: End of file"));
  EXPECT_EQ(f.wake(), 0ms);
}

TEST(link_policy, with_a_splay_a_lost_connection_is_replaced_after_a_random_pause) {
  ms longest{0};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    auto o = fixture::options({{"10.0.0.1", 1}});
    o.splay = 3s;
    fixture f(std::move(o), seed);
    f.start();
    EXPECT_EQ(f.now, link_policy::instant(1h)) << "the first connection does not wait";
    f.open(1);
    f.now += 1h;
    (void)f.policy.ended(cut(), f.now);
    const auto pause = f.wake();
    ASSERT_LE(pause, 3s);
    longest = std::max(longest, pause);
  }
  EXPECT_GT(longest, 2'700ms);
}

TEST(link_policy, connections_that_die_young_are_replaced_ever_more_slowly) {
  ms longest{0}, total{0};
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    fixture f({{"10.0.0.1", 1}}, seed);
    f.start();
    for (act::try_id id = 1; id <= 20; ++id) {
      f.open(id);
      f.now += 1'999ms;
      (void)f.policy.ended(cut(), f.now);
      const auto pause = f.wake();
      longest = std::max(longest, pause);
      total += pause;
      f.tick();
    }
  }
  EXPECT_GT(longest, 28s);
  EXPECT_LE(longest, 30s);
  EXPECT_GT(total / 1'000, 8s);
}

/// Opened, of use, and lost again that much later; how long it is then not tried again.
ms pause_after_a_life_of(fixture& f, act::try_id id, ms life) {
  f.open(id);
  f.policy.worked();
  f.now += life;
  (void)f.policy.ended(cut(), f.now);
  const auto pause = f.wake();
  f.tick();
  return pause;
}

TEST(link_policy, a_connection_that_was_of_use_is_replaced_at_once_however_short_it_lived) {
  fixture f({{"10.0.0.1", 1}});
  f.start();
  for (act::try_id id = 1; id <= link_policy::young_at_once; ++id)
    EXPECT_EQ(pause_after_a_life_of(f, id, 0ms), 0ms) << id;
  EXPECT_GT(pause_after_a_life_of(f, 4, 0ms), 0ms);
}

TEST(link_policy, resets_a_second_apart_cost_a_moment_each_and_never_half_a_minute) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    fixture f({{"10.0.0.1", 1}}, seed);
    f.start();
    for (act::try_id id = 1; id <= 200; ++id) {
      const auto pause = pause_after_a_life_of(f, id, 1s);
      ASSERT_LE(pause, 1'500ms) << id;
      if (id <= 5) {
        ASSERT_EQ(pause, 0ms) << id;
      }
    }
  }
}

TEST(link_policy, resets_two_seconds_apart_on_average_cost_nothing) {
  fixture f({{"10.0.0.1", 1}});
  f.start();
  for (act::try_id id = 1; id <= 100; ++id)
    ASSERT_EQ(pause_after_a_life_of(f, id, id % 2 == 0 ? 1s : 3s), 0ms) << id;
}

TEST(link_policy, a_broker_that_confirms_one_message_and_drops_us_is_called_every_two_seconds) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    fixture f({{"10.0.0.1", 1}}, seed);
    f.start();
    const auto begun = f.now;
    act::try_id calls = 0;
    ms longest{0};
    while (f.now - begun < 1h) longest = std::max(longest, pause_after_a_life_of(f, ++calls, 1ms));
    EXPECT_LE(calls, 1'800u + link_policy::young_at_once + 1);
    EXPECT_GT(calls, 1'200u);
    EXPECT_LE(longest, 3s);
  }
}

TEST(link_policy, what_was_of_use_once_is_no_merit_of_the_next_connection) {
  fixture f({{"10.0.0.1", 1}});
  f.start();
  (void)pause_after_a_life_of(f, 1, 0ms);
  ms longest{0};
  for (act::try_id id = 2; id <= 20; ++id) {
    f.open(id);
    (void)f.policy.ended(cut(), f.now);
    longest = std::max(longest, f.wake());
    f.tick();
  }
  EXPECT_GT(longest, 10s);
}

TEST(link_policy, pauses_stay_short_while_nobody_answers) {
  fixture f({{"10.0.0.1", 1}});
  f.start();
  for (act::try_id id = 1; id < 50; ++id) {
    (void)f.fail(id);
    EXPECT_LE(f.wake(), 1'500ms);
    f.tick();
  }
}

TEST(link_policy, a_peer_that_answers_and_throws_us_out_is_not_bothered_often) {
  fixture f({{"10.0.0.1", 1}});
  f.start();
  ms longest{0};
  for (act::try_id id = 1; id < 50; ++id) {
    (void)f.policy.failed(id, f.refused(), true, f.now);
    longest = std::max(longest, f.wake());
    f.tick();
  }
  EXPECT_GT(longest, 10s);
}

TEST(link_policy, the_same_failure_is_one_line_in_thirty_seconds) {
  fixture f({{"10.0.0.1", 1}});
  f.start();
  const auto begun = f.now;
  std::size_t count = 0;
  for (act::try_id id = 1; f.now - begun < 5min; ++id) {
    count += said(f.fail(id, "nobody there")).size();
    f.wake();
    f.tick();
  }
  EXPECT_GE(count, 9u);
  EXPECT_LE(count, 11u);
}

TEST(link_policy, another_failure_is_said_at_once) {
  fixture f({{"10.0.0.1", 1}});
  f.start();
  EXPECT_THAT(said(f.fail(1, "a")), ElementsAre("WARNING [test] a"));
  f.wake();
  f.tick();
  EXPECT_THAT(said(f.fail(2, "b")), ElementsAre("WARNING [test] b"));
  f.wake();
  f.tick();
  EXPECT_THAT(said(f.fail(3, "a")), IsEmpty());
}

TEST(link_policy, a_connection_that_flaps_does_not_fill_the_log) {
  fixture f({{"10.0.0.1", 1}});
  f.start();
  f.open(1);
  EXPECT_EQ(said(f.policy.ended(cut(), f.now)).size(), 1u);
  f.wake();
  f.tick();
  f.open(2);
  EXPECT_THAT(said(f.policy.ended(cut(), f.now)), IsEmpty());
  f.wake();
  f.tick();
  f.open(3);
  f.now += 3s;  // that one was good: its end is news
  EXPECT_EQ(said(f.policy.ended(cut(), f.now)).size(), 1u);
}

TEST(link_policy, a_fault_in_any_state_has_a_next_step) {
  const failure fault{errc::unreachable, "out of memory"};
  fixture pausing({{"10.0.0.1", 1}});
  (void)pausing.policy.open(pausing.now);
  EXPECT_THAT(lines_of(pausing.policy.fault(fault, pausing.now)),
              ElementsAre("down out of memory"));
  EXPECT_LE(pausing.wake(), 1s);
  EXPECT_THAT(pausing.tick(), ElementsAre("dial 1 10.0.0.1:1"));

  EXPECT_THAT(lines_of(pausing.policy.fault(fault, pausing.now)),
              ElementsAre("give_up 1", "down out of memory"));
  pausing.wake();
  EXPECT_THAT(pausing.tick(), ElementsAre("dial 2 10.0.0.1:1"));

  (void)pausing.policy.connected(2, pausing.now);
  EXPECT_THAT(lines_of(pausing.policy.fault(fault, pausing.now)),
              ElementsAre("down out of memory"));
  pausing.wake();
  EXPECT_THAT(pausing.tick(), ElementsAre("dial 3 10.0.0.1:1"));

  pausing.open(3);
  EXPECT_THAT(lines_of(pausing.policy.fault(fault, pausing.now)),
              ElementsAre("lost out of memory"));
  pausing.wake();
  pausing.tick();
  pausing.open(4);
  (void)pausing.policy.shut(1s, pausing.now);
  EXPECT_THAT(lines_of(pausing.policy.fault(fault, pausing.now)), ElementsAre("hang_up", "shut"));
  EXPECT_THAT(pausing.policy.fault(fault, pausing.now), IsEmpty());

  fixture idle({{"10.0.0.1", 1}});
  EXPECT_THAT(idle.policy.fault(fault, idle.now), IsEmpty());
  EXPECT_TRUE(idle.policy.is_idle());
}

TEST(link_policy, a_fault_with_one_host_does_not_keep_us_from_the_other) {
  const failure fault{errc::unreachable, "out of memory"};
  const std::vector<endpoint> hosts{{"10.0.0.1", 1}, {"10.0.0.2", 2}};
  fixture greeting(hosts, seed_for(hosts));
  greeting.start();
  (void)greeting.policy.connected(1, greeting.now);
  EXPECT_THAT(lines_of(greeting.policy.fault(fault, greeting.now)),
              ElementsAre("dial 2 10.0.0.2:2"));

  fixture dialling(hosts, seed_for(hosts));
  dialling.start();
  (void)dialling.policy.fault(fault, dialling.now);
  dialling.wake();
  EXPECT_THAT(dialling.tick(), ElementsAre("dial 2 10.0.0.2:2"));
}

TEST(link_policy, answers_that_come_too_late_change_nothing) {
  fixture f({{"10.0.0.1", 1}});
  f.start();
  f.open(1);
  EXPECT_THAT(f.policy.connected(1, f.now), IsEmpty());
  EXPECT_THAT(f.fail(1), IsEmpty());
  EXPECT_THAT(f.policy.resolved(1, {"10.0.0.9"}, f.now), IsEmpty());
  EXPECT_THAT(f.policy.opened(f.now), IsEmpty());
  EXPECT_THAT(f.policy.tick(f.now), IsEmpty());
  EXPECT_TRUE(f.policy.is_open());
}

TEST(link_policy, refuses_what_it_cannot_do) {
  EXPECT_THROW(fixture({}), configuration_error);
  auto options = fixture::options({{"10.0.0.1", 1}});
  options.verdict_pause = -1ms;
  EXPECT_THROW(link_policy(options, 1), configuration_error);
  options = fixture::options({{"10.0.0.1", 1}});
  options.connect_timeout = 0ms;
  EXPECT_THROW(link_policy(options, 1), configuration_error);
}

TEST(endpoint, knows_addresses_from_names) {
  EXPECT_TRUE((endpoint{"127.0.0.1", 1}).is_literal());
  EXPECT_TRUE((endpoint{"::1", 1}).is_literal());
  EXPECT_TRUE((endpoint{"fe80::1%lo", 1}).is_literal());
  EXPECT_FALSE((endpoint{"localhost", 1}).is_literal());
  EXPECT_FALSE((endpoint{"127.1", 1}).is_literal());
  EXPECT_FALSE((endpoint{"1.2.3.4.example.org", 1}).is_literal());
  EXPECT_EQ((endpoint{"::1", 5}).text(), "[::1]:5");
}

}  // namespace
}  // namespace oslo::messaging::protocol
