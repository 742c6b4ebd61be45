#include <gtest/gtest.h>

#include <oslo/messaging/doctor.hpp>
#include <vector>

namespace oslo::messaging {
namespace {

TEST(doctor, warnings_and_errors_hurt) {
  std::vector<finding> all{{severity::ok, "a", "b"}, {severity::note, "a", "b"}};
  EXPECT_FALSE(hurts({}));
  EXPECT_FALSE(hurts(all));
  for (const auto level : {severity::warning, severity::error}) {
    all.back().level = level;
    EXPECT_TRUE(hurts(all)) << to_string(level);
  }
}

TEST(doctor, severities_have_names) {
  EXPECT_EQ(to_string(severity::ok), "ok");
  EXPECT_EQ(to_string(severity::note), "note");
  EXPECT_EQ(to_string(severity::warning), "warning");
  EXPECT_EQ(to_string(severity::error), "error");
}

}  // namespace
}  // namespace oslo::messaging
