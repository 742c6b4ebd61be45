// Texts that a relay passes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/kafka/body.hpp"

namespace oslo::messaging::kafka {
namespace {

constexpr auto envelope = notification_format::envelope;

struct taken {
  std::string body;
  context ctxt;
};

taken take(std::string body, context ctxt = {}) {
  outgoing_message m{.body = std::move(body), .ctxt = std::move(ctxt)};
  take_context(m, envelope);
  return {std::move(m.body), std::move(m.ctxt)};
}

TEST(kafka_relayed, what_has_no_context_in_it_stays_as_it_is) {
  const auto t = take(R"({"x":1,  "y\n": "_contex"})", {{"user", "ada"}});
  EXPECT_EQ(t.body, R"({"x":1,  "y\n": "_contex"})");
  EXPECT_EQ(t.ctxt, (context{{"user", "ada"}}));
}

TEST(kafka_relayed, entries_of_the_context_leave_the_text_in_whatever_form_they_come) {
  const auto t = take(R"({"_context_a": 1, "x": {"_context_b": 2}, "\u005fcontext_b": [2],)"
                      R"( "_context": {"c": "3"}})");
  EXPECT_EQ(t.body, R"({"x": {"_context_b": 2}})");
  EXPECT_EQ(t.ctxt, (context{{"a", 1}, {"b", {2}}, {"c", "3"}}));
}

TEST(kafka_relayed, an_entry_that_the_sender_gives_counts_more_than_the_text) {
  EXPECT_EQ(take(R"({"_context_a": 1, "_context": {"b": 1}})", {{"a", 2}, {"b", 2}}).ctxt,
            (context{{"a", 2}, {"b", 2}}));
}

TEST(kafka_relayed, a_context_that_is_no_object_is_left_out) {
  const auto t = take(R"({"x": 1, "_context": null})");
  EXPECT_EQ(t.body, R"({"x": 1})");
  EXPECT_EQ(t.ctxt, context{});
}

TEST(kafka_relayed, integers_beyond_64_bits_keep_their_digits) {
  const std::string digits = "123456789012345678901234567890";
  context given;
  given.set("b", raw_json{digits});
  const auto t = take(R"({"_context_a": )" + digits + "}", given);
  ASSERT_NE(t.ctxt.exact_text("a"), nullptr);
  EXPECT_EQ(*t.ctxt.exact_text("a"), digits);
  ASSERT_NE(t.ctxt.exact_text("b"), nullptr);
  EXPECT_EQ(*t.ctxt.exact_text("b"), digits);
}

TEST(kafka_relayed, keys_of_the_transport_are_left_out) {
  EXPECT_EQ(take(R"({"_msg_id": "1", "x": 1, "_unique_id": "2"})").body, R"({"x": 1})");
}

TEST(kafka_relayed, what_is_no_object_is_refused) {
  for (const char* body : {"", "[]", "{", "{} {}"})
    EXPECT_THROW(take(body), messaging_error) << body;
}

/// Every bus reads it, this one included.
TEST(kafka_relayed, a_message_that_came_shows_its_context_as_keys_of_their_own) {
  const auto b =
      read_body(
          R"({"event_type": "e\u0041", "_context": {"user": "x", "n": 12345678901234567890}})")
          .value();
  const auto text = portable_text(b);
  EXPECT_EQ(text, R"({"event_type": "e\u0041", "_context_user": "x",)"
                  R"( "_context_n": 12345678901234567890})");
  EXPECT_EQ(take(text).ctxt, b.ctxt);
  EXPECT_EQ(portable_text(read_body("{}").value()), "{}");
}

}  // namespace
}  // namespace oslo::messaging::kafka
