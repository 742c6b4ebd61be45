#include <gtest/gtest.h>

#include <oslo/messaging/detail/current_failure.hpp>
#include <string>

namespace oslo::messaging::detail {
namespace {

template <class E>
std::string described(const E& thrown, std::string_view what) {
  try {
    throw thrown;
  } catch (...) {
    const auto f = current_failure(errc::serialization_failed, what);
    return std::to_string(static_cast<int>(f.code())) + ' ' + f.message();
  }
}

TEST(current_failures, are_those_of_the_library_or_say_what_was_thrown) {
  const auto code = std::to_string(static_cast<int>(errc::serialization_failed));
  const auto own = std::to_string(static_cast<int>(errc::rejected));
  EXPECT_EQ(described(configuration_error({errc::rejected, "no"}), "x"), own + " no");
  EXPECT_EQ(described(std::runtime_error("no"), "It cannot"), code + " It cannot: no");
  EXPECT_EQ(described(std::runtime_error("no"), ""), code + " no");
  EXPECT_EQ(described(1, "It cannot"), code + " It cannot: an exception that is no std::exception");
}

}  // namespace
}  // namespace oslo::messaging::detail
