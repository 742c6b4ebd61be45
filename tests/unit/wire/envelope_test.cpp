#include "wire/envelope.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::wire {
namespace {

std::string error_of(std::string_view body) {
  const auto inner = read_envelope(body);
  if (inner) return "no error, but " + *inner;
  EXPECT_EQ(inner.error().code(), errc::malformed_message);
  return inner.error().message();
}

TEST(envelope, is_written_around_pieces) {
  std::string out = "kept";
  write_envelope(out, {R"({"a": "\n\u00e9")", "", ", \"b\": \"\xc3\xa9\n\"}"});
  EXPECT_EQ(out, R"(kept{"oslo.version": "2.0", "oslo.message": )"
                 R"("{\"a\": \"\\n\\u00e9\", \"b\": \"\u00e9\n\"}"})");
  EXPECT_EQ(read_envelope(out.substr(4)).value(), "{\"a\": \"\\n\\u00e9\", \"b\": \"\xc3\xa9\n\"}");
}

TEST(envelope, text_that_is_not_utf8_is_not_written) {
  std::string out;
  EXPECT_THROW(write_envelope(out, {"{\"a\": \"\xff\"}"}), messaging_error);
}

TEST(envelope, needs_both_keys_and_version_2_0) {
  struct {
    std::string_view body;
    std::string_view inner;
  } const accepted[] = {
      {R"({"oslo.version": "2.0", "oslo.message": "{\"a\": 1}"})", R"({"a": 1})"},
      {R"({"oslo.message":"{}","oslo.version":"2.0"})", "{}"},
      {R"( { "oslo.version" : "2.0.0", "x": [1, {}], "oslo.message" : "anything" } )", "anything"},
      {R"({"\u006fslo.version": "\u0032.0", "oslo.message": "\u0041"})", "A"},
      {R"({"oslo.version": "2.0", "oslo.message": "old", "oslo.message": "n\new"})", "n\new"},
      {R"({"oslo.version": "1.0", "oslo.message": "m", "oslo.version": "2.0"})", "m"},
      {R"({"oslo.version": "2.0", "oslo.message": ""})", ""},
      {R"({"oslo.version": "2.0"})", R"({"oslo.version": "2.0"})"},
      {R"({"oslo.message": "m\n"})", R"({"oslo.message": "m\n"})"},
      {R"({"oslo.message": 5})", R"({"oslo.message": 5})"},
      {R"({"method": "bare"})", R"({"method": "bare"})"},
      {"{}", "{}"},
  };
  for (const auto& c : accepted) {
    const auto inner = read_envelope(c.body);
    ASSERT_TRUE(inner) << c.body << inner.error().message();
    EXPECT_EQ(*inner, c.inner) << c.body;
  }
  for (const auto& [json, shown] : std::initializer_list<std::pair<std::string, std::string>>{
           {R"("2.1")", "2.1"},
           {R"("2.0.1")", "2.0.1"},
           {R"("1.9")", "1.9"},
           {R"("3.0")", "3.0"},
           {R"("2")", "2"},
           {R"("")", ""},
           {R"("two")", "two"},
           {R"("2.0x")", "2.0x"},
           {"null", "null"},
           {"2.0", "2.0"},
           {"[2, 0]", "[2, 0]"},
           {'"' + std::string(100, 'v') + '"', std::string(60, 'v')}}) {
    const std::string text =
        "Specified RPC envelope version, " + shown + ", not supported by this endpoint.";
    EXPECT_EQ(error_of(R"({"oslo.version": )" + json + R"(, "oslo.message": "{}"})"), text);
    EXPECT_EQ(error_of(R"({"oslo.message": 5, "oslo.version": )" + json + "}"), text);
  }
}

TEST(envelope, what_is_not_a_json_object_is_malformed) {
  EXPECT_EQ(error_of("[]"), "The message body is not a JSON object");
  EXPECT_EQ(error_of("\"text\""), "The message body is not a JSON object");
  EXPECT_EQ(error_of("null"), "The message body is not a JSON object");
  EXPECT_EQ(error_of(""), "Malformed JSON at byte 0: expected an object, got the end of the text");
  EXPECT_EQ(error_of("hello"), "Malformed JSON at byte 0: expected a value, got 'h'");
  EXPECT_EQ(error_of("{} {}"),
            "Malformed JSON at byte 3: expected nothing after the value, got '{'");
  EXPECT_EQ(error_of("{\"oslo.version\": \"2.0\", \"oslo.message\": \"{}\""),
            "Malformed JSON at byte 44: expected ',' or '}', got the end of the text");
  EXPECT_EQ(error_of("{\"a\": \"\xff\"}"), "Malformed JSON at byte 7: the text is not valid UTF-8");
  EXPECT_EQ(error_of(std::string_view("\0\0\0", 3)),
            "Malformed JSON at byte 0: expected a value, got byte 0x00");
  EXPECT_EQ(error_of(R"({"oslo.version": "2.0", "oslo.message": {"method": "m"}})"),
            "The key oslo.message is not a string");
}

}  // namespace
}  // namespace oslo::messaging::wire
