#include "wire/relayed.hpp"

#include <gtest/gtest.h>

#include <utility>

#include "wire/request.hpp"

namespace oslo::messaging::wire {
namespace {

std::string without_own_keys(std::string inner) {
  remove_own_keys(inner);
  return inner;
}

std::string error_of(std::string inner, std::optional<notification_format> f = {}) {
  try {
    if (f)
      remove_own_keys(inner, *f);
    else
      remove_own_keys(inner);
  } catch (const messaging_error& e) {
    EXPECT_EQ(e.failure().code(), errc::serialization_failed);
    return e.what();
  }
  return "no error";
}

TEST(relayed, a_message_without_keys_of_the_transport_keeps_its_bytes) {
  for (const char* inner :
       {"{}", " {\n} ", R"({"method":"m","args":{}})",
        R"({"_context_user": "bob", "_context_": 1, "_msg_ids": 2, "msg_id": 3, "_": 4})",
        R"({"args": {"_msg_id": "x", "_reply_q": ["_timeout"]}, "x": "_unique_id"})",
        R"({"a": 1, "a": 2, "n": NaN, "big": 123456789012345678901234567890, "s": "\ud800"})"})
    EXPECT_EQ(without_own_keys(inner), inner);
}

TEST(relayed, keys_of_the_transport_go_in_whatever_form_they_come) {
  const std::pair<const char*, const char*> table[] = {
      {R"({"_msg_id": "m"})", "{}"},
      {R"({"_msg_id":"m","_reply_q":"q","_timeout":5,"_unique_id":"u","method":"x"})",
       R"({"method": "x"})"},
      {R"({"method": "x", "\u005fmsg_id": 1, "_repl\u0079_q": {"a": []}, "args": {"_msg_id": 1}})",
       R"({"method": "x", "args": {"_msg_id": 1}})"},
      {R"({"_msg_id": 1, "_context_a": 1.10, "_msg_id": 2, "_context_a": 1e5, "\u00e9\"": "\u00e9"})",
       R"({"_context_a": 1.10, "_context_a": 1e5, "\u00e9\"": "\u00e9"})"}};
  for (const auto& [inner, kept] : table) EXPECT_EQ(without_own_keys(inner), kept);
}

TEST(relayed, what_is_no_object_is_refused) {
  const std::string begin = "The message to be sent is not a JSON object: Malformed JSON at byte ";
  EXPECT_EQ(error_of(""), begin + "0: expected an object, got the end of the text");
  EXPECT_EQ(error_of("[]"), begin + "0: expected an object, got '['");
  EXPECT_EQ(error_of(R"({"a": 1}, "_msg_id": "x"})"),
            begin + "8: expected nothing after the value, got ','");
  for (const char* bad : {"{", "{} {}", R"({"a": })", R"({"_msg_id": "x")", "{\"a\": \"\xff\"}"})
    EXPECT_EQ(error_of(bad).substr(0, begin.size()), begin) << bad;
  EXPECT_EQ(error_of("{", notification_format::envelope).substr(0, begin.size()), begin);
  const std::string deep(1024, '[');
  EXPECT_EQ(error_of(R"({"a": )" + deep + "}").substr(0, begin.size()), begin);
}

/// Its readers would go by the keys alone.
TEST(relayed, a_bare_notification_is_no_envelope) {
  const std::string both = R"({"oslo.version": "2.0", "x": 1, "oslo\u002emessage": "{}"})";
  EXPECT_EQ(error_of(both, notification_format::bare),
            "A bare notification cannot have both keys of an envelope, oslo.version and "
            "oslo.message");
  EXPECT_EQ(error_of(both, notification_format::envelope), "no error");
  EXPECT_EQ(error_of(both), "no error") << "a request always has an envelope of its own";
  for (const char* one : {R"({"oslo.version": "2.0"})", R"({"oslo.message": "{}"})",
                          R"({"payload": {"oslo.version": "2.0", "oslo.message": "{}"}})"})
    EXPECT_EQ(error_of(one, notification_format::bare), "no error") << one;
  std::string own = R"({"_msg_id": 1, "x": 2})";
  remove_own_keys(own, notification_format::bare);
  EXPECT_EQ(own, R"({"x": 2})");
}

/// What a relay takes from one call and gives to the next one.
TEST(relayed, a_request_that_is_passed_on_is_the_same_but_for_its_keys) {
  std::string first;
  write_request(first, R"({"method": "m", "args": {"a": 1.10}})",
                context{{"user", "bob"}, {"n", 1}},
                {"id-1", "reply_1", std::chrono::milliseconds(1500), "u-1"});
  auto text = read_request(first).value().text;
  EXPECT_EQ(
      text,
      R"({"method": "m", "args": {"a": 1.10}, "_msg_id": "id-1", "_reply_q": "reply_1", "_timeout": 1.5, "_unique_id": "u-1", "_context_user": "bob", "_context_n": 1})");
  remove_own_keys(text);
  std::string second;
  write_request(second, text, context{{"n", 2}}, {.unique_id = "u-2"});
  const auto read = read_request(second).value();
  EXPECT_EQ(
      read.text,
      R"({"method": "m", "args": {"a": 1.10}, "_context_user": "bob", "_context_n": 1, "_unique_id": "u-2", "_context_n": 2})");
  EXPECT_EQ(read.msg_id, "");
  EXPECT_EQ(read.reply_q, "");
  EXPECT_EQ(read.client_timeout, std::nullopt);
  EXPECT_EQ(read.make_context(), (context{{"user", "bob"}, {"n", 2}}));
}

}  // namespace
}  // namespace oslo::messaging::wire
