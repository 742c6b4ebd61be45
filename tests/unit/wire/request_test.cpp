#include "wire/request.hpp"

#include <gtest/gtest.h>

#include <oslo/messaging/json.hpp>

#include "golden.hpp"
#include "wire/envelope.hpp"

namespace oslo::messaging::wire {
namespace {

using namespace std::chrono_literals;

std::string request_body(std::string_view inner, const context& ctxt, const request_keys& keys) {
  std::string out;
  write_request(out, inner, ctxt, keys);
  return out;
}

/// Fields as `key=json` lines.
std::string shown(const std::vector<message_field>& fields) {
  std::string text;
  for (const auto& f : fields) text.append(f.key).append("=").append(f.json).append("\n");
  return text;
}

std::string error_of(std::string_view body) {
  const auto request = read_request(body);
  if (request) return "no error";
  EXPECT_EQ(request.error().code(), errc::malformed_message);
  return request.error().message();
}

constexpr std::string_view sample_inner =
    R"({"method": "foo", "args": {"a": 1, "when": "2026-01-02T03:04:05.000000"}, "namespace": "ns", "version": "1.1"})";
constexpr std::string_view sample_call =
    R"({"oslo.version": "2.0", "oslo.message": "{\"method\": \"foo\", \"args\": {\"a\": 1, \"when\": \"2026-01-02T03:04:05.000000\"}, \"namespace\": \"ns\", \"version\": \"1.1\", \"_msg_id\": \"aaaaaaaa000040008000000000000005\", \"_reply_q\": \"reply_00000000000000000000000000000001\", \"_timeout\": null, \"_unique_id\": \"aaaaaaaa000040008000000000000006\", \"_context_user\": \"bob\"}"})";

TEST(request, has_the_bytes_of_the_specification) {
  const context bob{{"user", "bob"}};
  const request_keys call{
      .msg_id = golden_msg_id, .reply_q = golden_reply_q, .unique_id = golden_unique_id};
  EXPECT_EQ(request_body(sample_inner, bob, call), sample_call);
  EXPECT_EQ(
      read_envelope(request_body(sample_inner, bob, {.unique_id = golden_unique_id})).value(),
      R"({"method": "foo", "args": {"a": 1, "when": "2026-01-02T03:04:05.000000"}, "namespace": "ns", "version": "1.1", "_unique_id": "aaaaaaaa000040008000000000000006", "_context_user": "bob"})");
  request_keys monitored = call;
  const std::pair<std::chrono::milliseconds, std::string> limits[] = {
      {10s, "10"},
      {1500ms, "1.5"},
      {1ms, "0.001"},
      {2100ms, "2.1"},
      {0s, "0"},
      {-1500ms, "-1.5"},
      {std::chrono::milliseconds::max(), "9223372036854776.0"}};
  for (const auto& [limit, text] : limits) {
    monitored.timeout = limit;
    EXPECT_NE(request_body(sample_inner, bob, monitored)
                  .find(R"(\"_timeout\": )" + text + R"(, \"_unique_id\")"),
              std::string::npos)
        << request_body(sample_inner, bob, monitored);
  }
}

TEST(request, has_the_bytes_of_python) {
  for (const auto& c : python_requests) {
    request_keys keys{.unique_id = golden_unique_id};
    if (c.is_call) {
      keys.msg_id = golden_msg_id;
      keys.reply_q = golden_reply_q;
      if (c.timeout >= 0)
        keys.timeout =
            std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(c.timeout));
    }
    EXPECT_EQ(request_body(c.inner, context(parse_json(c.context).as_object()), keys), c.body);
  }
}

TEST(request, of_python_is_read_into_its_parts) {
  for (const auto& c : python_requests) {
    const auto read = read_request(c.body);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->msg_id, c.is_call ? golden_msg_id : "");
    EXPECT_EQ(read->reply_q, c.is_call ? golden_reply_q : "");
    EXPECT_EQ(read->unique_id, golden_unique_id);
    EXPECT_EQ(read->client_timeout,
              c.timeout < 0 ? std::nullopt : std::optional<double>(c.timeout));
    EXPECT_EQ(to_json(read->make_context().entries()), c.context);
    std::string inner = "{";
    for (const auto& f : read->fields) {
      if (inner.size() > 1) inner += ", ";
      write_json(inner, f.key);
      inner += ": ";
      inner += f.json;
    }
    EXPECT_EQ(inner + "}", c.inner);
  }
}

