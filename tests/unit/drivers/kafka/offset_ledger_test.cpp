#include "drivers/kafka/offset_ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace oslo::messaging::kafka {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using position = offset_ledger::position;

const partition_name a0{"a", 0}, a1{"a", 1}, b0{"b", 0};

class offset_ledger_test : public ::testing::Test {
 protected:
  offset_ledger_test() {
    for (const auto& p : {a0, a1, b0}) ledger.assign(p);
  }
  offset_ticket take(std::int64_t offset, const partition_name& p = a0) {
    return ledger.arrived(p, offset).value();
  }

  offset_ledger ledger{1'000};
};

TEST_F(offset_ledger_test, nothing_is_due_before_something_is_settled) {
  EXPECT_THAT(ledger.due(), IsEmpty());
  take(5);
  EXPECT_THAT(ledger.due(), IsEmpty());
  EXPECT_EQ(ledger.open(), 1u);
}

TEST_F(offset_ledger_test, what_is_settled_in_order_moves_the_position_behind_it) {
  const auto first = take(5), second = take(6);
  EXPECT_TRUE(ledger.settle(first));
  EXPECT_THAT(ledger.due(), ElementsAre(position{a0, 6}));
  EXPECT_TRUE(ledger.settle(second));
  EXPECT_THAT(ledger.due(), ElementsAre(position{a0, 7}));
  EXPECT_EQ(ledger.open(), 0u);
}

TEST_F(offset_ledger_test, one_that_is_open_holds_back_all_behind_it) {
  const auto first = take(5), second = take(6), third = take(7), fourth = take(8);
  ledger.settle(fourth);
  ledger.settle(second);
  EXPECT_THAT(ledger.due(), IsEmpty());
  ledger.settle(first);
  EXPECT_THAT(ledger.due(), ElementsAre(position{a0, 7}));
  ledger.settle(third);
  EXPECT_THAT(ledger.due(), ElementsAre(position{a0, 9}));
}

TEST_F(offset_ledger_test, a_second_copy_is_told_from_a_topic_that_was_made_again) {
  ledger.arrived(a0, 10, 1'000);
  ledger.arrived(a0, 12, 1'500);
  EXPECT_FALSE(ledger.begins_anew(a0, 13, 1)) << "it is the next one, whatever its clock says";
  for (const std::int64_t copy : {10, 11, 12})
    EXPECT_FALSE(ledger.begins_anew(a0, copy, 1'500)) << copy;
  EXPECT_TRUE(ledger.begins_anew(a0, 12, 1'501)) << "made after all that have arrived";
  EXPECT_TRUE(ledger.begins_anew(a0, 9, 1)) << "before the first";
  ledger.committed({a0, 12});
  EXPECT_TRUE(ledger.begins_anew(a0, 11, 1)) << "before what was committed";
  EXPECT_FALSE(ledger.begins_anew(a0, 12, 1));
  EXPECT_FALSE(ledger.begins_anew({"other", 0}, 0, 9'999));
}

TEST_F(offset_ledger_test, what_begins_anew_leaves_nothing_of_the_former_topic) {
  const auto former = take(10);
  ledger.assign(a0);
  const auto first = ledger.arrived(a0, 0, 2'000).value();
  EXPECT_FALSE(ledger.settle(former));
  EXPECT_TRUE(ledger.settle(first));
  EXPECT_THAT(ledger.due(), ElementsAre(position{a0, 1}));
}

TEST_F(offset_ledger_test, each_partition_is_on_its_own) {
  const auto x = take(10, a0), y = take(20, a1), z = take(30, b0);
  ledger.settle(z);
  ledger.settle(y);
  EXPECT_THAT(ledger.due(), ElementsAre(position{a1, 21}, position{b0, 31}));
  EXPECT_EQ(ledger.open(a0), 1u);
  EXPECT_EQ(ledger.open(a1), 0u);
  ledger.settle(x);
  EXPECT_EQ(ledger.due().size(), 3u);
}

/// Compaction and transactions leave holes.
TEST_F(offset_ledger_test, offsets_may_leave_gaps) {
  const auto first = take(5), second = take(900);
  ledger.settle(second);
  EXPECT_THAT(ledger.due(), IsEmpty());
  ledger.settle(first);
  EXPECT_THAT(ledger.due(), ElementsAre(position{a0, 901}));
}

TEST_F(offset_ledger_test, a_message_settles_once) {
  const auto first = take(5), second = take(6);
  EXPECT_TRUE(ledger.settle(second));
  EXPECT_FALSE(ledger.settle(second));
  EXPECT_EQ(ledger.open(), 1u);
  EXPECT_TRUE(ledger.settle(first));
  EXPECT_FALSE(ledger.settle(first));
  EXPECT_EQ(ledger.open(), 0u);
  EXPECT_FALSE(ledger.settle({first.assignment, 77})) << "it never arrived";
}

TEST_F(offset_ledger_test, what_arrived_already_is_not_handed_out_again) {
  const auto first = take(5);
  EXPECT_EQ(ledger.arrived(a0, 5), std::nullopt);
  EXPECT_EQ(ledger.arrived(a0, 4), std::nullopt);
  ledger.settle(first);
  EXPECT_EQ(ledger.arrived(a0, 5), std::nullopt);
  EXPECT_EQ(ledger.open(), 0u);
}

TEST_F(offset_ledger_test, what_is_delivered_again_stays_open) {
  const auto poison = take(5), next = take(6);
  EXPECT_TRUE(ledger.is_open(poison));
  ledger.settle(next);
  EXPECT_TRUE(ledger.is_open(poison)) << "given back: nothing was settled";
  EXPECT_THAT(ledger.due(), IsEmpty());
  ledger.settle(poison);
  EXPECT_FALSE(ledger.is_open(poison));
  EXPECT_THAT(ledger.due(), ElementsAre(position{a0, 7}));
}

TEST_F(offset_ledger_test, what_the_broker_has_is_not_due_again) {
  ledger.settle(take(5));
  const auto due = ledger.due();
  ledger.settle(take(6));
  ledger.committed(due.at(0));
  EXPECT_THAT(ledger.due(), ElementsAre(position{a0, 7})) << "settled while it was on its way";
  ledger.committed({a0, 7});
  EXPECT_THAT(ledger.due(), IsEmpty());
}

// ---- rebalances ---------------------------------------------------------------------------------

TEST_F(offset_ledger_test, a_partition_that_was_given_away_takes_its_messages_along) {
  const auto open = take(5), done = take(6);
  const auto other = take(1, a1);
  ledger.settle(done);
  ledger.revoke(a0);
  EXPECT_EQ(ledger.open(), 1u);
  EXPECT_FALSE(ledger.has(a0));
  EXPECT_FALSE(ledger.is_open(open));
  EXPECT_FALSE(ledger.settle(open));
  EXPECT_EQ(ledger.arrived(a0, 7), std::nullopt);
  EXPECT_TRUE(ledger.settle(other));
  EXPECT_THAT(ledger.due(), ElementsAre(position{a1, 2}));
}

TEST_F(offset_ledger_test, a_ticket_of_an_earlier_assignment_settles_nothing_of_a_later_one) {
  const auto before = take(5);
  ledger.revoke(a0);
  ledger.assign(a0);
  const auto after = take(5);
  EXPECT_NE(before, after);
  EXPECT_FALSE(ledger.settle(before));
  EXPECT_TRUE(ledger.is_open(after));
  EXPECT_THAT(ledger.due(), IsEmpty());
  EXPECT_TRUE(ledger.settle(after));
  EXPECT_THAT(ledger.due(), ElementsAre(position{a0, 6}));
}

TEST_F(offset_ledger_test, assigning_again_begins_anew) {
  const auto before = take(5);
  ledger.assign(a0);
  EXPECT_EQ(ledger.open(), 0u);
  EXPECT_FALSE(ledger.settle(before));
  EXPECT_TRUE(ledger.arrived(a0, 5).has_value());
}

TEST_F(offset_ledger_test, a_commit_that_comes_too_late_says_nothing_of_the_next_assignment) {
  ledger.settle(take(5));
  ledger.revoke(a0);
  ledger.committed({a0, 6});
  ledger.assign(a0);
  ledger.settle(take(5));
  EXPECT_THAT(ledger.due(), ElementsAre(position{a0, 6}));
}

TEST_F(offset_ledger_test, it_knows_what_is_assigned) {
  EXPECT_THAT(ledger.assigned(), ElementsAre(a0, a1, b0));
  ledger.revoke(a1);
  ledger.revoke({"never", 3});
  EXPECT_THAT(ledger.assigned(), ElementsAre(a0, b0));
}

// ---- bounds -------------------------------------------------------------------------------------

TEST(offset_ledger_bounds, one_open_message_does_not_let_the_rest_grow_for_ever) {
  offset_ledger ledger(3);
  ledger.assign(a0);
  ledger.assign(a1);
  const auto poison = ledger.arrived(a0, 1).value();
  ledger.settle(ledger.arrived(a0, 2).value());
  EXPECT_FALSE(ledger.full());
  ledger.settle(ledger.arrived(a0, 3).value());
  EXPECT_TRUE(ledger.full());
  ledger.settle(ledger.arrived(a1, 1).value());
  EXPECT_TRUE(ledger.full());
  ledger.settle(poison);
  EXPECT_FALSE(ledger.full());
}

TEST(offset_ledger_bounds, a_full_partition_that_goes_makes_room) {
  offset_ledger ledger(2);
  ledger.assign(a0);
  ledger.arrived(a0, 1);
  ledger.arrived(a0, 2);
  ledger.arrived(a0, 3);
  EXPECT_TRUE(ledger.full());
  ledger.revoke(a0);
  EXPECT_FALSE(ledger.full());
}

/// Whatever the order: the position never passes one that is open, and ends behind the last.
TEST(offset_ledger_order, any_order_of_acknowledgements_ends_behind_the_last) {
  std::mt19937 random(20'140);
  for (int round = 0; round < 200; ++round) {
    offset_ledger ledger(1'000);
    ledger.assign(a0);
    std::vector<offset_ticket> open;
    for (std::int64_t offset = 0; offset < 40; ++offset)
      open.push_back(ledger.arrived(a0, offset).value());
    std::shuffle(open.begin(), open.end(), random);
    while (!open.empty()) {
      ASSERT_TRUE(ledger.settle(open.back()));
      open.pop_back();
      const auto lowest =
          std::min_element(open.begin(), open.end(),
                           [](const auto& x, const auto& y) { return x.offset < y.offset; });
      const std::int64_t expected = lowest == open.end() ? 40 : lowest->offset;
      const auto due = ledger.due();
      ASSERT_EQ(due.empty() ? 0 : due[0].next, expected);
    }
    EXPECT_FALSE(ledger.full());
  }
}

}  // namespace
}  // namespace oslo::messaging::kafka
