#include "core/guarded_metrics.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "support/log_lines.hpp"
#include "support/recording_metrics.hpp"

namespace oslo::messaging {
namespace {

struct broken_metrics final : metrics {
  void add(std::string_view, metric_labels, std::int64_t) override { throw 1; }
  void set(std::string_view, metric_labels, double) override {
    throw std::runtime_error("no room");
  }
  void observe(std::string_view, metric_labels, double) override { throw std::runtime_error(""); }
};

TEST(guarded_metrics, pass_everything_on) {
  const auto inner = std::make_shared<testing::recording_metrics>();
  const auto outer = guarded_metrics(inner, {});
  const metric_label label{"a", "b"};
  outer->add("n", {&label, 1}, 2);
  outer->set("n", {}, 3);
  outer->observe("n", {}, 4);
  EXPECT_EQ(inner->lines().size(), 3u);
  EXPECT_EQ(inner->lines().front(), "n +2 a=b");
}

TEST(guarded_metrics, say_once_what_they_keep_from_the_caller) {
  testing::log_lines log;
  const auto outer = guarded_metrics(std::make_shared<broken_metrics>(), log.into());
  EXPECT_NO_THROW(outer->set("n", {}, 3));
  EXPECT_NO_THROW(outer->add("n", {}, 2));
  EXPECT_NO_THROW(outer->observe("n", {}, 4));
  EXPECT_EQ(log.count(log_level::error, "said once: no room"), 1);
  EXPECT_EQ(log.with("metrics").size(), 1u);
}

TEST(guarded_metrics, are_none_for_none) {
  EXPECT_EQ(guarded_metrics(nullptr, {}), nullptr);
}

}  // namespace
}  // namespace oslo::messaging
