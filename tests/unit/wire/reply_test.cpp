#include "wire/reply.hpp"

#include <gtest/gtest.h>

#include "golden.hpp"
#include "wire/envelope.hpp"
#include "wire/failure_json.hpp"

namespace oslo::messaging::wire {
namespace {

std::string reply_body(const outgoing_reply& reply, std::string_view msg_id = golden_msg_id,
                       std::string_view unique_id = golden_unique_id) {
  std::string out;
  write_reply(out, reply, msg_id, unique_id);
  return out;
}

TEST(reply, has_the_bytes_of_the_specification) {
  EXPECT_EQ(
      reply_body({.result = R"({"r": [1, 2]})"}, "mid", "aaaaaaaa000040008000000000000014"),
      R"({"oslo.version": "2.0", "oslo.message": "{\"result\": {\"r\": [1, 2]}, \"failure\": null, \"ending\": true, \"_msg_id\": \"mid\", \"_unique_id\": \"aaaaaaaa000040008000000000000014\"}"})");
  std::string heartbeat;
  write_heartbeat(heartbeat, "mid", "aaaaaaaa000040008000000000000016");
  EXPECT_EQ(
      read_envelope(heartbeat).value(),
      R"({"result": null, "failure": null, "ending": false, "_msg_id": "mid", "_unique_id": "aaaaaaaa000040008000000000000016"})");
  EXPECT_TRUE(read_reply(heartbeat)->is_heartbeat());
}

TEST(reply, has_the_bytes_of_python_and_is_read_back) {
  for (const auto& c : python_replies) {
    outgoing_reply reply{.result = std::string(c.result)};
    if (!c.failure.empty()) reply.failure = read_failure(std::string(c.failure));
    std::string body;
    if (c.ending)
      body = reply_body(reply);
    else
      write_heartbeat(body, golden_msg_id, golden_unique_id);
    EXPECT_EQ(body, c.body);

    auto read = read_reply(c.body);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->msg_id, golden_msg_id);
    EXPECT_EQ(read->unique_id, golden_unique_id);
    EXPECT_EQ(read->result, c.result);
    EXPECT_EQ(read->ending, c.ending);
    EXPECT_EQ(read->is_heartbeat(), !c.ending);
    ASSERT_EQ(read->failure.has_value(), !c.failure.empty());
    if (read->failure) {
      EXPECT_EQ(read->failure->json, c.failure);
      read->failure->json.clear();
      std::string again;
      write_failure(again, *read->failure);
      EXPECT_EQ(again, c.failure);
    }
  }
}

TEST(reply, with_a_failure_has_no_result) {
  const auto read = read_reply(reply_body({.result = "5", .failure = remote_failure{.type = "E"}}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->result, "null");
  EXPECT_EQ(read->failure->type, "E");
}

TEST(reply, with_the_text_of_a_failure_has_it_unchanged) {
  const std::string text = R"({"class":"E", "message": "\u00e9 \"", "more": 1.10})";
  const auto body = reply_body({.failure = remote_failure{.type = "other", .json = text}});
  EXPECT_EQ(read_reply(body)->failure->json, text);
  EXPECT_EQ(read_reply(body)->failure->type, "E");
  EXPECT_EQ(read_reply(R"({"failure": {"class": "E", "x" : 1}})")->failure->json,
            R"({"class": "E", "x" : 1})");
  EXPECT_EQ(read_reply(R"({"failure": [1, 2]})")->failure->json, "");
}

TEST(reply, that_cannot_be_written_is_refused) {
  std::string out;
  EXPECT_THROW(write_reply(out, {.failure = remote_failure{.json = "[]"}}, "m", "u"),
               messaging_error);
  EXPECT_THROW(write_reply(out, {.result = ""}, "m", "u"), messaging_error);
  EXPECT_THROW(write_reply(out, {.result = "\"\xff\""}, "m", "u"), messaging_error);
}

