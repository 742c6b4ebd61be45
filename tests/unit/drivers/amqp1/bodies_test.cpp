#include "drivers/amqp1/bodies.hpp"

#include <gmock/gmock.h>

#include "wire/failure_json.hpp"

namespace oslo::messaging::amqp1 {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::string keys(const wire::incoming_request& r) {
  std::string all;
  for (const auto& f : r.fields) all += std::string(f.key) + "=" + std::string(f.json) + ";";
  return all;
}
std::string why(std::string_view body) {
  const auto r = read_request(body);
  return r.has_error() ? r.error().message() : "read";
}

TEST(amqp1_bodies, requests_as_python_writes_them) {
  std::string out;
  write_request(out, R"({"method": "add", "args": {"a": 1}})", {{"user", "ada"}});
  EXPECT_EQ(out, R"({"request": {"method": "add", "args": {"a": 1}}, "context": {"user": "ada"}})");
  out.clear();
  write_request(out, "{}", {}, 7s);
  EXPECT_EQ(out, R"({"request": {}, "context": {}, "call_monitor_timeout": 7})");
  out.clear();
  write_request(out, "{}", {}, 2'250ms);
  EXPECT_EQ(out, R"({"request": {}, "context": {}, "call_monitor_timeout": 2.25})");
}

TEST(amqp1_bodies, a_context_in_the_request_becomes_that_of_the_message) {
  context ctxt{{"user", "ada"}};
  std::string request = R"({"method": "m", "n": 1.10})";
  take_context(request, ctxt);
  EXPECT_EQ(request, R"({"method": "m", "n": 1.10})");
  EXPECT_EQ(ctxt, (context{{"user", "ada"}}));

  request =
      R"({"_context_user": "bob", "n": 1.10, "\u005fcontext_id": 12345678901234567890123, "_context": 2})";
  take_context(request, ctxt);
  EXPECT_EQ(request, R"({"n": 1.10, "_context": 2})");
  EXPECT_EQ(ctxt.exact_text("id") ? *ctxt.exact_text("id") : "", "12345678901234567890123");
  EXPECT_EQ(ctxt.entries().at("user"), "ada");
}

TEST(amqp1_bodies, a_message_as_it_is_on_other_buses) {
  const auto r =
      read_request(R"({"request": {"a": 1.10, "b": {}}, "context": {"user": "ada"}})").value();
  std::string out = "x";
  write_whole(out, r, r.make_context(),
              {.msg_id = "1", .reply_q = "reply_r", .timeout = 7'500ms, .unique_id = "2"});
  EXPECT_EQ(out, R"(x{"a": 1.10, "b": {}, "_msg_id": "1", "_reply_q": "reply_r", )"
                 R"("_timeout": 7.5, "_unique_id": "2", "_context_user": "ada"})");
}

TEST(amqp1_bodies, notifications_in_both_formats) {
  std::string out;
  write_notification(out, R"({"event_type": "e"})", {}, notification_format::bare);
  EXPECT_EQ(out, R"({"request": {"event_type": "e"}, "context": {}})");
  EXPECT_EQ(keys(*read_request(out)), R"(event_type="e";)");
  out.clear();
  write_notification(out, R"({"event_type": "e"})", {{"u", 1}}, notification_format::envelope);
  EXPECT_EQ(out, R"({"request": {"oslo.version": "2.0", "oslo.message": )"
                 R"("{\"event_type\": \"e\"}"}, "context": {"u": 1}})");
  const auto r = read_request(out).value();
  EXPECT_EQ(keys(r), R"(event_type="e";)");
  EXPECT_EQ(r.make_context(), (context{{"u", 1}}));
}

TEST(amqp1_bodies, a_request_is_read_with_all_its_keys) {
  auto r = read_request(
               R"({"context": {"a": [1]}, "request": {"method": "m", "_msg_id": 1, "\u0061": 2,)"
               R"( "method": "n"}, "call_monitor_timeout": 2.5, "more": {}})")
               .value();
  const auto moved = std::move(r);
  EXPECT_EQ(keys(moved), R"(method="n";_msg_id=1;a=2;)");
  EXPECT_EQ(moved.client_timeout, 2.5);
  EXPECT_EQ(moved.make_context(), (context{{"a", {1}}}));
  EXPECT_EQ(moved.msg_id, "");
}

TEST(amqp1_bodies, very_many_keys_cost_no_more_than_their_number) {
  std::string body = R"({"request": {)";
  for (int i = 0; i < 50'000; ++i) body += "\"k" + std::to_string(i) + "\": 1, ";
  const auto r = read_request(body + R"("k7": 2, "k49999": 3}})").value();
  EXPECT_EQ(r.fields.size(), 50'000u);
  EXPECT_EQ(r.fields[7].json, "2");
  EXPECT_EQ(r.fields[49'999].json, "3");
}

TEST(amqp1_bodies, what_is_no_request) {
  EXPECT_THAT(why("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(why("{}"), HasSubstr("no request"));
  EXPECT_THAT(why(R"({"request": 1})"), HasSubstr("no request"));
  EXPECT_THAT(why(R"({"request": {}, "context": 5})"), HasSubstr("context"));
  EXPECT_EQ(why(R"({"request": {}, "context": null})"), "read");
  EXPECT_THAT(why(R"({"request": {}} x)"), HasSubstr("nothing after"));
  EXPECT_THAT(why(R"({"request": {"oslo.version": "3.0", "oslo.message": "{}"}})"),
              HasSubstr("3.0, not supported"));
}

TEST(amqp1_bodies, replies_there_and_back) {
  std::string out;
  write_reply(out, {R"({"r": [1]})", std::nullopt});
  EXPECT_EQ(out, R"({"response": {"r": [1]}})");
  EXPECT_EQ(read_reply(out)->result, R"({"r": [1]})");
  outgoing_reply bad;
  bad.failure.emplace().type = "KeyError";
  bad.failure->module = "builtins";
  bad.failure->message = "'k'";
  out.clear();
  write_reply(out, bad);
  EXPECT_THAT(out, ::testing::StartsWith(R"({"failure": "{\"class\": \"KeyError\")"));
  const auto r = read_reply(out);
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::remote_error);
  EXPECT_EQ(r.error().remote()->type, "KeyError");
  EXPECT_EQ(read_reply("{}")->result, "null");
  EXPECT_EQ(read_reply(R"({"failure": null, "response": 5})")->result, "5");
  EXPECT_EQ(read_reply("5").error().code(), errc::malformed_message);
}

TEST(amqp1_bodies, text_that_is_not_utf8_is_not_sent) {
  std::string out;
  EXPECT_THROW(write_request(out, "{\"a\": \"\xff\"}", {}), messaging_error);
  EXPECT_THROW(write_reply(out, {"\"\xff\"", std::nullopt}), messaging_error);
  EXPECT_THROW(write_reply(out, {"", std::nullopt}), messaging_error);
}

}  // namespace
}  // namespace oslo::messaging::amqp1
