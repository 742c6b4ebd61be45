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

}  // namespace
}  // namespace oslo::messaging
