#include "wire/encoding.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::wire {
namespace {

using namespace std::string_literals;

TEST(encoding, utf_8_and_what_is_unknown_are_read_as_they_are) {
  for (const char* name : {"", "utf-8", "UTF-8", "utf8", "us-ascii", "binary", "gzip", "x-mine",
                           "utf-16-me", "utf-7", "iso-8859-2"}) {
    EXPECT_EQ(to_utf8(name, "h\xc3\xa9"), std::nullopt) << name;
  }
}

TEST(encoding, latin_1_by_all_its_names) {
  for (const char* name :
       {"latin-1", "latin1", "LATIN_1", "iso-8859-1", "ISO8859-1", "l1", "cp819"})
    EXPECT_EQ(to_utf8(name, "h\xe9\xff\x80"), "h\xc3\xa9\xc3\xbf\xc2\x80") << name;
}

TEST(encoding, utf_16) {
  const auto little = "h\0\xe9\0\x3d\xd8\0\xde"s, big = "\0h\0\xe9\xd8\x3d\xde\0"s;
  const auto text = "h\xc3\xa9\xf0\x9f\x98\x80"s;
  EXPECT_EQ(to_utf8("utf-16-le", little), text);
  EXPECT_EQ(to_utf8("UTF-16BE", big), text);
  EXPECT_EQ(to_utf8("utf-16", little), text) << "the order of Python on common machines";
  EXPECT_EQ(to_utf8("utf-16", "\xff\xfe" + little), text);
  EXPECT_EQ(to_utf8("utf_16", "\xfe\xff" + big), text);
  EXPECT_EQ(to_utf8("utf-16-le", "\xff\xfe" + little), "\xef\xbb\xbf" + text) << "no mark there";
}

TEST(encoding, utf_32) {
  const auto little = "h\0\0\0\0\xf6\x01\0"s, big = "\0\0\0h\0\x01\xf6\0"s;
  const auto text = "h\xf0\x9f\x98\x80"s;
  EXPECT_EQ(to_utf8("utf-32-le", little), text);
  EXPECT_EQ(to_utf8("utf-32-be", big), text);
  EXPECT_EQ(to_utf8("utf-32", little), text);
  EXPECT_EQ(to_utf8("utf-32", "\xff\xfe\0\0"s + little), text);
  EXPECT_EQ(to_utf8("utf-32", "\0\0\xfe\xff"s + big), text);
}

TEST(encoding, a_mark_of_utf_8_goes_where_the_name_says_so) {
  EXPECT_EQ(to_utf8("utf-8-sig", "\xef\xbb\xbfh"), "h");
  EXPECT_EQ(to_utf8("utf-8", "\xef\xbb\xbfh"), std::nullopt);
}

TEST(encoding, a_body_that_is_not_in_its_encoding_is_read_as_it_is) {
  for (const auto& body : {"odd"s, "\x3d\xd8"s, "\x3d\xd8h\0"s, "\0\xdeh\0"s})
    EXPECT_EQ(to_utf8("utf-16-le", body), std::nullopt) << testing::PrintToString(body);
  for (const auto& body : {"six..."s, "\0\0\x11\0"s, "\0\xd8\0\0"s, "\xff\xff\xff\xff"s})
    EXPECT_EQ(to_utf8("utf-32-le", body), std::nullopt) << testing::PrintToString(body);
  EXPECT_EQ(to_utf8("utf-16", ""), std::nullopt);
}

}  // namespace
}  // namespace oslo::messaging::wire
