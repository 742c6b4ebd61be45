#include <gtest/gtest.h>

#include <cstdio>

#include "support/fault_walk.hpp"

namespace oslo::messaging::protocol {
namespace {

using namespace fault_walk;

struct nobody : net::link_user {
  void link_up() override {}
  void link_down(const link_loss&) override {}
};

/// Whether the end of this walk's single host is something that only an operator can change.
bool is_operators_business(const step& s, fault f) {
  switch (s.at) {
    case step::kind::tls: return f == fault::verdict || f == fault::garbage || f == fault::refused;
    case step::kind::greeting:
    case step::kind::method: return f == fault::verdict;
    default: return false;
  }
}

TEST(link_fault_walk, every_step_broken_in_every_way_has_a_next_step) {
  totals sum;
  const auto steps = connecting_steps();
  struct setting {
    const char* name;
    std::vector<bool> faulty;
  };
  const setting settings[] = {
      {"one host", {true}}, {"another is well", {true, false}}, {"both", {true, true}}};
  for (const auto& s : steps)
    for (const auto f : all_faults)
      for (const auto& how : settings)
        for (const std::uint64_t seed : {1u, 2u}) {
          SCOPED_TRACE(s.name + ", " + name_of(f) + ", " + how.name + ", seed " +
                       std::to_string(seed));
          nobody user;
          world w(s, f, how.faulty, seed);
          w.attach(user, [] { return true; });
          const auto r = w.walk();
          sum.add(r);
          EXPECT_EQ(r.stuck, "");
          EXPECT_TRUE(r.up_afterwards);
          EXPECT_LE(r.longest_pause, std::chrono::seconds(30));
          if (how.faulty.size() == 1 || how.faulty[1]) {
            EXPECT_TRUE(r.applied);
            ASSERT_TRUE(r.last);
            EXPECT_EQ(r.verdicts > 0, is_operators_business(s, f));
            EXPECT_EQ(r.last->verdict, is_operators_business(s, f));
            if (is_operators_business(s, f)) {
              EXPECT_GE(r.passes_failed, 18) << "at least every ten seconds";
              EXPECT_LE(r.passes_failed, 40) << "not more often than every five seconds";
            }
            // A connection that opened was reported as lost; else no pass had an open one.
            EXPECT_EQ(r.losses > 0, s.at == step::kind::settled);
          } else {
            EXPECT_EQ(r.verdicts, 0);
            EXPECT_TRUE(r.up_while_faulty) << "the other host was well all the time";
            EXPECT_EQ(r.passes_failed, 0) << "it was to be reached in the same pass";
          }
        }
  const auto walks =
      static_cast<int>(steps.size() * std::size(all_faults) * std::size(settings) * 2);
  EXPECT_EQ(sum.walks, walks);
  EXPECT_EQ(sum.recovered, walks);
  std::printf(
      "fault walk: %zu steps x %zu faults = %d walks, %s recovered (%d passes failed, %d of them "
      "verdicts; %d connections lost; %d walks up in spite of the fault)\n",
      steps.size(), std::size(all_faults), walks,
      sum.recovered == walks ? "all" : std::to_string(sum.recovered).c_str(), sum.passes,
      sum.verdicts, sum.losses, sum.reached_other);
}

}  // namespace
}  // namespace oslo::messaging::protocol
