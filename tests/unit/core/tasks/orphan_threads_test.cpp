#include "core/tasks/orphan_threads.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <thread>

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;

TEST(orphan_threads, are_joined_once_they_have_ended_and_what_they_hold_goes_then) {
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  auto ended = std::make_shared<std::atomic<bool>>(false);
  std::promise<void> leave;
  adopt_orphan(std::thread([wait = leave.get_future()]() mutable { wait.wait_for(20s); }),
               [held = std::move(held), ended] { return ended->load(); });
  join_ended_orphans();
  EXPECT_FALSE(watched.expired());
  leave.set_value();
  *ended = true;
  join_ended_orphans();
  EXPECT_TRUE(watched.expired());
}

TEST(orphan_threads, what_an_ended_one_held_may_have_orphans_itself) {
  struct owner {
    ~owner() {
      adopt_orphan(std::thread([] {}), [] { return true; });
    }
  };
  adopt_orphan(std::thread([] {}), [held = std::make_shared<owner>()] { return true; });
  join_ended_orphans();
  join_ended_orphans();
}

// What happens when the program ends can only be seen from outside.
TEST(orphan_threads_death, one_that_does_not_end_is_stopped_at_exit) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto program = [] {
    auto stop = std::make_shared<std::promise<void>>();
    adopt_orphan(
        std::thread([wait = stop->get_future()]() mutable {
          if (wait.wait_for(20s) != std::future_status::ready) _exit(3);
        }),
        [] { return false; }, [stop] { stop->set_value(); });
    std::exit(0);
  };
  EXPECT_EXIT(program(), ::testing::ExitedWithCode(0), "");
}

TEST(orphan_threads_death, one_may_end_the_program_itself) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto program = [] {
    std::promise<void> adopted;
    adopt_orphan(std::thread([go = adopted.get_future()]() mutable {
                   go.wait_for(20s);
                   std::exit(0);
                 }),
                 [] { return false; });
    adopted.set_value();
    std::promise<void>().get_future().wait_for(20s);
    _exit(3);
  };
  EXPECT_EXIT(program(), ::testing::ExitedWithCode(0), "");
}

TEST(orphan_threads_death, those_of_the_parent_are_left_alone_in_a_child) {
  auto leave = std::make_shared<std::promise<void>>();
  auto ended = std::make_shared<std::atomic<bool>>(false);
  adopt_orphan(std::thread([wait = leave->get_future()]() mutable { wait.wait_for(20s); }),
               [ended] { return ended->load(); });
  const auto program = [&] {
    *ended = true;
    join_ended_orphans();
    std::exit(0);
  };
  EXPECT_EXIT(program(), ::testing::ExitedWithCode(0), "");
  leave->set_value();
  *ended = true;
  join_ended_orphans();
}

}  // namespace
}  // namespace oslo::messaging
