#include "core/config/option_types.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/config/option_lookup.hpp"

// Rows marked "ours" differ from oslo.config 9, all others agree with it.
namespace oslo::messaging {
namespace {

using testing::ElementsAre;
using dict = std::map<std::string, std::string>;

template <class F>
std::string fault_of(F&& f) {
  try {
    (void)f();
  } catch (const value_fault& e) {
    return e.what();
  }
  return "no fault";
}

TEST(parse_boolean, knows_eight_words) {
  for (const char* yes : {"true", "TRUE", "1", "on", "Yes"}) EXPECT_TRUE(parse_boolean(yes)) << yes;
  for (const char* no : {"false", "0", "oFF", "no"}) EXPECT_FALSE(parse_boolean(no)) << no;
  for (const char* bad : {"", "2", "t", "true ", "y", "enabled", "True\n"})
    EXPECT_EQ(fault_of([&] { return parse_boolean(bad); }),
              "is not a boolean (true, false, yes, no, on, off, 1, 0)")
        << bad;
}

TEST(parse_integer, reads_as_python) {
  const std::pair<const char*, std::int64_t> good[] = {
      {"5", 5},      {"-5", -5},       {"+5", 5},
      {" 5 ", 5},    {"007", 7},       {"1_000", 1000},
      {"-1_0", -10}, {"5\xc2\xa0", 5}, {"9223372036854775807", 9223372036854775807},
      {"-0", 0}};
  for (const auto& [text, value] : good) EXPECT_EQ(parse_integer(text), value) << text;
  EXPECT_EQ(parse_integer(""), std::nullopt);
  EXPECT_EQ(parse_integer("  "), std::nullopt);
  for (const char* bad : {"0x10", "1.0", "1__0", "_1", "1_", "5 5", "five", "- 5", "+-5", "-+5",
                          "--5", "+", "-", "1,5", "-_5"})
    EXPECT_EQ(fault_of([&] { return parse_integer(bad); }), "is not an integer") << bad;
  // ours: Python's integers have no limit
  for (const char* large : {"9223372036854775808", "-9223372036854775809", "99999999999999999999"})
    EXPECT_EQ(fault_of([&] { return parse_integer(large); }), "is an integer of more than 64 bits");
  // ours: digits of other scripts are digits in Python
  EXPECT_EQ(fault_of([] { return parse_integer("\xd9\xa1"); }), "is not an integer");
}

TEST(parse_floating, reads_as_python) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const std::pair<const char*, double> good[] = {
      {"5", 5.0},          {"1.5", 1.5},   {".5", 0.5},     {"5.", 5.0},     {"1e3", 1000.0},
      {"1E-3", 1e-3},      {"inf", inf},   {"INF", inf},    {"1_0.5", 10.5}, {"+1", 1.0},
      {"-Infinity", -inf}, {" 2.5 ", 2.5}, {"-.5e+1", -5.0}};
  for (const auto& [text, value] : good) EXPECT_EQ(parse_floating(text), value) << text;
  EXPECT_EQ(parse_floating(""), std::nullopt);
  for (const char* bad : {"0x1p3", "1,5", "+-1", "nan(1)", "1e", "infinit", ".", "1_.5", "e5",
                          "nan", "-NaN"})  // the last two ours: no option can use them
    EXPECT_EQ(fault_of([&] { return parse_floating(bad); }), "is not a number") << bad;
  for (const char* extreme : {"1e999", "-1e999", "1e-999"})  // ours: infinity or 0 in Python
    EXPECT_EQ(fault_of([&] { return parse_floating(extreme); }),
              "is outside the range of a double");
}

TEST(parse_list, splits_at_commas) {
  EXPECT_THAT(parse_list("a,b"), ElementsAre("a", "b"));
  EXPECT_THAT(parse_list("a, b ,c"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(parse_list(",a"), ElementsAre("", "a"));
  EXPECT_THAT(parse_list("a,"), ElementsAre("a"));
  EXPECT_THAT(parse_list("a,,b"), ElementsAre("a", "", "b"));
  EXPECT_THAT(parse_list("a,,,"), ElementsAre("a"));
  EXPECT_THAT(parse_list("a, ,"), ElementsAre("a", ""));
  EXPECT_THAT(parse_list(""), ElementsAre());
  EXPECT_THAT(parse_list(" "), ElementsAre());
  EXPECT_THAT(parse_list(","), ElementsAre());
  EXPECT_THAT(parse_list("\"a,b\",c"), ElementsAre("\"a", "b\"", "c"));
  EXPECT_THAT(parse_list("a b"), ElementsAre("a b"));
  EXPECT_THAT(parse_list("[a,b]"), ElementsAre("[a", "b]"));
  EXPECT_THAT(parse_list("a\nb"), ElementsAre("a\nb"));
  EXPECT_THAT(parse_list("a,\nb"), ElementsAre("a", "b"));
}

TEST(parse_dict, splits_pairs) {
  EXPECT_EQ(parse_dict("a:1,b:2"), (dict{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(parse_dict("a:1, b : 2 "), (dict{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(parse_dict("a:b:c"), (dict{{"a", "b:c"}}));
  EXPECT_EQ(parse_dict("b,a:1"), (dict{{"b,a", "1"}}));
  EXPECT_EQ(parse_dict("a:x,y,b:2"), (dict{{"a", "x"}, {"y,b", "2"}}));
  EXPECT_EQ(parse_dict(""), dict{});
  EXPECT_EQ(parse_dict("a:"), (dict{{"a", ""}}));
  EXPECT_EQ(parse_dict("{a:1}"), (dict{{"{a", "1}"}}));
  for (const char* bad : {"a", "a:1,b", "a:1,", ","})
    EXPECT_EQ(fault_of([&] { return parse_dict(bad); }), "is not a list of key:value pairs") << bad;
  EXPECT_EQ(fault_of([] { return parse_dict(":1"); }), "has a pair with an empty key");
  EXPECT_EQ(fault_of([] { return parse_dict("a:1,a:2"); }), "has the key \"a\" twice");
}

}  // namespace
}  // namespace oslo::messaging
