#include "core/text.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging {
namespace {

TEST(strip, removes_the_white_space_of_python) {
  EXPECT_EQ(strip(""), "");
  EXPECT_EQ(strip(" \t\n\v\f\r\x1c\x1d\x1e\x1f"), "");
  EXPECT_EQ(strip("\xc2\xa0 a b\xe3\x80\x80\xe2\x80\x83\n"), "a b");
  EXPECT_EQ(strip_left(" a "), "a ");
  EXPECT_EQ(strip_right(" a "), " a");
}

TEST(strip, leaves_what_only_looks_alike) {
  EXPECT_EQ(strip("\xe2\x80\x8b"), "\xe2\x80\x8b");  // zero width space
  EXPECT_EQ(strip("\xef\xbb\xbf"), "\xef\xbb\xbf");  // byte order mark
  EXPECT_EQ(strip("\xc3\xa0"), "\xc3\xa0");  // a letter that ends in the same byte as U+00A0
  EXPECT_EQ(strip("\xa0"), "\xa0");
}

TEST(ascii_lower, changes_letters_of_ascii_only) {
  EXPECT_EQ(ascii_lower("aZ@[`{09\xc3\x84_"), "az@[`{09\xc3\x84_");
}

}  // namespace
}  // namespace oslo::messaging
