#include "protocol/call_tracker.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

#include "core/random.hpp"

namespace oslo::messaging::protocol {
namespace {

using namespace std::chrono_literals;
using tracker = call_tracker<int>;
using instant = tracker::instant;
constexpr instant t0{1'000s};
constexpr std::uint64_t prefix = 0x0123456789abcdefu;

int add(tracker& t, int payload, std::optional<instant> deadline, call_id* out = nullptr) {
  const auto id = t.add(std::move(payload), t0, deadline);
  if (out != nullptr) *out = id;
  return payload;
}

TEST(call_tracker, id_is_prefix_serial_and_slot) {
  tracker t{prefix};
  EXPECT_EQ(t.add(1, t0, {}).view(), "0123456789abcdef0000000001000000");
  EXPECT_EQ(t.add(2, t0, {}).view(), "0123456789abcdef0000000002000001");
  EXPECT_EQ(t.size(), 2u);
}

TEST(call_tracker, take_resolves_once) {
  tracker t{prefix};
  const auto a = t.add(1, t0, t0 + 1s);
  const auto b = t.add(2, t0, t0 + 1s);
  EXPECT_EQ(t.take(b), 2);
  EXPECT_EQ(t.take(b), std::nullopt);
  EXPECT_EQ(t.take(a.str()), 1);
  EXPECT_EQ(t.take(a), std::nullopt);
  EXPECT_TRUE(t.empty());
}

TEST(call_tracker, a_reused_slot_does_not_answer_to_its_old_id) {
  tracker t{prefix};
  const auto a = t.add(1, t0, {});
  (void)t.take(a);
  const auto b = t.add(2, t0, {});
  EXPECT_EQ(b.view(), "0123456789abcdef0000000002000000");
  EXPECT_EQ(t.take(a), std::nullopt);
  EXPECT_EQ(t.find(a.view()), nullptr);
  EXPECT_FALSE(t.heartbeat(a.view(), t0));
  EXPECT_EQ(t.take(b), 2);
}

TEST(call_tracker, ids_stay_unknown_after_take_all) {
  tracker t{prefix};
  const auto a = t.add(1, t0, t0 + 1s);
  EXPECT_EQ(t.take_all().size(), 1u);
  const auto b = t.add(2, t0, {});
  EXPECT_NE(a, b);
  EXPECT_EQ(t.take(a), std::nullopt);
  EXPECT_EQ(t.take(b), 2);
}

TEST(call_tracker, hostile_ids_find_nothing) {
  tracker t{prefix};
  const auto id = t.add(1, t0, {});
  const std::string good = id.str();
  std::vector<std::string> bad{"",
                               "0",
                               good.substr(1),
                               good + "0",
                               std::string(32, '0'),
                               std::string(32, 'f'),
                               std::string(32, '\0'),
                               std::string(1'000'000, '0'),
                               "0123456789abcdef0000000000000000",
                               "0123456789abcdef00000000010000ff",
                               "0123456789abcdef0000000001ffffff",
                               "0123456789abcdefffffffffffffffff",
                               "0123456789abcdef0000000002000000",
                               "0123456789ABCDEF0000000001000000",
                               "1123456789abcdef0000000001000000"};
  for (std::size_t i = 0; i < good.size(); ++i)
    for (const char c : {'g', 'G', '/', ':', '`', '@', ' ', '\0', '\xff', '+', '-'}) {
      bad.push_back(good);
      bad.back()[i] = c;
    }
  for (const auto& text : bad) {
    EXPECT_EQ(t.take(text), std::nullopt) << text.substr(0, 40);
    EXPECT_FALSE(t.heartbeat(text, t0)) << text.substr(0, 40);
  }
  EXPECT_EQ(t.take(good), 1);
}

TEST(call_tracker, hostile_ids_find_nothing_in_an_empty_tracker) {
  tracker t{0};
  EXPECT_EQ(t.take(std::string(32, '0')), std::nullopt);
  EXPECT_EQ(t.find("00000000000000000000000001000000"), nullptr);
}

TEST(call_tracker, deadlines_come_out_in_order_of_time) {
  tracker t{prefix};
  for (const int s : {5, 1, 4, 2, 3, 1}) add(t, s, t0 + std::chrono::seconds{s});
  add(t, 99, std::nullopt);
  EXPECT_EQ(t.next_deadline(), t0 + 1s);
  EXPECT_FALSE(t.next_expired(t0 + 999ms));
  std::vector<int> order;
  while (auto e = t.next_expired(t0 + 4s)) {
    EXPECT_EQ(e->limit, call_limit::total);
    EXPECT_EQ(e->elapsed, 4s);
    order.push_back(e->payload);
    EXPECT_EQ(t.take(e->id), std::nullopt);
  }
  EXPECT_EQ(order, (std::vector<int>{1, 1, 2, 3, 4}));
  EXPECT_EQ(t.next_deadline(), t0 + 5s);
  EXPECT_EQ(t.size(), 2u);
}

TEST(call_tracker, equal_deadlines_come_out_in_order_of_adding) {
  tracker t{prefix};
  const auto first = t.add(-1, t0, {});
  for (int i = 0; i < 50; ++i) add(t, i, t0 + 1s);
  (void)t.take(first);
  add(t, 50, t0 + 1s);  // in the slot of the first, but added last
  for (int i = 0; i <= 50; ++i) EXPECT_EQ(t.next_expired(t0 + 1s)->payload, i);
}

TEST(call_tracker, a_call_without_limits_never_expires) {
  tracker t{prefix};
  add(t, 1, std::nullopt);
  EXPECT_EQ(t.next_deadline(), std::nullopt);
  EXPECT_FALSE(t.next_expired(instant::max()));
  EXPECT_EQ(t.size(), 1u);
}

TEST(call_tracker, monitor_expires_without_heartbeats) {
  tracker t{prefix};
  (void)t.add(1, t0, t0 + 60s, 5s);
  EXPECT_EQ(t.next_deadline(), t0 + 5s);
  EXPECT_FALSE(t.next_expired(t0 + 4'999ms));
  const auto e = t.next_expired(t0 + 5s);
  ASSERT_TRUE(e);
  EXPECT_EQ(e->limit, call_limit::monitor);
}

TEST(call_tracker, heartbeat_restarts_the_monitor_but_not_the_total) {
  tracker t{prefix};
  const auto id = t.add(1, t0, t0 + 12s, 5s);
  EXPECT_TRUE(t.heartbeat(id.view(), t0 + 4s));
  EXPECT_FALSE(t.next_expired(t0 + 8s));
  EXPECT_EQ(t.next_deadline(), t0 + 9s);
  EXPECT_TRUE(t.heartbeat(id.view(), t0 + 8s));
  EXPECT_EQ(t.next_deadline(), t0 + 12s);
  EXPECT_TRUE(t.heartbeat(id.view(), t0 + 11s));
  EXPECT_FALSE(t.next_expired(t0 + 11'999ms));
  const auto e = t.next_expired(t0 + 12s);
  ASSERT_TRUE(e);
  EXPECT_EQ(e->limit, call_limit::total);
  EXPECT_EQ(t.heap_size(), 0u);
}

TEST(call_tracker, a_heartbeat_from_the_past_does_not_shorten_the_monitor) {
  tracker t{prefix};
  const auto id = t.add(1, t0, std::nullopt, 5s);
  EXPECT_TRUE(t.heartbeat(id.view(), t0 - 100s));
  EXPECT_EQ(t.next_deadline(), t0 + 5s);
}

TEST(call_tracker, heartbeats_on_a_call_without_monitor_change_nothing) {
  tracker t{prefix};
  const auto a = t.add(1, t0, t0 + 3s);
  const auto b = t.add(2, t0, t0 + 2s, 0s);
  EXPECT_TRUE(t.heartbeat(a.view(), t0 + 1s));
  EXPECT_TRUE(t.heartbeat(b.view(), t0 + 1s));
  EXPECT_EQ(t.next_expired(t0 + 3s)->payload, 2);
  EXPECT_EQ(t.next_expired(t0 + 3s)->payload, 1);
}

TEST(call_tracker, a_monitor_interval_beyond_time_is_no_limit) {
  tracker t{prefix};
  const auto id = t.add(1, t0, std::nullopt, tracker::duration::max());
  EXPECT_TRUE(t.heartbeat(id.view(), t0));
  EXPECT_EQ(t.next_deadline(), std::nullopt);
  EXPECT_EQ(t.take(id), 1);
}

TEST(call_tracker, find_gives_the_payload_in_place) {
  tracker t{prefix};
  const auto id = t.add(1, t0, {});
  *t.find(id.view()) = 7;
  EXPECT_EQ(t.take(id), 7);
  EXPECT_EQ(t.find(id.view()), nullptr);
}

TEST(call_tracker, take_all_returns_everything_in_order) {
  tracker t{prefix};
  const auto a = t.add(1, t0, t0 + 1s);
  const auto b = t.add(2, t0, {});
  (void)t.take(a);
  const auto c = t.add(3, t0, t0 + 1s);  // reuses the slot of a
  const auto all = t.take_all();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].id, b);
  EXPECT_EQ(all[0].payload, 2);
  EXPECT_EQ(all[1].id, c);
  EXPECT_EQ(all[1].payload, 3);
  EXPECT_TRUE(t.empty());
  EXPECT_EQ(t.next_deadline(), std::nullopt);
  EXPECT_TRUE(t.take_all().empty());
}

TEST(call_tracker, a_full_tracker_refuses_and_leaves_the_payload) {
  call_tracker<std::unique_ptr<int>> t{prefix, 2};
  const auto id = t.add(std::make_unique<int>(1), t0, {});
  (void)t.add(std::make_unique<int>(2), t0, {});
  auto third = std::make_unique<int>(3);
  try {
    (void)t.add(std::move(third), t0, {});
    FAIL() << "no error";
  } catch (const messaging_error& e) {
    EXPECT_EQ(e.failure().code(), errc::limit_exceeded);
    EXPECT_STREQ(e.what(), "The limit of 2 pending calls is reached.");
  }
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(**t.take(id), 1);
  EXPECT_NO_THROW((void)t.add(std::move(third), t0, {}));
}

TEST(call_tracker, costs_little_memory) {
  EXPECT_LE(tracker::bytes_per_call(), 80u);
}

TEST(call_tracker, dead_heap_nodes_stay_bounded) {
  tracker t{prefix};
  std::vector<call_id> kept;
  for (int i = 0; i < 100; ++i) kept.push_back(t.add(int{i}, t0, t0 + 1h));
  for (int i = 0; i < 50'000; ++i) {
    EXPECT_TRUE(t.take(t.add(int{i}, t0, t0 + 1h)));
    ASSERT_LE(t.heap_size(), 2 * t.size() + 65);
  }
  for (const auto& id : kept) EXPECT_TRUE(t.take(id));
  EXPECT_LE(t.heap_size(), 65u);
  EXPECT_EQ(t.next_deadline(), std::nullopt);
}

TEST(call_tracker, calls_without_limits_do_not_hide_dead_nodes) {
  tracker t{prefix};
  for (int i = 0; i < 1'000; ++i) (void)t.add(int{i}, t0, {});
  for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(t.take(t.add(int{i}, t0, t0 + 1h)));
  EXPECT_LE(t.heap_size(), 65u);
}

// The model: a map from id to deadline, searched from end to end.
TEST(call_tracker, agrees_with_a_simple_model) {
  struct expected_call {
    int payload;
    instant total, monitor_at;
    tracker::duration monitor;
    instant due() const { return std::min(total, monitor_at); }
  };
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    random_engine random{seed};
    tracker t{random()};
    std::map<std::string, expected_call> model;
    std::vector<std::string> ids;  // all that ever were
    instant now = t0;
    int made = 0, ended = 0;
    for (int step = 0; step < 3'000; ++step) {
      const auto pick = [&] { return ids[random.below(ids.size())]; };
      switch (random.below(8)) {
        case 0:
        case 1:
        case 2: {
          std::optional<instant> deadline;
          std::optional<tracker::duration> monitor;
          if (random.below(4) != 0) deadline = now + std::chrono::milliseconds{random.below(500)};
          if (random.below(2) != 0) monitor = std::chrono::milliseconds{1 + random.below(100)};
          const auto id = t.add(int{made}, now, deadline, monitor).str();
          ASSERT_TRUE(model
                          .emplace(id, expected_call{made, deadline.value_or(instant::max()),
                                                     monitor ? now + *monitor : instant::max(),
                                                     monitor.value_or(0s)})
                          .second);
          ids.push_back(id);
          ++made;
          break;
        }
        case 3:
        case 4: {
          if (ids.empty()) break;
          const auto id = pick();
          const auto it = model.find(id);
          const auto got = t.take(id);
          ASSERT_EQ(got.has_value(), it != model.end());
          if (it != model.end()) {
            ASSERT_EQ(*got, it->second.payload);
            model.erase(it);
            ++ended;
          }
          break;
        }
        case 5: {
          if (ids.empty()) break;
          const auto id = pick();
          const auto it = model.find(id);
          ASSERT_EQ(t.heartbeat(id, now), it != model.end());
          if (it != model.end() && it->second.monitor != 0s)
            it->second.monitor_at = now + it->second.monitor;
          break;
        }
        case 6: {
          now += std::chrono::milliseconds{random.below(20)};
          instant last = instant::min();
          while (auto e = t.next_expired(now)) {
            const auto it = model.find(e->id.str());
            ASSERT_NE(it, model.end());
            ASSERT_LE(it->second.due(), now);
            ASSERT_GE(it->second.due(), last);
            ASSERT_EQ(e->limit, it->second.total <= it->second.monitor_at ? call_limit::total
                                                                          : call_limit::monitor);
            last = it->second.due();
            model.erase(it);
            ++ended;
          }
          for (const auto& [id, c] : model) ASSERT_GT(c.due(), now);
          break;
        }
        default: {
          std::optional<instant> earliest;
          for (const auto& [id, c] : model)
            if (c.due() != instant::max() && (!earliest || c.due() < *earliest)) earliest = c.due();
          ASSERT_EQ(t.next_deadline(), earliest);
        }
      }
      ASSERT_EQ(t.size(), model.size());
      ASSERT_LE(t.heap_size(), 2 * model.size() + 65);
    }
    ended += static_cast<int>(t.take_all().size());
    EXPECT_EQ(ended, made);
  }
}

}  // namespace
}  // namespace oslo::messaging::protocol
