#include <gtest/gtest.h>

#include <chrono>
#include <oslo/messaging/patch.hpp>
#include <string_view>

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;
using text = std::optional<std::string>;

template <class T>
std::optional<T> applied(const patch<T>& p, std::optional<T> field) {
  p.apply_to(field);
  return field;
}

TEST(patch, changes_what_is_given) {
  EXPECT_FALSE(patch<int>().given());
  EXPECT_EQ(applied<int>({}, 3), 3);
  EXPECT_EQ(applied<int>(4, 3), 4);
  EXPECT_EQ(applied<int>(0, 3), 0);
  EXPECT_EQ(applied<int>(std::nullopt, 3), std::nullopt);
  EXPECT_EQ(applied<int>(std::optional<short>(5), 3), 5);
  EXPECT_EQ(applied<int>(std::optional<int>(), 3), std::nullopt);
  EXPECT_EQ(applied<bool>(false, true), false);
  EXPECT_EQ(applied<std::chrono::milliseconds>(2s, 1ms), 2000ms);
}

TEST(patch, takes_every_kind_of_text_and_owns_it) {
  patch<std::string> p;
  {
    std::string gone = "a text that is too long to be held in place";
    p = gone;
    gone.assign(gone.size(), 'x');
  }
  EXPECT_EQ(p.get(), "a text that is too long to be held in place");
  const char* const pointer = "p";
  for (const auto& given :
       {patch<std::string>("p"), patch<std::string>(pointer), patch<std::string>(std::string("p")),
        patch<std::string>(std::string_view("p")), patch<std::string>(text("p")),
        patch<std::string>(std::optional<std::string_view>("p"))})
    EXPECT_EQ(applied<std::string>(given, "q"), "p");
  auto copy = p;
  EXPECT_EQ(copy.get(), p.get());
  EXPECT_EQ(patch<std::string>(copy).get(), p.get());
}

TEST(patch, refuses_text_that_no_name_on_the_bus_may_have) {
  const std::string longest(255, 'x');
  EXPECT_EQ(patch<std::string>(longest).get(), longest);
  EXPECT_EQ(patch<std::string>(std::string_view("a\0b", 3)).get(), std::string("a\0b", 3));
  EXPECT_EQ(patch<std::string>("").get(), "");
  try {
    const patch<std::string> more(longest + "x");
    FAIL();
  } catch (const configuration_error& e) {
    EXPECT_STREQ(e.what(), "A text given to prepare has 256 bytes; it may have 255.");
  }
}

TEST(patch, says_what_it_takes) {
  static_assert(std::is_convertible_v<short, patch<int>>);
  static_assert(!std::is_convertible_v<long, patch<int>>);
  static_assert(!std::is_convertible_v<unsigned, patch<int>>);
  static_assert(!std::is_convertible_v<double, patch<int>>);
  static_assert(!std::is_convertible_v<bool, patch<int>>);
  static_assert(!std::is_convertible_v<std::nullptr_t, patch<int>>);
  static_assert(!std::is_convertible_v<const char*, patch<bool>>);
  static_assert(!std::is_convertible_v<int, patch<bool>>);
  static_assert(!std::is_convertible_v<std::nullptr_t, patch<std::string>>);
  static_assert(!std::is_convertible_v<int, patch<std::string>>);
  static_assert(!std::is_convertible_v<std::optional<double>, patch<int>>);
  static_assert(!std::is_convertible_v<double, patch<std::chrono::milliseconds>>);
}

}  // namespace
}  // namespace oslo::messaging
