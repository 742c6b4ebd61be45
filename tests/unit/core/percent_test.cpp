#include "core/percent.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging {
namespace {

TEST(percent, decodes_as_python_does) {
  const struct {
    std::string_view in, out, form;
  } table[] = {
      {"", "", ""},
      {"a%20b+c", "a b+c", "a b c"},
      {"%41%4a%4A", "AJJ", "AJJ"},
      {"%", "%", "%"},
      {"%4", "%4", "%4"},
      {"%zz%4g", "%zz%4g", "%zz%4g"},
      {"%%41", "%A", "%A"},
      {"%2541", "%41", "%41"},
      {"%C3%A9", "\xc3\xa9", "\xc3\xa9"},
      {"%FF", "\xef\xbf\xbd", "\xef\xbf\xbd"},
      {"%C3\xc3\xa9", "\xef\xbf\xbd\xc3\xa9", "\xef\xbf\xbd\xc3\xa9"},
      {"%2B", "+", "+"},
  };
  for (const auto& row : table) {
    EXPECT_EQ(percent_decode(row.in), row.out) << row.in;
    EXPECT_EQ(percent_decode(row.in, true), row.form) << row.in;
  }
  EXPECT_EQ(percent_decode("a%00b"), std::string("a\0b", 3));
}

TEST(percent, encodes_all_but_the_unreserved) {
  EXPECT_EQ(percent_encode("AZaz09_.-~"), "AZaz09_.-~");
  EXPECT_EQ(percent_encode("a b/:@,%+\xc3\xa9"), "a%20b%2F%3A%40%2C%25%2B%C3%A9");
  EXPECT_EQ(percent_encode("a/b", "/"), "a/b");
  EXPECT_EQ(percent_encode("a b", {}, true), "a+b");
}

TEST(percent, round_trips_every_byte_of_ascii) {
  std::string all;
  for (int c = 0; c < 128; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_decode(percent_encode(all, {}, true), true), all);
}

TEST(utf8, tells_good_from_bad) {
  for (const std::string_view good :
       {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(good)) << good;
  for (const std::string_view bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xe2\x82",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff"})
    EXPECT_FALSE(is_utf8(bad)) << bad;
}

TEST(utf8, replaces_each_maximal_part) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(to_valid_utf8("ok"), "ok");
  EXPECT_EQ(to_valid_utf8("\xff\xfe"), r + r);
  EXPECT_EQ(to_valid_utf8("a\xe2\x82z"), "a" + r + "z");
  EXPECT_EQ(to_valid_utf8("\xed\xa0\x80"), r + r + r);
  EXPECT_EQ(to_valid_utf8("\xf0\x9f\x98"), r);
}

}  // namespace
}  // namespace oslo::messaging
