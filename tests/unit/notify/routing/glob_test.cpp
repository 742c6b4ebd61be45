#include "notify/routing/glob.hpp"

#include <gtest/gtest.h>

#include <string>

namespace oslo::messaging::notify {
namespace {

TEST(globs, match_as_fnmatch_does) {
  struct row {
    const char* pattern;
    const char* text;
    bool matches;
  };
  // Every row was checked against fnmatch.fnmatch of Python 3.11.
  const row table[] = {{"foo.*", "foo.1", true},
                       {"foo.*", "foo", false},
                       {"foo.*", "foo.", true},
                       {"foo.*", "xfoo.1", false},
                       {"*", "", true},
                       {"", "", true},
                       {"", "a", false},
                       {"a?c", "abc", true},
                       {"a?c", "ac", false},
                       {"a?c", "a\nc", true},
                       {"?", "\xc3\xa4", true},
                       {"??", "\xc3\xa4", false},
                       {"Foo", "foo", false},
                       {"[abc]", "b", true},
                       {"[abc]", "d", false},
                       {"[!abc]", "d", true},
                       {"[!abc]", "a", false},
                       {"[!abc]", "", false},
                       {"[a-c]x", "bx", true},
                       {"[a-cx-z]", "y", true},
                       {"[c-a]", "b", false},
                       {"[!c-a]", "b", true},
                       {"[a-]", "-", true},
                       {"[-a]", "-", true},
                       {"[]]", "]", true},
                       {"[!]]", "]", false},
                       {"[!]]", "a", true},
                       {"[^a]", "^", true},
                       {"[^a]", "b", false},
                       {"[", "[", true},
                       {"[a", "[a", true},
                       {"[]", "[]", true},
                       {"[!]", "[!]", true},
                       {"a.b", "axb", false},
                       {"a\\*", "a\\b", true},
                       {"[\\]", "\\", true},
                       {"(a|b)+", "(a|b)+", true},
                       {"[\xc3\xa0-\xc3\xa8]", "\xc3\xa4", true},
                       {"*a*b*c", "xxaxxbxxc", true},
                       {"*a*b*c", "xxaxxcxxb", false},
                       {"compute.instance.*.end", "compute.instance.create.end", true},
                       {"*.end*", "compute.instance.create.start", false},
                       {"a**b", "ab", true}};
  for (const auto& r : table)
    EXPECT_EQ(glob(r.pattern).matches(r.text), r.matches) << r.pattern << " on " << r.text;
}

TEST(globs, take_a_byte_that_is_not_utf8_for_a_character) {
  EXPECT_TRUE(glob("a?c").matches("a\xff\x63"));
  EXPECT_TRUE(glob("\xff").matches("\xff"));
  EXPECT_FALSE(glob("\xff").matches("\xfe"));
  EXPECT_TRUE(glob("???").matches("\xe2\x82\x41"));
}

TEST(globs, take_no_exponential_time) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(glob(pattern + "b").matches(std::string(2'000, 'a')));
}

}  // namespace
}  // namespace oslo::messaging::notify
