#include "core/utf8.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging {
namespace {

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

TEST(utf8, one_bad_byte_shows_wherever_it_is) {
  for (std::size_t length = 1; length <= 40; ++length)
    for (std::size_t at = 0; at < length; ++at) {
      std::string text(length, 'a');
      EXPECT_TRUE(is_utf8(text));
      text[at] = '\x80';
      EXPECT_FALSE(is_utf8(text)) << at << " of " << length;
      if (at + 1 < length) {
        text.replace(at, 2, "\xc3\xa4");
        EXPECT_TRUE(is_utf8(text)) << at << " of " << length;
      }
    }
}

TEST(utf8, replaces_each_maximal_part) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(to_valid_utf8("ok"), "ok");
  EXPECT_EQ(to_valid_utf8("\xff\xfe"), r + r);
  EXPECT_EQ(to_valid_utf8("a\xe2\x82z"), "a" + r + "z");
  EXPECT_EQ(to_valid_utf8("\xed\xa0\x80"), r + r + r);
  EXPECT_EQ(to_valid_utf8("\xf0\x9f\x98"), r);
}

TEST(utf8, one_line_is_valid_and_has_no_control_characters) {
  EXPECT_EQ(to_one_line("a\tb\r\n\x1b[2J\x7f|\xc2\x80\xc2\x9b\xc2\x85|\xff|\xc2\xa0\xc3\xa9"),
            "a b   [2J |   |\xef\xbf\xbd|\xc2\xa0\xc3\xa9");
  EXPECT_EQ(to_one_line({"a\0b", 3}), "a b");
}

TEST(utf8, takes_lone_surrogates_where_it_is_asked_to) {
  const std::string lone = "\xed\xa0\x80";
  EXPECT_EQ(to_valid_utf8(lone + "\xed\xbf", surrogates::take), lone + "\xef\xbf\xbd");
  EXPECT_EQ(utf8_length(lone.data(), lone.data() + 3), 3u);
  EXPECT_EQ(utf8_length(lone.data(), lone.data() + 2), 0u);
}

TEST(utf8, every_character_comes_back) {
  for (unsigned code = 0; code < 0x110000; code += code < 0x1000 ? 1 : 61) {
    char text[4];
    const char* const end = put_utf8(text, code);
    const auto length = static_cast<unsigned>(end - text);
    ASSERT_EQ(utf8_length(text, end), length) << code;
    ASSERT_EQ(utf8_character(text, length), code);
    ASSERT_EQ(is_utf8({text, length}), code < 0xd800 || code > 0xdfff) << code;
  }
}

}  // namespace
}  // namespace oslo::messaging