TEST(request, inner_object_may_have_any_layout) {
  const auto body = [](std::string_view inner) {
    return read_envelope(request_body(inner, {}, {.unique_id = "u"})).value();
  };
  EXPECT_EQ(body("{}"), R"({"_unique_id": "u"})");
  EXPECT_EQ(body(" {\n} "), "{\n\"_unique_id\": \"u\"}");
  EXPECT_EQ(body("{ \"a\":1\n}\n"), "{ \"a\":1\n, \"_unique_id\": \"u\"}");
  EXPECT_EQ(body("{\"a\": \"\xc3\xa9\"}"), "{\"a\": \"\xc3\xa9\", \"_unique_id\": \"u\"}");
  for (const std::string_view bad : {"", " ", "{", "}", "[]", "null", "{]", "\"{}\""}) {
    try {
      body(bad);
      ADD_FAILURE() << bad;
    } catch (const messaging_error& e) {
      EXPECT_EQ(e.failure().code(), errc::serialization_failed);
      EXPECT_EQ(e.failure().message(), "The message to be sent is not a JSON object");
    }
  }
}

TEST(request, keys_of_the_context_are_escaped) {
  const std::string body = request_body("{}", context{{"a\"b", "c\\d"}}, {.unique_id = "u"});
  EXPECT_EQ(read_envelope(body).value(), R"({"_unique_id": "u", "_context_a\"b": "c\\d"})");
  EXPECT_EQ(read_request(body)->make_context(), (context{{"a\"b", "c\\d"}}));
}

TEST(request, a_context_that_is_passed_on_keeps_the_digits_of_big_integers) {
  const std::string longest(json_reader::longest_integer, '7');
  const std::string too_long(json_reader::longest_integer + 1, '7');
  const std::pair<std::string, std::string> table[] = {
      {"18446744073709551615", "18446744073709551615"},
      {"18446744073709551616", "18446744073709551616"},
      {"18446744073709551617", "18446744073709551617"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"-9223372036854775809", "-9223372036854775809"},
      {"1" + std::string(400, '0'), "1" + std::string(400, '0')},
      {longest, longest},
      {"-" + longest, "-" + longest},
      {too_long, "Infinity"},
      {R"({"deep": [18446744073709551617, "x", NaN]})",
       R"({"deep": [18446744073709551617, "x", NaN]})"},
      {"[18446744073709551617, " + too_long + "]", "[1.8446744073709552e+19, Infinity]"},
      {"0.1", "0.1"},
      {"1e+16", "1e+16"},
      {"-0.0", "-0.0"}};
  for (const auto& [given, expected] : table) {
    const auto first = read_request(R"({"method": "m", "_context_n": )" + given + "}");
    ASSERT_TRUE(first) << given;
    const context came = first->make_context();
    const context passed_on = came;
    const auto second = read_request(request_body("{}", passed_on, {.unique_id = "u"}));
    ASSERT_TRUE(second) << given;
    ASSERT_EQ(second->context_fields.size(), 1u);
    EXPECT_EQ(second->context_fields[0].json, expected);
    EXPECT_EQ(second->make_context() == came, given.find("NaN") == given.npos) << given;
    std::string notified;
    write_notification(notified, "{}", passed_on, "u", notification_format::bare);
    EXPECT_NE(notified.find(": " + expected + "}"), notified.npos) << notified;
  }
}

TEST(request, of_equal_keys_of_the_context_the_last_one_has_its_digits) {
  const auto last_of = [](const std::string& entries) {
    return read_request("{" + entries + "}")->make_context();
  };
  const std::string big = R"("_context_n": 18446744073709551616)";
  const std::string twin = R"("_context_n": 1.8446744073709552e+19)";
  EXPECT_EQ(last_of(big + ", " + twin).exact_text("n"), nullptr);
  ASSERT_NE(last_of(twin + ", " + big).exact_text("n"), nullptr);
}

