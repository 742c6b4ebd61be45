#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <oslo/messaging/function.hpp>

namespace oslo::messaging {
namespace {

int twice(int n) {
  return 2 * n;
}

TEST(unique_function, holds_what_can_be_called) {
  unique_function<int(int)> f(twice);
  EXPECT_EQ(f(2), 4);
  f = &twice;
  EXPECT_EQ(f(3), 6);
  f = [](int n) { return n + 1; };
  EXPECT_TRUE(f);
  EXPECT_EQ(f(3), 4);
  f = [mine = std::make_unique<int>(5)](auto n) { return n + *mine; };
  EXPECT_EQ(f(3), 8);
  f = std::function<int(int)>(twice);
  EXPECT_EQ(f(4), 8);
  unique_function<long(int)> other(std::move(f));
  EXPECT_EQ(other(5), 10);
}

TEST(unique_function, is_empty_when_it_is_made_from_nothing) {
  EXPECT_FALSE(unique_function<int(int)>());
  EXPECT_FALSE(unique_function<int(int)>(nullptr));
  EXPECT_FALSE(unique_function<int(int)>(static_cast<int (*)(int)>(nullptr)));
  const std::function<int(int)> none;
  EXPECT_FALSE(unique_function<int(int)>(none));
  EXPECT_FALSE(unique_function<int(int)>(std::function<int(int)>()));
  EXPECT_FALSE(unique_function<long(int)>(unique_function<int(int)>()));
}

TEST(unique_function, that_is_empty_says_so_when_it_is_called) {
  unique_function<int(int)> f;
  EXPECT_THROW(f(1), std::bad_function_call);
  f = twice;
  const auto taken = std::move(f);
  EXPECT_THROW(f(1), std::bad_function_call);
}

}  // namespace
}  // namespace oslo::messaging
