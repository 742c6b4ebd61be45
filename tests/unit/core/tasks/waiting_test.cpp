#include "core/tasks/waiting.hpp"

#include <gtest/gtest.h>

#include <oslo/messaging/this_task.hpp>
#include <string>
#include <thread>

#include "core/tasks/handover.hpp"

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;

TEST(handover, a_value_waits_for_its_taker) {
  handover<std::string> h;
  h.put("x");
  EXPECT_EQ(h.take(std::nullopt), "x");
}

TEST(handover, a_taker_waits_for_the_value) {
  handover<int> h;
  std::jthread putter([&] { h.put(5); });
  EXPECT_EQ(h.take(20s), 5);
}

TEST(handover, gives_up_at_the_limit_and_not_before) {
  handover<int> h;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(h.take(20ms), std::nullopt);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
  h.put(1);  // late, and harmless
  EXPECT_EQ(h.take(0ms), 1);
}

TEST(handover, the_longest_limit_is_no_limit) {
  handover<int> h;
  std::jthread putter([&] { h.put(5); });
  EXPECT_EQ(h.take(std::chrono::milliseconds::max()), 5);
}

TEST(waiter, a_wake_before_the_wait_counts) {
  const auto w = make_waiter();
  w->wake();
  w->wait(std::nullopt);
}

/// Counts what is asked of it.
class counting_switcher final : public task_switcher {
 public:
  std::shared_ptr<waiter> make_waiter() override {
    ++waiters;
    task_switcher* const self = std::exchange(here(), nullptr);
    auto plain = messaging::make_waiter();
    here() = self;
    return plain;
  }
  void yield() override { ++yields; }
  int waiters = 0, yields = 0;
};

TEST(task_switcher, whatever_waits_on_its_thread_waits_through_it) {
  counting_switcher switcher;
  task_switcher::here() = &switcher;
  handover<int> h;
  EXPECT_EQ(h.take(1ms), std::nullopt);
  EXPECT_EQ(switcher.waiters, 1);
  this_task::sleep_for(1ms);
  EXPECT_EQ(switcher.waiters, 2);
  this_task::yield();
  EXPECT_EQ(switcher.yields, 1);
  std::jthread other([&] { this_task::sleep_for(1ms); });  // has none
  other.join();
  EXPECT_EQ(switcher.waiters, 2);
  task_switcher::here() = nullptr;
}

TEST(this_task, sleeps_that_long) {
  const auto start = std::chrono::steady_clock::now();
  this_task::sleep_for(15ms);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 15ms);
  this_task::sleep_for(-1h);
  this_task::sleep_for(std::chrono::hours::min());
  this_task::yield();
}

}  // namespace
}  // namespace oslo::messaging
