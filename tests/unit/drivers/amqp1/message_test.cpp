#include "drivers/amqp1/message.hpp"

#include <gmock/gmock.h>

namespace oslo::messaging::amqp1 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using kind = incoming_sections::body_kind;

/// "a1 02" and so on; what stands between quotes is text.
std::string bytes(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      ++i;
    } else if (text[i] == '"') {
      const auto end = text.find('"', i + 1);
      out += text.substr(i + 1, end - i - 1);
      i = end + 1;
    } else {
      out += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
      i += 2;
    }
  }
  return out;
}

std::string written(const message_head& head, std::optional<std::string_view> body) {
  std::string out;
  write_message(out, head, body);
  return out;
}

TEST(amqp1_message, bytes_of_a_cast_and_of_a_heartbeat) {
  EXPECT_EQ(written({.message_id = "id", .to = "unicast.x"}, "{}"),
            bytes(R"(00 53 73 d0 00000016 00000005 a1 02 "id" 40 a1 09 "unicast.x" 40 40)"
                  R"(00 53 77 a1 02 "{}")"));
  EXPECT_EQ(written({}, std::nullopt), bytes("00 53 77 40"));
}

TEST(amqp1_message, bytes_of_time_and_headers) {
  const std::vector<message_header> headers{{"n", "v"}};
  EXPECT_EQ(written({.ttl_ms = 1500, .headers = headers}, "x"),
            bytes(R"(00 53 70 d0 0000000b 00000003 42 40 70 000005dc)"
                  R"(00 53 74 d1 0000000a 00000002 a1 01 "n" a1 01 "v")"
                  R"(00 53 77 a1 01 "x")"));
}

TEST(amqp1_message, what_was_written_is_read) {
  const std::vector<message_header> headers{{"traceparent", "00-1"}, {"empty", ""}};
  const std::string long_text(70'000, 'x'), correlation = encoded_text("theirs");
  const auto wire = written({.ttl_ms = 4'000'000'000,
                             .message_id = "mine",
                             .to = "somewhere",
                             .reply_to = "back",
                             .correlation_id = correlation,
                             .headers = headers,
                             .time = {.limit_ms = 7, .sent_ms = -8, .sender = 9}},
                            long_text);
  const auto m = read_message(wire).value();
  EXPECT_EQ(m.ttl_ms, 4'000'000'000u);
  EXPECT_EQ(m.message_id_text, "mine");
  EXPECT_EQ(m.message_id, encoded_text("mine"));
  EXPECT_EQ(m.reply_to, "back");
  EXPECT_EQ(m.correlation_id, "theirs");
  EXPECT_THAT(m.headers,
              ElementsAre(message_header{"traceparent", "00-1"}, message_header{"empty", ""}));
  EXPECT_EQ(m.time, (wire::call_time{.limit_ms = 7, .sent_ms = -8, .sender = 9}));
  EXPECT_EQ(m.kind, kind::text);
  EXPECT_EQ(m.body, long_text);
}

TEST(amqp1_message, what_peers_write_in_other_ways) {
  // A header with five fields and a delivery count, annotations, a numeric id, bytes as the body.
  const auto wire = bytes(R"(00 80 0000000000000070 c0 08 05 41 50 04 40 41 52 03)"
                          R"(00 53 72 c1 07 02 a3 03 "x-a" 44)"
                          R"(00 53 73 c0 0d 04 80 0000000000000007 40 40 40)"
                          R"(00 53 75 a0 02 "{}")"
                          R"(00 53 78 c1 01 00)");
  const auto m = read_message(wire).value();
  EXPECT_EQ(m.ttl_ms, std::nullopt);
  EXPECT_EQ(m.delivery_count, 3u);
  EXPECT_EQ(m.message_id, bytes("80 0000000000000007"));
  EXPECT_EQ(m.message_id_text, "");
  EXPECT_EQ(m.kind, kind::text);
  EXPECT_EQ(m.body, "{}");
}

TEST(amqp1_message, bodies_that_are_none) {
  EXPECT_EQ(read_message("")->kind, kind::null);
  EXPECT_EQ(read_message(bytes("00 53 77 40"))->kind, kind::null);
  EXPECT_EQ(read_message(bytes("00 53 77 54 05"))->kind, kind::other);
  EXPECT_EQ(read_message(bytes("00 53 76 45"))->kind, kind::other);
  EXPECT_EQ(read_message(bytes("00 53 75 a0 01 \"a\" 00 53 75 a0 01 \"b\""))->kind, kind::other);
}

TEST(amqp1_message, garbage_is_refused) {
  const auto why = [](std::string_view text) {
    const auto r = read_message(bytes(text));
    return r.has_error() ? r.error().message() : std::string("read");
  };
  EXPECT_THAT(why("a1 01 \"x\""), HasSubstr("not described"));
  EXPECT_THAT(why("00 53 77 a1 05 \"x\""), HasSubstr("cut short"));
  EXPECT_THAT(why("00 53 77 b1 ffffffff \"x\""), HasSubstr("cut short"));
  EXPECT_THAT(why("00 53 77 10"), HasSubstr("unknown encoding"));
  EXPECT_THAT(why("00 53 73 c0 00"), HasSubstr("no length"));
  EXPECT_THAT(why("00 53 73 c0 01 05"), HasSubstr("cut short"));
  EXPECT_THAT(why("00 53 74 d1 00000004 7fffffff"), HasSubstr("too many"));
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "00 53 77 ";
  EXPECT_THAT(why(deep + "40"), HasSubstr("deeply"));
}

TEST(amqp1_message, no_end_of_a_message_is_read_beyond) {
  const std::vector<message_header> headers{{"n", "v"}};
  const auto whole = written({.ttl_ms = 5,
                              .message_id = "id",
                              .to = "to",
                              .reply_to = "back",
                              .correlation_id = encoded_text("c"),
                              .headers = headers,
                              .time = {.limit_ms = 7, .sent_ms = 8, .sender = 9}},
                             "body");
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const std::string cut = whole.substr(0, n);  // its own memory, for the sanitizers
    const auto r = read_message(cut);
    EXPECT_FALSE(r.has_value() && r->body == "body") << n;
  }
}

}  // namespace
}  // namespace oslo::messaging::amqp1