TEST(reply, of_an_old_peer_comes_in_two_messages) {
  const auto first = read_reply(R"({"result": {"r": 1}, "failure": null, "_msg_id": "m"})");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->result, R"({"r": 1})");
  EXPECT_FALSE(first->ending);
  EXPECT_FALSE(first->is_heartbeat());
  const auto second =
      read_reply(R"({"result": null, "failure": null, "ending": true, "_msg_id": "m"})");
  ASSERT_TRUE(second);
  EXPECT_EQ(second->result, "null");
  EXPECT_TRUE(second->ending);
  EXPECT_FALSE(second->is_heartbeat());
  const auto failed = read_reply(R"({"failure": "{\"class\": \"E\"}", "_msg_id": "m"})");
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->failure->type, "E");
  EXPECT_FALSE(failed->is_heartbeat());
}

TEST(reply, is_read_liberally) {
  struct {
    std::string_view body;
    bool ending;
    bool failed;
  } const cases[] = {
      {"{}", false, false},
      {R"({"ending": 1, "failure": ""})", true, false},
      {R"({"ending": "no", "failure": false})", true, false},
      {R"({"ending": "", "failure": 0})", false, false},
      {R"({"ending": [], "failure": {}})", false, false},
      {R"({"ending": [0], "failure": [ ]})", true, false},
      {R"({"ending": { }, "failure": [1]})", false, true},
      {R"({"ending": null, "failure": 5})", false, true},
      {R"({"ending": 0.0, "failure": true})", false, true},
      {R"({"failure": {"class": "E"}, "extra": {"x": []}})", false, true},
      {R"({"failure": "not JSON"})", false, true},
      {R"({"failure": "x", "failure": null, "ending": false, "ending": true})", true, false},
  };
  for (const auto& c : cases) {
    const auto read = read_reply(c.body);
    ASSERT_TRUE(read) << c.body;
    EXPECT_EQ(read->ending, c.ending) << c.body;
    EXPECT_EQ(read->failure.has_value(), c.failed) << c.body;
    EXPECT_EQ(read->msg_id, "");
  }
  EXPECT_EQ(read_reply(R"({"failure": [1, 2]})")->failure->message, "[1, 2]");
  EXPECT_EQ(read_reply(R"({"failure": "not JSON"})")->failure->message, "not JSON");
  EXPECT_EQ(read_reply(R"({"failure": {"class": "E"}})")->failure->type, "E");
  EXPECT_EQ(read_reply(R"({"_msg_id": 5, "_unique_id": null})")->msg_id, "");
}

TEST(reply, that_is_malformed_is_refused) {
  const auto error_of = [](std::string_view body) -> std::string {
    const auto read = read_reply(body);
    if (read) return "no error";
    EXPECT_EQ(read.error().code(), errc::malformed_message);
    return read.error().message();
  };
  EXPECT_EQ(error_of("5"), "The message body is not a JSON object");
  EXPECT_EQ(error_of(R"({"oslo.version": "2.0", "oslo.message": "5"})"),
            "The reply is not a JSON object");
  EXPECT_EQ(error_of(R"({"oslo.version": "2.0", "oslo.message": "{\"result\": }"})"),
            "Malformed JSON at byte 11: expected a value, got '}'");
  EXPECT_EQ(error_of(R"({"oslo.version": "9.0", "oslo.message": "{}"})"),
            "Specified RPC envelope version, 9.0, not supported by this endpoint.");
}

TEST(reply, an_id_that_is_no_text_goes_back_as_it_came) {
  std::string body;
  write_reply(body, {.result = "1"}, {R"({"a": [1]})", false}, "u");
  EXPECT_NE(body.find(R"(\"_msg_id\": {\"a\": [1]}, )"), body.npos) << body;
  body.clear();
  write_heartbeat(body, {"7", false}, "u");
  EXPECT_NE(body.find(R"(\"_msg_id\": 7, )"), body.npos) << body;
}

}  // namespace
}  // namespace oslo::messaging::wire
