#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging {
namespace {

using kind = json_reader::kind;

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const messaging_error& e) {
    EXPECT_EQ(e.failure().code(), errc::malformed_message);
    return e.failure().message();
  }
  return "no error";
}

/// The error of a whole text; both ways through it must agree.
std::string parse_error(std::string_view text) {
  const std::string by_value = error_of([&] { parse_json(text); });
  const std::string by_skip = error_of([&] {
    json_reader r(text);
    r.skip_value();
    r.finish();
  });
  EXPECT_EQ(by_value, by_skip) << text;
  return by_value;
}

std::string same(std::string_view text) {
  return to_json(parse_json(text));
}

TEST(json_reader, malformed_text_is_refused_with_place_and_reason) {
  struct {
    std::string_view text;
    std::string_view error;
  } const cases[] = {
      {"", "0: expected a value, got the end of the text"},
      {" \t\r\n", "4: expected a value, got the end of the text"},
      {"\xef\xbb\xbf{}", "0: expected a value, got a byte order mark"},
      {"\f1", "0: expected a value, got byte 0x0c"},
      {"\xc2\xa0", "0: expected a value, got byte 0xc2"},
      {"nul", "0: expected a value, got 'n'"},
      {"True", "0: expected a value, got 'T'"},
      {"tru", "0: expected a value, got 't'"},
      {"falsy", "0: expected a value, got 'f'"},
      {"nan", "0: expected a value, got 'n'"},
      {"-NaN", "0: expected a value, got '-'"},
      {"+1", "0: expected a value, got '+'"},
      {"Inf", "0: expected a value, got 'I'"},
      {"-", "0: expected a value, got '-'"},
      {".5", "0: expected a value, got '.'"},
      {"01", "1: expected nothing after the value, got '1'"},
      {"1.", "1: expected nothing after the value, got '.'"},
      {"1e", "1: expected nothing after the value, got 'e'"},
      {"1e+", "1: expected nothing after the value, got 'e'"},
      {"0x1", "1: expected nothing after the value, got 'x'"},
      {"1 2", "2: expected nothing after the value, got '2'"},
      {"{} x", "3: expected nothing after the value, got 'x'"},
      {"nullx", "4: expected nothing after the value, got 'x'"},
      {"[", "1: expected a value, got the end of the text"},
      {"]", "0: expected a value, got ']'"},
      {"[1", "2: expected ',' or ']', got the end of the text"},
      {"[1,", "3: expected a value, got the end of the text"},
      {"[1,]", "3: expected a value, got ']'"},
      {"[,1]", "1: expected a value, got ','"},
      {"[1 2]", "3: expected ',' or ']', got '2'"},
      {"[1}", "2: expected ',' or ']', got '}'"},
      {"{", "1: expected a key in double quotes, got the end of the text"},
      {"{]", "1: expected a key in double quotes, got ']'"},
      {"{1:2}", "1: expected a key in double quotes, got '1'"},
      {"{'a':2}", "1: expected a key in double quotes, got '''"},
      {"{\"a\"}", "4: expected ':', got '}'"},
      {"{\"a\":}", "5: expected a value, got '}'"},
      {"{\"a\":1", "6: expected ',' or '}', got the end of the text"},
      {"{\"a\":1,}", "7: expected a key in double quotes, got '}'"},
      {"{\"a\":1]", "6: expected ',' or '}', got ']'"},
      {"{\"a\" 1}", "5: expected ':', got '1'"},
      {"/**/1", "0: expected a value, got '/'"},
      {"\"abc", "4: the string has no end"},
      {"\"abc\\", "4: invalid escape"},
      {"\"abc\\\"", "6: the string has no end"},
      {"\"\\x41\"", "1: invalid escape"},
      {"\"\\u12\"", "5: expected four hexadecimal digits"},
      {"\"\\u12g4\"", "5: expected four hexadecimal digits"},
      {"\"\\u+123\"", "3: expected four hexadecimal digits"},
      {"\"\\ud83d\\u12", "11: expected four hexadecimal digits"},
      {"\"a\nb\"", "2: control character inside a string"},
      {"\"1234567890\t\"", "11: control character inside a string"},
      {std::string_view("\"a\0b\"", 5), "2: control character inside a string"},
      {std::string_view("\0", 1), "0: expected a value, got byte 0x00"},
      {std::string_view("1\0", 2), "1: expected nothing after the value, got byte 0x00"},
      {"\"\xff\"", "1: the text is not valid UTF-8"},
      {"\"123456789\x80\"", "10: the text is not valid UTF-8"},
      {"\"\xc0\xaf\"", "1: the text is not valid UTF-8"},
      {"\"\xe0\x80\xaf\"", "1: the text is not valid UTF-8"},
      {"\"\xf4\x90\x80\x80\"", "1: the text is not valid UTF-8"},
      {"\"\xe2\x82\"", "1: the text is not valid UTF-8"},
      {"\"\\n\xe2\x82\"", "3: the text is not valid UTF-8"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(parse_error(c.text), "Malformed JSON at byte " + std::string(c.error)) << c.text;
}

TEST(json_reader, what_python_accepts_is_accepted) {
  struct {
    std::string_view text;
    std::string_view again;
  } const cases[] = {
      {" \t\r\n{ \"a\" : [ 1 , 2 ] } \n", R"({"a": [1, 2]})"},
      {"[NaN,Infinity,-Infinity]", "[NaN, Infinity, -Infinity]"},
      {"[-0,-0.0,0e5,1E2,1e-7,1.5E+3]", "[0, -0.0, 0.0, 100.0, 1e-07, 1500.0]"},
      {"[9223372036854775807,-9223372036854775808]", "[9223372036854775807, -9223372036854775808]"},
      {"[9223372036854775808,18446744073709551615]", "[9223372036854775808, 18446744073709551615]"},
      {"[18446744073709551616,-9223372036854775809]",
       "[1.8446744073709552e+19, -9.223372036854776e+18]"},
      {"[1e999,-1e999,1e-999,-1e-999]", "[Infinity, -Infinity, 0.0, -0.0]"},
      {"[4.9e-324,1e-330,1.7976931348623159e308]", "[5e-324, 0.0, Infinity]"},
      {"[0.0000001e-400,12345678901234567890e-400,0.000001e999999999999999999]",
       "[0.0, 0.0, Infinity]"},
      {"[1e-99999999999999999999,1e99999999999999999999]", "[0.0, Infinity]"},
      {R"({"a":1,"b":2,"a":3})", R"({"a": 3, "b": 2})"},
      {R"("\u0041\"\\\/\b\f\n\r\t")", R"("A\"\\/\b\f\n\r\t")"},
      {R"("\ud83d\ude00 \uD83D\uDE00")", R"("\ud83d\ude00 \ud83d\ude00")"},
      {R"("\ud800")", R"("\ud800")"},
      {R"("\udc00\ud800")", R"("\udc00\ud800")"},
      {R"("\ud800\ud800\udc00")", R"("\ud800\ud800\udc00")"},
      {R"("\ud800x")", R"("\ud800x")"},
      {R"("\ud800\n")", R"("\ud800\n")"},
      {"\"\xed\xa0\x80\"", R"("\ud800")"},
      {R"("\u0000")", R"("\u0000")"},
      {"\"\x7f\"", R"("\u007f")"},
      {"\"h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80\"", R"("h\u00e9llo \u20ac \ud83d\ude00")"},
      {R"({"\u0061\ud800":{"":[]}})", R"({"a\ud800": {"": []}})"},
      {"[[],{},[[]],\"\"]", "[[], {}, [[]], \"\"]"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(same(c.text), c.again) << c.text;
    json_reader r(c.text);
    r.skip_value();
    r.finish();
  }
}

TEST(json_reader, escapes_decode_to_utf8) {
  std::string out = "old";
  json_reader r(R"("\u0041\u00e9\u20ac\ud83d\ude00\udbff\u0000z")");
  r.read_string(out);
  EXPECT_EQ(out, std::string("A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\xaf\xbf\0z", 15));
}

TEST(json_reader, whatever_stands_in_a_string_is_found_at_every_place_of_a_run) {
  struct {
    std::string_view json;
    std::string_view text;   // what it stands for
    std::string_view error;  // or why it is refused
  } const cases[] = {
      {R"(\")", "\"", {}},
      {R"(\\)", "\\", {}},
      {R"(\n)", "\n", {}},
      {R"(\u00e9)", "\xc3\xa9", {}},
      {"\x7f", "\x7f", {}},
      {"\xc3\xa9", "\xc3\xa9", {}},
      {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", {}},
      {"\x1f", {}, "control character inside a string"},
      {"\x80", {}, "the text is not valid UTF-8"},
      {R"(\x)", {}, "invalid escape"},
  };
  for (const auto& c : cases)
    for (std::size_t before = 0; before < 35; ++before)
      for (const std::size_t after : {0u, 1u, 7u, 8u, 15u, 16u, 17u})
        for (const bool escaped_before : {false, true}) {  // decoded, or only looked at
          const std::string head = escaped_before ? "\\t" : "", a(before, 'a'), z(after, 'z');
          const std::string json = '"' + head + a + std::string(c.json) + z + '"';
          std::string out;
          const auto read = [&] {
            json_reader r(json);
            r.read_string(out);
            r.finish();
          };
          if (!c.error.empty()) {
            const auto error = error_of(read);
            EXPECT_NE(error.find(c.error), error.npos) << error;
            const auto place = "at byte " + std::to_string(1 + head.size() + before) + ":";
            EXPECT_NE(error.find(place), error.npos) << error;
          } else {
            read();
            EXPECT_EQ(out, (escaped_before ? "\t" : "") + a + std::string(c.text) + z);
          }
          EXPECT_EQ(error_of([&] { json_reader(json).skip_value(); }) == "no error",
                    c.error.empty());
        }
}

TEST(json_reader, a_big_integer_keeps_its_digits_as_text_and_is_out_of_range_as_a_number) {
  const std::string digits = "123456789012345678901234567890";
  EXPECT_EQ(json_reader(digits).skip_value(), digits);
  EXPECT_EQ(json_reader(digits).read_number(), digits);
  EXPECT_EQ(parse_json(digits).get_double(), 1.2345678901234568e29);
  const auto became = [](const std::string& text) {
    auto out = json_reader::digits::kept;
    json_reader(text).read_value(out);
    return out;
  };
  const std::string longest(json_reader::longest_integer, '9');
  EXPECT_EQ(became("[18446744073709551615, -9223372036854775808, 1e400]"),
            json_reader::digits::kept);
  EXPECT_EQ(became("[{\"x\": " + digits + "}, 1]"), json_reader::digits::lost);
  EXPECT_EQ(became("-" + longest), json_reader::digits::lost);
  EXPECT_EQ(became("[" + longest + "9, " + digits + "]"), json_reader::digits::too_many);
  const std::string expected = "Malformed JSON at byte 1: the integer is out of range";
  EXPECT_EQ(error_of([&] { json_reader(" " + digits).read_int64(); }), expected);
  EXPECT_EQ(error_of([&] { json_reader(" " + digits).read_uint64(); }), expected);
  EXPECT_EQ(error_of([&] { json_reader(" -1").read_uint64(); }), expected);
  EXPECT_EQ(json_reader("18446744073709551615").read_uint64(), ~std::uint64_t{0});
  EXPECT_EQ(json_reader("-9223372036854775808").read_int64(),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(json_reader("-0").read_uint64(), 0u);
}

TEST(json_reader, the_wrong_kind_is_named) {
  EXPECT_EQ(error_of([] { json_reader("1").read_null(); }),
            "Malformed JSON at byte 0: expected null, got '1'");
  EXPECT_EQ(error_of([] { json_reader("1").read_bool(); }),
            "Malformed JSON at byte 0: expected a boolean, got '1'");
  EXPECT_EQ(error_of([] { json_reader("\"1\"").read_int64(); }),
            "Malformed JSON at byte 0: expected a number, got '\"'");
  EXPECT_EQ(error_of([] { json_reader("1.0").read_int64(); }),
            "Malformed JSON at byte 0: expected an integer");
  EXPECT_EQ(error_of([] { json_reader("NaN").read_int64(); }),
            "Malformed JSON at byte 0: expected an integer");
  EXPECT_EQ(error_of([] { json_reader("{}").begin_array(); }),
            "Malformed JSON at byte 0: expected an array, got '{'");
  EXPECT_EQ(error_of([] { json_reader("[]").begin_object(); }),
            "Malformed JSON at byte 0: expected an object, got '['");
  std::string s;
  EXPECT_EQ(error_of([&] { json_reader("[]").read_string(s); }),
            "Malformed JSON at byte 0: expected a string, got '['");
}

TEST(json_reader, pulls_through_a_text) {
  json_reader r(R"( {"a": [1, -2, 2.5, []], "b\n": {"c": null}, "d": true, "e": "x\ty"} )");
  ASSERT_EQ(r.peek(), kind::object);
  r.begin_object();
  std::string key, scratch;
  std::string_view view;
  ASSERT_TRUE(r.next_key(key));
  EXPECT_EQ(key, "a");
  ASSERT_EQ(r.peek(), kind::array);
  r.begin_array();
  ASSERT_TRUE(r.next_element());
  EXPECT_EQ(r.read_uint64(), 1u);
  ASSERT_TRUE(r.next_element());
  EXPECT_EQ(r.read_int64(), -2);
  ASSERT_TRUE(r.next_element());
  EXPECT_EQ(r.peek(), kind::number);
  EXPECT_EQ(r.read_double(), 2.5);
  ASSERT_TRUE(r.next_element());
  r.begin_array();
  EXPECT_EQ(r.peek(), kind::end);
  EXPECT_FALSE(r.next_element());
  EXPECT_FALSE(r.next_element());
  ASSERT_TRUE(r.next_key(view, scratch));
  EXPECT_EQ(view, "b\n");
  EXPECT_EQ(view.data(), scratch.data());
  EXPECT_EQ(r.skip_value(), R"({"c": null})");
  ASSERT_TRUE(r.next_key(view, scratch));
  EXPECT_EQ(view, "d");
  EXPECT_NE(view.data(), scratch.data());
  EXPECT_EQ(r.peek(), kind::boolean);
  EXPECT_TRUE(r.read_bool());
  ASSERT_TRUE(r.next_key(key));
  EXPECT_EQ(r.peek(), kind::string);
  EXPECT_EQ(r.read_string_view(scratch), "x\ty");
  EXPECT_FALSE(r.next_key(key));
  r.finish();
  EXPECT_EQ(r.peek(), kind::end);
}

TEST(json_reader, pulling_finds_bad_separators) {
  const auto pull = [](std::string_view text) {
    return error_of([&] {
      json_reader r(text);
      std::string key;
      if (r.peek() == kind::array) {
        r.begin_array();
        while (r.next_element()) r.skip_value();
      } else {
        r.begin_object();
        while (r.next_key(key)) r.skip_value();
      }
      r.finish();
    });
  };
  for (const std::string_view text :
       {"[1,]", "[,1]", "[1 2]", "[1}", "[1", "{\"a\":1,}", "{\"a\" 1}", "{\"a\":1 \"b\":2}",
        "{\"a\":1]", "{,}", "[] []", "[[1,],2]"})
    EXPECT_EQ(pull(text).substr(0, 22), "Malformed JSON at byte") << text;
  EXPECT_EQ(pull("[1, [2], {}]"), "no error");
}

TEST(json_reader, duplicate_keys_are_all_reported) {
  json_reader r(R"({"a":1,"a":2})");
  r.begin_object();
  std::string key;
  int sum = 0, count = 0;
  while (r.next_key(key)) {
    EXPECT_EQ(key, "a");
    sum += static_cast<int>(r.read_int64());
    ++count;
  }
  EXPECT_EQ(count, 2);
  EXPECT_EQ(sum, 3);
}

std::string nested(std::size_t levels, char shape) {
  std::string text;
  for (std::size_t i = 0; i < levels; ++i)
    text += shape == '[' || (shape == '*' && i % 2 == 0) ? "[" : "{\"k\":";
  text += '1';
  for (std::size_t i = levels; i-- > 0;)
    text += shape == '[' || (shape == '*' && i % 2 == 0) ? ']' : '}';
  return text;
}

TEST(json_reader, a_thousand_levels_are_read_and_more_than_1024_refused) {
  for (const char shape : {'[', '{', '*'}) {
    for (const std::size_t levels : {1u, 63u, 64u, 65u, 1000u, 1024u}) {
      const std::string text = nested(levels, shape);
      EXPECT_EQ(json_reader(text).skip_value(), text);
      value v = parse_json(text);  // and is destroyed
      EXPECT_EQ(json_reader(to_json(v)).skip_value().size(), to_json(v).size());
    }
    for (const std::size_t levels : {1025u, 100'000u, 1'000'000u}) {
      const std::string text = nested(levels, shape);
      EXPECT_TRUE(parse_error(text).ends_with(": nested deeper than 1024 levels"));
    }
  }
  EXPECT_EQ(parse_error(nested(1025, '[')),
            "Malformed JSON at byte 1024: nested deeper than 1024 levels");
}

TEST(json_reader, the_depth_counts_from_the_outermost_container) {
  json_reader r("[[[1]]]", 2);
  r.begin_array();
  ASSERT_TRUE(r.next_element());
  EXPECT_EQ(error_of([&] { r.skip_value(); }),
            "Malformed JSON at byte 2: nested deeper than 2 levels");
  EXPECT_EQ(error_of([] { parse_json("[]", 0); }),
            "Malformed JSON at byte 0: nested deeper than 0 levels");
  EXPECT_EQ(parse_json("1", 0).as_int64(), 1);
  EXPECT_NE(error_of([] { parse_json(nested(1025, '['), 5000); }), "no error");
}

// Quadratic work would run into the time limit of the test program.
TEST(json_reader, sixteen_mebibytes_take_linear_time) {
  const std::size_t size = 16u << 20;
  std::string escaped(1, '"');
  while (escaped.size() < size) escaped += "\\\"";
  escaped += '"';
  std::string wide(1, '"');
  while (wide.size() < size) wide += "\xe2\x82\xac";
  wide += '"';
  const std::string digits(size, '7');
  std::string small = "[0";
  while (small.size() < size) small += ",{\"some key\":\"some text of usual length\"}";
  small += ']';
  for (const std::string& text :
       {'"' + std::string(size, 'a') + '"', escaped, wide, digits, small}) {
    EXPECT_EQ(json_reader(text).skip_value().size(), text.size());
    json_reader r(text);
    const value v = r.read_value();
    r.finish();
    EXPECT_TRUE(parse_json(to_json(v)) == v);
  }
  EXPECT_EQ(parse_json(digits).get_double(), std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace oslo::messaging
