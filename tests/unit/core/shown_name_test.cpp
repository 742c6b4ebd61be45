#include "core/shown_name.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging {
namespace {

TEST(shown_name, what_a_broker_takes_is_whole) {
  EXPECT_EQ(shown_name(""), "");
  EXPECT_EQ(shown_name("zażółć"), "zażółć");
  EXPECT_EQ(shown_name(std::string(255, 'x')), std::string(255, 'x'));
}

TEST(shown_name, what_is_longer_is_cut_between_characters) {
  EXPECT_EQ(shown_name(std::string(256, 'x')), std::string(40, 'x') + "… (256 bytes)");
  std::string long_one = std::string(39, 'x');
  for (int i = 0; i < 100'000; ++i) long_one += "日";
  EXPECT_EQ(shown_name(long_one), std::string(39, 'x') + "… (300039 bytes)");
}

TEST(shown_name, what_is_no_text_becomes_text) {
  EXPECT_EQ(shown_name("a\xff"), "a\xef\xbf\xbd");
  EXPECT_EQ(shown_name("a\n\x1b[2J"), "a  [2J") << "a peer may have named it";
}

}  // namespace
}  // namespace oslo::messaging
