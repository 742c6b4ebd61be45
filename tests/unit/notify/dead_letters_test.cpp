#include "notify/dead_letters.hpp"

#include <gtest/gtest.h>

#include <oslo/messaging/notify/notification.hpp>

#include "unit/notify/plain_message.hpp"

namespace oslo::messaging::notify {
namespace {

const std::string a = R"({"message_id": "a", "payload": {"x": 1}})";
const std::string b = R"({"message_id": "b", "payload": {"x": 1}})";

TEST(requeue_counters, know_messages_by_their_text) {
  requeue_counter c;
  EXPECT_EQ(c.add(plain_message(a)), 1u);
  EXPECT_EQ(c.add(plain_message(a)), 2u);
  EXPECT_EQ(c.add(plain_message(b)), 1u);
  EXPECT_EQ(c.add(plain_message(a)), 3u);
  c.forget(plain_message(a));
  EXPECT_EQ(c.add(plain_message(a)), 1u);
  EXPECT_EQ(c.add(plain_message(b)), 2u);
  c.forget(plain_message(R"({"never": "seen"})"));
  EXPECT_EQ(c.add(plain_message(b)), 3u);
  EXPECT_EQ(c.add(plain_message("{}")), 1u);
  EXPECT_EQ(c.add(plain_message("{}")), 2u);
}

TEST(requeue_counters, forget_the_oldest) {
  requeue_counter c(2);
  c.add(plain_message("{\"n\": 1}"));
  c.add(plain_message("{\"n\": 2}"));
  EXPECT_EQ(c.add(plain_message("{\"n\": 1}")), 2u);
  EXPECT_EQ(c.add(plain_message("{\"n\": 3}")), 1u);  // 1 is forgotten
  EXPECT_EQ(c.add(plain_message("{\"n\": 2}")), 2u);
  EXPECT_EQ(c.add(plain_message("{\"n\": 1}")), 1u);  // 2 is
  // One that was handled and fails again is not as old as it was.
  c.forget(plain_message("{\"n\": 3}"));
  EXPECT_EQ(c.add(plain_message("{\"n\": 3}")), 1u);
  EXPECT_EQ(c.add(plain_message("{\"n\": 3}")), 2u);
}

TEST(requeue_counters, keep_a_message_that_goes_on_failing_among_many_that_succeed_later) {
  requeue_counter c(10);
  for (int i = 0; i < 1'000; ++i) {
    const auto other = "{\"n\": " + std::to_string(i) + "}";
    EXPECT_EQ(c.add(plain_message(other)), 1u);
    c.forget(plain_message(other));
    if (i % 100 == 0) {
      EXPECT_EQ(c.add(plain_message("{}")), static_cast<std::size_t>(i / 100 + 1));
    }
  }
}

TEST(dead_letters, are_the_same_message_with_the_reason_beside_it) {
  const auto out = dead_letter_of(
      plain_message(R"({"message_id":"a", "ä\"": [1.50, null], "payload": {"x": 1}})",
                    context{{"user", "bob"}}),
      3, "broken");
  EXPECT_EQ(out.body, R"({"message_id": "a", "\u00e4\"": [1.50, null], "payload": {"x": 1}})");
  EXPECT_EQ(out.ctxt, (context{{"user", "bob"}}));
  EXPECT_EQ(out.headers, (std::vector<message_header>{{"oslo-dead-letter-error", "broken"},
                                                      {"oslo-dead-letter-requeues", "3"}}));
}

TEST(dead_letters, have_errors_that_fit_and_are_text) {
  const auto error_of = [](const std::string& error) {
    return dead_letter_of(plain_message("{}"), 1, error).headers.at(0).value;
  };
  EXPECT_EQ(error_of(std::string(5'000, 'x')), std::string(1'000, 'x'));
  EXPECT_EQ(error_of("a\xff"), "a\xEF\xBF\xBD");
  EXPECT_EQ(error_of(""), "unknown");
  EXPECT_EQ(dead_letter_of(plain_message("{}"), 1, "e").body, "{}");
}

}  // namespace
}  // namespace oslo::messaging::notify
