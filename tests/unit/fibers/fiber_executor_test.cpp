#include <gtest/gtest.h>

#include <atomic>
#include <boost/fiber/operations.hpp>
#include <latch>
#include <mutex>
#include <numeric>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/fibers.hpp>
#include <oslo/messaging/this_task.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/tasks/handover.hpp"

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;
constexpr auto limit = 20s;

/// Something that one task waits for, in the way that is right for it.
class event {
 public:
  void set() { value_->put(true); }
  bool wait() { return value_->take(limit).has_value(); }

 private:
  std::shared_ptr<handover<bool>> value_ = std::make_shared<handover<bool>>();
};

TEST(fiber_executor, runs_everything_before_it_is_gone) {
  std::atomic<int> done{0};
  {
    const auto fibers = fiber_executor({.threads = 2, .max_fibers = 100});
    EXPECT_FALSE(fibers->is_inline());
    EXPECT_EQ(fibers->concurrency(), 100u);
    for (int i = 0; i < 10'000; ++i) fibers->execute([&done] { ++done; });
  }
  EXPECT_EQ(done, 10'000);
}

TEST(fiber_executor, an_unused_one_goes_away) {
  for (int i = 0; i < 20; ++i) (void)fiber_executor({.threads = 4});
}

TEST(fiber_executor, one_thread_keeps_the_order) {
  std::vector<int> order;
  {
    const auto fibers = fiber_executor();
    for (int i = 0; i < 1'000; ++i) fibers->execute([&order, i] { order.push_back(i); });
  }
  std::vector<int> expected(1'000);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

TEST(fiber_executor, a_waiting_fiber_leaves_its_thread_to_others) {
  event first, second;
  std::thread::id ids[2];
  const auto fibers = fiber_executor();
  fibers->execute([&] {
    ids[0] = std::this_thread::get_id();
    EXPECT_TRUE(first.wait());
    second.set();
  });
  fibers->execute([&] {
    ids[1] = std::this_thread::get_id();
    first.set();
  });
  EXPECT_TRUE(second.wait());
  EXPECT_EQ(ids[0], ids[1]);
}

TEST(fiber_executor, several_threads_run_at_once) {
  std::latch together{4};
  std::mutex mutex;
  std::set<std::thread::id> ids;
  {
    const auto fibers = fiber_executor({.threads = 4, .max_fibers = 4});
    for (int i = 0; i < 4; ++i)
      fibers->execute([&] {
        together.arrive_and_wait();  // blocks the thread: ends only if each one takes one
        const std::lock_guard lock(mutex);
        ids.insert(std::this_thread::get_id());
      });
  }
  EXPECT_EQ(ids.size(), 4u);
}

TEST(fiber_executor, starts_no_more_fibers_than_allowed) {
  int running = 0, most = 0, ended = 0;  // all on one thread
  {
    const auto fibers = fiber_executor({.max_fibers = 7});
    for (int i = 0; i < 100; ++i)
      fibers->execute([&] {
        most = std::max(most, ++running);
        for (int turn = 0; turn < 20; ++turn) this_task::yield();
        --running;
        ++ended;
      });
  }
  EXPECT_EQ(most, 7);
  EXPECT_EQ(ended, 100);
}

TEST(fiber_executor, wakes_come_from_any_thread_at_any_time) {
  constexpr int count = 2'000;
  std::vector<std::shared_ptr<handover<int>>> values(count);
  for (auto& v : values) v = std::make_shared<handover<int>>();
  std::atomic<int> sum{0};
  {
    const auto fibers = fiber_executor({.threads = 2, .max_fibers = 300});
    for (auto& v : values)
      fibers->execute([&sum, v] { sum += v->take(limit).value_or(-1'000'000); });
    std::vector<std::jthread> wakers;
    for (int t = 0; t < 3; ++t)
      wakers.emplace_back([&values, t] {
        for (int i = t; i < count; i += 3) values[static_cast<std::size_t>(i)]->put(1);
      });
  }
  EXPECT_EQ(sum, count);
}

/// A wake that races with the end of its executor must not touch what is gone.
TEST(fiber_executor, the_last_wake_may_meet_the_end) {
  for (int round = 0; round < 300; ++round) {
    const auto value = std::make_shared<handover<int>>();
    auto fibers = fiber_executor();
    fibers->execute([value] { EXPECT_EQ(value->take(limit), 5); });
    std::jthread waker([value] { value->put(5); });
    fibers.reset();
  }
}

TEST(fiber_executor, a_wait_ends_at_its_limit) {
  std::optional<int> got = 1;
  auto start = std::chrono::steady_clock::now(), end = start;
  {
    const auto fibers = fiber_executor();
    fibers->execute([&] {
      const auto never = std::make_shared<handover<int>>();
      got = never->take(30ms);
      end = std::chrono::steady_clock::now();
      never->put(1);  // nobody is there any more
    });
  }
  EXPECT_EQ(got, std::nullopt);
  EXPECT_GE(end - start, 30ms);
}

TEST(fiber_executor, fibers_wake_in_the_order_of_their_sleep) {
  std::vector<int> order;
  {
    const auto fibers = fiber_executor();
    const auto now = std::chrono::steady_clock::now();
    for (const int i : {3, 1, 2})
      fibers->execute([&order, now, i] {
        this_task::sleep_until(now + i * 20ms);
        order.push_back(i);
      });
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

/// The runtime keeps the exceptions being handled in the thread; they have to follow the fiber.
TEST(fiber_executor, a_fiber_may_wait_while_it_handles_an_exception) {
  event entered, leave;
  std::string rethrown;
  bool clean = true;
  {
    const auto fibers = fiber_executor();
    fibers->execute([&] {
      try {
        try {
          throw std::runtime_error("mine");
        } catch (...) {
          entered.set();
          EXPECT_TRUE(leave.wait());
          throw;
        }
      } catch (const std::exception& e) {
        rethrown = e.what();
      }
    });
    fibers->execute([&] {
      EXPECT_TRUE(entered.wait());
      clean = std::current_exception() == nullptr;
      try {
        throw std::logic_error("other");
      } catch (...) {
        leave.set();
        this_task::yield();
      }
      clean = clean && std::current_exception() == nullptr;
    });
  }
  EXPECT_TRUE(clean);
  EXPECT_EQ(rethrown, "mine");
}

TEST(fiber_executor, waits_of_boost_fiber_work_too) {
  int turns = 0;
  {
    const auto fibers = fiber_executor();
    for (int i = 0; i < 2; ++i)
      fibers->execute([&] {
        boost::this_fiber::sleep_for(1ms);
        ++turns;
      });
  }
  EXPECT_EQ(turns, 2);
}

TEST(fiber_executor, work_may_submit_work_also_while_the_executor_is_being_destroyed) {
  std::atomic<int> done{0};
  event destroying;
  auto fibers = fiber_executor({.threads = 3});
  executor* const raw = fibers.get();
  raw->execute([&] {
    EXPECT_TRUE(destroying.wait());
    for (int i = 0; i < 6; ++i)
      raw->execute([&] {
        ++done;
        raw->execute([&] { ++done; });
      });
  });
  std::jthread destroyer([&] { fibers.reset(); });
  destroying.set();
  destroyer.join();
  EXPECT_EQ(done, 12);
}

TEST(fiber_executor, captures_are_destroyed_with_the_work) {
  event gone;
  const auto fibers = fiber_executor();
  fibers->execute([token = std::shared_ptr<void>(nullptr, [&](void*) { gone.set(); })] {});
  EXPECT_TRUE(gone.wait());
}

TEST(fiber_executor, may_be_destroyed_by_its_own_fibers_again_and_again) {
  for (int round = 0; round < 50; ++round) {
    event all_done;
    auto token = std::shared_ptr<void>(nullptr, [&](void*) { all_done.set(); });
    const auto done = std::make_shared<std::atomic<int>>(0);
    auto fibers = fiber_executor({.threads = 2});
    for (int i = 0; i < 20; ++i)
      fibers->execute([done, token, own = fibers] {
        this_task::yield();
        ++*done;
      });
    fibers.reset();
    token.reset();
    ASSERT_TRUE(all_done.wait());
    EXPECT_EQ(*done, 20);
  }
}

TEST(fiber_executor, work_runs_even_without_memory_for_a_stack) {
  int ran = 0;
  {
    const auto fibers = fiber_executor({.stack_bytes = std::size_t{1} << 62});
    for (int i = 0; i < 3; ++i)
      fibers->execute([&] {
        this_task::sleep_for(1ms);
        ++ran;
      });
  }
  EXPECT_EQ(ran, 3);
}

TEST(fiber_executor, refuses_options_out_of_range) {
  const auto complaint = [](fiber_options o) -> std::string {
    try {
      (void)fiber_executor(o);
    } catch (const configuration_error& e) {
      return e.what();
    }
    return "none";
  };
  EXPECT_EQ(complaint({.threads = 0}), "A fiber executor needs at least one thread.");
  EXPECT_EQ(complaint({.threads = 3, .max_fibers = 2}),
            "A fiber executor needs at least one fiber a thread: max_fibers is 2, threads is 3.");
  EXPECT_EQ(complaint({.stack_bytes = 100}),
            "The stack of a fiber needs at least 32768 bytes, not 100.");
}

TEST(fiber_executor_death, work_that_throws_ends_the_program) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(fiber_executor()->execute([] { throw std::runtime_error("x"); }), "");
}

}  // namespace
}  // namespace oslo::messaging
