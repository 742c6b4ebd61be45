#include "protocol/dedup_window.hpp"

#include <gtest/gtest.h>

#include <string>

#include "core/unique_id.hpp"

namespace oslo::messaging::protocol {
namespace {

using namespace std::chrono_literals;
constexpr dedup_window::instant t0{1'000s};

TEST(dedup_window, knows_an_id_the_second_time) {
  dedup_window window{1};
  const std::string id = unique_id();
  EXPECT_FALSE(window.contains(id, 0, t0));
  EXPECT_FALSE(window.seen(id, 0, t0));
  EXPECT_TRUE(window.contains(id, 0, t0));
  EXPECT_TRUE(window.seen(id, 0, t0));
  EXPECT_EQ(window.size(), 1u);
}

TEST(dedup_window, contains_does_not_remember) {
  dedup_window window{1};
  EXPECT_FALSE(window.contains("a", 0, t0));
  EXPECT_FALSE(window.contains("a", 0, t0));
  EXPECT_FALSE(window.seen("a", 0, t0));
}

TEST(dedup_window, another_content_is_another_message) {
  dedup_window window{1};
  EXPECT_FALSE(window.seen("0", 1, t0));
  EXPECT_FALSE(window.seen("0", 2, t0));
  EXPECT_TRUE(window.seen("0", 1, t0));
  EXPECT_TRUE(window.contains("0", 2, t0));
  EXPECT_FALSE(window.contains("0", 3, t0));
  EXPECT_FALSE(window.contains("1", 1, t0));
  window.forget("0", 1);
  EXPECT_FALSE(window.contains("0", 1, t0));
  EXPECT_TRUE(window.contains("0", 2, t0));
}

TEST(dedup_window, forgets_by_age_from_the_first_sight) {
  dedup_window window{1};
  EXPECT_FALSE(window.seen("a", 0, t0));
  EXPECT_TRUE(window.seen("a", 0, t0 + 5min));
  EXPECT_TRUE(window.seen("a", 0, t0 + 10min - 1ms));
  EXPECT_FALSE(window.seen("a", 0, t0 + 10min));
  EXPECT_TRUE(window.contains("a", 0, t0 + 19min));
  EXPECT_FALSE(window.contains("a", 0, t0 + 20min));
  EXPECT_EQ(window.size(), 0u);
}

TEST(dedup_window, forgets_the_oldest_when_full) {
  dedup_window window{1, {10min, 3}};
  for (const char* id : {"a", "b", "c"}) EXPECT_FALSE(window.seen(id, 0, t0));
  EXPECT_TRUE(window.seen("a", 0, t0));
  EXPECT_FALSE(window.seen("d", 0, t0));
  EXPECT_EQ(window.size(), 3u);
  EXPECT_FALSE(window.contains("a", 0, t0));
  for (const char* id : {"b", "c", "d"}) EXPECT_TRUE(window.contains(id, 0, t0)) << id;
}

TEST(dedup_window, an_empty_id_is_no_id) {
  dedup_window window{1};
  EXPECT_FALSE(window.seen("", 0, t0));
  EXPECT_FALSE(window.seen("", 0, t0));
  EXPECT_EQ(window.size(), 0u);
}

TEST(dedup_window, tells_similar_ids_apart) {
  dedup_window window{0};
  std::size_t count = 0;
  const auto is_new = [&](const std::string& id) {
    EXPECT_FALSE(window.seen(id, 0, t0)) << testing::PrintToString(id);
    EXPECT_EQ(window.size(), ++count);
  };
  for (std::size_t n = 1; n <= 40; ++n) {
    is_new(std::string(n, '\0'));
    is_new(std::string(n, 'a'));
  }
  is_new("abcdefgh12345678");
  is_new("12345678abcdefgh");
  is_new("abcdefgh");
  for (char c = 0; c < 8; ++c) is_new(std::string("0000000") + c + "11111111");
  is_new(std::string(1'000'000, 'x'));
}

TEST(dedup_window, stays_within_its_default_bound) {
  dedup_window window{random_bits()};
  for (int i = 0; i < 70'000; ++i) ASSERT_FALSE(window.seen(unique_id(), 0, t0));
  EXPECT_EQ(window.size(), 65'536u);
}

TEST(dedup_window, without_room_remembers_nothing) {
  dedup_window window{1, {10min, 0}};
  EXPECT_FALSE(window.seen("a", 0, t0));
  EXPECT_FALSE(window.seen("a", 0, t0));
}

TEST(dedup_window, what_is_forgotten_is_new_again) {
  dedup_window window(1, {std::chrono::minutes(10), 3});
  const dedup_window::instant now{};
  for (const char* id : {"a", "b", "c"}) EXPECT_FALSE(window.seen(id, 0, now));
  window.forget("b", 0);
  window.forget("never seen", 0);
  window.forget("", 0);
  EXPECT_EQ(window.size(), 2u);
  EXPECT_FALSE(window.seen("b", 0, now));
  EXPECT_TRUE(window.seen("a", 0, now));
  EXPECT_TRUE(window.seen("b", 0, now));
  EXPECT_TRUE(window.seen("c", 0, now));
}

}  // namespace
}  // namespace oslo::messaging::protocol
