#include "drivers/kafka/body.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <oslo/messaging/json.hpp>

namespace oslo::messaging::kafka {
namespace {

std::string written(std::string_view inner, const context& ctxt) {
  std::string out;
  write_body(out, inner, ctxt);
  return out;
}

std::map<std::string, std::string> fields_of(const incoming_body& b) {
  std::map<std::string, std::string> all;
  for (const auto& f : b.message.fields) all.emplace(f.key, f.json);
  return all;
}

std::string error_of(std::string_view value) {
  const auto r = read_body(value);
  return r ? "no error" : r.error().message();
}

/// What Python writes, byte for byte.
TEST(kafka_body, the_context_is_one_key_of_the_inner_message) {
  EXPECT_EQ(written(R"({"message_id": "x", "payload": {"n": 1}})", {{"user", "ada"}}),
            R"({"oslo.version": "2.0", "oslo.message": "{\"message_id\": \"x\", )"
            R"(\"payload\": {\"n\": 1}, \"_context\": {\"user\": \"ada\"}}"})");
  EXPECT_EQ(written("{}", {}), R"({"oslo.version": "2.0", "oslo.message": "{\"_context\": {}}"})");
  EXPECT_EQ(written(" { } ", {}),
            R"({"oslo.version": "2.0", "oslo.message": "{ \"_context\": {}}"})");
}

TEST(kafka_body, what_is_no_object_is_not_written) {
  for (const char* inner : {"", "[]", "1", "{", "}"}) {
    std::string out;
    EXPECT_THROW(write_body(out, inner, {}), messaging_error) << inner;
  }
}

TEST(kafka_body, what_was_written_is_read) {
  const context ctxt{{"user", "bob"}, {"roles", {"a", "b"}}, {"nothing", nullptr}};
  const auto b = read_body(written(R"({"event_type": "e", "payload": [1, null]})", ctxt)).value();
  EXPECT_EQ(b.ctxt, ctxt);
  EXPECT_EQ(fields_of(b), (std::map<std::string, std::string>{{"event_type", "\"e\""},
                                                              {"payload", "[1, null]"}}));
}

TEST(kafka_body, integers_beyond_64_bits_keep_their_digits) {
  const std::string digits = "123456789012345678901234567890";
  context ctxt;
  ctxt.set("n", raw_json{digits});
  auto read_once = read_body(written("{}", ctxt)).value().ctxt;
  EXPECT_EQ(written("{}", read_once), written("{}", ctxt));
}

/// Python's own listener loses the whole batch then.
TEST(kafka_body, a_message_without_a_context_has_an_empty_one) {
  EXPECT_EQ(read_body(R"({"oslo.version": "2.0", "oslo.message": "{\"a\": 1}"})").value().ctxt,
            context{});
  EXPECT_EQ(read_body(R"({"a": 1, "_context": null})").value().ctxt, context{});
}

TEST(kafka_body, a_bare_message_is_read) {
  const auto b = read_body(R"({"event_type": "e", "_context": {"user": "x"}})").value();
  EXPECT_EQ(fields_of(b).at("event_type"), "\"e\"");
  EXPECT_EQ(b.ctxt, (context{{"user", "x"}}));
}

TEST(kafka_body, one_that_was_written_as_to_rabbitmq_is_read) {
  const auto b = read_body(R"({"event_type": "e", "_context_user": "x", "_unique_id": "1"})");
  EXPECT_EQ(b.value().ctxt, (context{{"user", "x"}}));
  EXPECT_EQ(fields_of(*b).size(), 1u);
}

TEST(kafka_body, what_cannot_be_read_says_why) {
  EXPECT_EQ(error_of("[1]"), "The message body is not a JSON object");
  EXPECT_EQ(error_of(R"({"_context": [1]})"), "The key _context of the message is not an object");
  EXPECT_EQ(error_of(R"({"oslo.version": "3.0", "oslo.message": "{}"})"),
            "Specified RPC envelope version, 3.0, not supported by this endpoint.");
  EXPECT_NE(error_of(""), "no error") << "a tombstone";
  EXPECT_NE(error_of(R"({"oslo.version": "2.0", "oslo.message": "{"})"), "no error");
}

}  // namespace
}  // namespace oslo::messaging::kafka