TEST(request, parts_survive_a_move) {
  for (const std::string_view body :
       {std::string_view(R"({"a":1})"),
        std::string_view(
            R"({"\u0061":1,"_msg_id":"\u006d","_reply_q":"q","_context_\u0063":2})")}) {
    auto read = read_request(body).value();
    const incoming_request first = std::move(read);
    auto second = std::make_unique<incoming_request>();
    *second = std::move(const_cast<incoming_request&>(first));
    EXPECT_EQ(shown(second->fields), "a=1\n");
    if (body.size() > 10) {
      EXPECT_EQ(second->msg_id, "m");
      EXPECT_EQ(second->reply_q, "q");
      EXPECT_EQ(shown(second->context_fields), "c=2\n");
    }
  }
}

TEST(request, of_equal_keys_the_last_one_counts) {
  const auto read = read_request(
      R"({"m": 1, "a": 2, "m": {"x": 3}, "_msg_id": "1", "_msg_id": "2", "_context_k": 1, "_context_k": 2})");
  ASSERT_TRUE(read);
  EXPECT_EQ(shown(read->fields), "a=2\nm={\"x\": 3}\n");
  EXPECT_EQ(read->msg_id, "2");
  EXPECT_EQ(read->make_context(), (context{{"k", 2}}));
  std::string many = "{";
  for (int i = 0; i < 200'000; ++i)
    many += "\"k" + std::to_string(i % 100'000) + "\": " + std::to_string(i) + ",";
  many.back() = '}';
  const auto big = read_request(many);
  ASSERT_TRUE(big);
  ASSERT_EQ(big->fields.size(), 100'000u);
  EXPECT_EQ(big->fields.front().key, "k0");
  EXPECT_EQ(big->fields.front().json, "100000");
}

TEST(request, types_of_the_transport_keys_are_checked) {
  struct {
    std::string_view body;
    std::string_view error;
  } const refused[] = {
      {R"({"_reply_q": []})", "The key _reply_q of the message is not a string but array"},
      {R"({"_reply_q": true})", "The key _reply_q of the message is not a string but bool"},
      {"[]", "The message body is not a JSON object"},
      {R"({"oslo.version": "2.0", "oslo.message": "[]"})", "The message is not a JSON object"},
      {R"({"oslo.version": "2.0", "oslo.message": ""})",
       "Malformed JSON at byte 0: expected an object, got the end of the text"},
      {R"({"oslo.version": "2.0", "oslo.message": "{\"a\": }"})",
       "Malformed JSON at byte 6: expected a value, got '}'"},
  };
  for (const auto& c : refused) EXPECT_EQ(error_of(c.body), c.error) << c.body;

  const auto timeout = [](std::string_view json) {
    return read_request("{\"_timeout\": " + std::string(json) + "}").value().client_timeout;
  };
  EXPECT_EQ(timeout("10"), 10.0);
  EXPECT_EQ(timeout("2.5"), 2.5);
  EXPECT_EQ(timeout("true"), 1.0);
  for (const std::string_view ten : {R"("10")", R"(" +10\n")", R"("1_0")"}) {
    EXPECT_EQ(timeout(ten), 10.0) << ten;
  }
  for (const std::string_view none :
       {"null", "false", "0", "0.0", "-1", "NaN", "Infinity", "-Infinity", "[10]", "{}", R"("")",
        R"("-5")", R"("abc")", R"("7.9")", R"("_1")", R"("1_")", R"("1__0")", R"("+")", R"(" ")"}) {
    EXPECT_EQ(timeout(none), std::nullopt) << none;
  }
  EXPECT_EQ(timeout("\"" + std::string(400, '9') + "\""), std::nullopt) << "beyond a double";

  for (const std::string_view id : {"5", "1.5", "true", "[0]", R"({"a": "b"})"}) {
    const auto r = read_request("{\"_msg_id\": " + std::string(id) + "}");
    EXPECT_EQ(r->msg_id, id);
    EXPECT_FALSE(r->msg_id_is_text);
  }
  EXPECT_TRUE(read_request(R"({"_msg_id": "5"})")->msg_id_is_text);
  for (const std::string_view none : {"0", "false", "[]", "{}", "0.0", R"("")"}) {
    EXPECT_EQ(read_request("{\"_msg_id\": " + std::string(none) + "}")->msg_id, "") << none;
  }

  const auto absent = read_request(R"({"_msg_id": null, "_reply_q": null, "_unique_id": null})");
  ASSERT_TRUE(absent);
  EXPECT_TRUE(absent->msg_id.empty() && absent->reply_q.empty() && absent->unique_id.empty());
  EXPECT_EQ(read_request(R"({"_unique_id": 12.5})")->unique_id, "12.5");
}

TEST(request, only_whole_prefixes_are_the_transport_s) {
  const auto read = read_request(
      R"({"_context": 1, "_context_": 2, "_msg_ids": 3, "context_x": 4, "_": 5, "": 6})");
  ASSERT_TRUE(read);
  EXPECT_EQ(shown(read->fields), "_context=1\n_msg_ids=3\ncontext_x=4\n_=5\n=6\n");
  EXPECT_EQ(shown(read->context_fields), "=2\n");
}

TEST(request, nesting_and_size_have_a_stated_outcome) {
  const auto nested = [](std::size_t levels) {
    return R"({"args": )" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
  };
  EXPECT_EQ(error_of(nested(1000)), "no error");
  EXPECT_EQ(error_of(nested(1024)), "no error");
  EXPECT_EQ(error_of(nested(1025)), "Malformed JSON at byte 1032: nested deeper than 1024 levels");
  std::string enveloped;
  write_envelope(enveloped, {nested(1000)});
  EXPECT_EQ(error_of(enveloped), "no error");

  const std::string text(16u << 20, '"');
  std::string inner = R"({"method": "m", "args": {"t": )";
  write_json(inner, text);
  inner += "}}";
  const auto big = read_request(request_body(inner, {}, {.unique_id = "u"}));
  ASSERT_TRUE(big);
  EXPECT_EQ(parse_json(big->fields.at(1).json).at("t").as_string().size(), text.size());
}

TEST(request, odd_json_keeps_its_text) {
  const std::string inner =
      R"({"method": "m", "args": {"nan": NaN, "inf": -Infinity, "big": 123456789012345678901234567890, "lone": "\ud800", "d": 1, "d": 2}})";
  const auto read = read_request(request_body(inner, {}, {.unique_id = "u"}));
  ASSERT_TRUE(read);
  EXPECT_EQ(
      read->fields.at(1).json,
      R"({"nan": NaN, "inf": -Infinity, "big": 123456789012345678901234567890, "lone": "\ud800", "d": 1, "d": 2})");
}

TEST(notification, has_the_bytes_of_the_specification) {
  std::string out;
  write_notification(
      out,
      R"({"message_id": "aaaaaaaa-0000-4000-8000-000000000009", "publisher_id": "compute.h1", "event_type": "ev", "priority": "INFO", "payload": {"x": 1}, "timestamp": "2026-01-02 03:04:05.000006"})",
      context{{"user_id", "u"}}, "aaaaaaaa00004000800000000000000a", notification_format::bare);
  EXPECT_EQ(
      out,
      R"({"message_id": "aaaaaaaa-0000-4000-8000-000000000009", "publisher_id": "compute.h1", "event_type": "ev", "priority": "INFO", "payload": {"x": 1}, "timestamp": "2026-01-02 03:04:05.000006", "_unique_id": "aaaaaaaa00004000800000000000000a", "_context_user_id": "u"})");
  const auto bare = read_request(out);
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->unique_id, "aaaaaaaa00004000800000000000000a");
  EXPECT_EQ(bare->fields.size(), 6u);
  EXPECT_EQ(bare->make_context(), (context{{"user_id", "u"}}));

  out.clear();
  write_notification(
      out,
      R"({"message_id": "aaaaaaaa-0000-4000-8000-00000000000c", "publisher_id": "compute.h1", "event_type": "ev", "priority": "INFO", "payload": {"x": 1}, "timestamp": "2026-01-02 03:04:05.000006"})",
      context{{"user_id", "u"}}, "aaaaaaaa00004000800000000000000d", notification_format::envelope);
  EXPECT_EQ(
      out,
      R"({"oslo.version": "2.0", "oslo.message": "{\"message_id\": \"aaaaaaaa-0000-4000-8000-00000000000c\", \"publisher_id\": \"compute.h1\", \"event_type\": \"ev\", \"priority\": \"INFO\", \"payload\": {\"x\": 1}, \"timestamp\": \"2026-01-02 03:04:05.000006\", \"_unique_id\": \"aaaaaaaa00004000800000000000000d\", \"_context_user_id\": \"u\"}"})");
}

}  // namespace
}  // namespace oslo::messaging::wire
