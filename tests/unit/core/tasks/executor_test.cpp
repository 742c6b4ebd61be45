#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <numeric>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/executor.hpp>
#include <set>
#include <thread>
#include <vector>

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;
constexpr auto limit = 20s;

/// A gate that test threads wait at, with a deadline.
class gate {
 public:
  void open() {
    const std::lock_guard lock{mutex_};
    open_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, limit, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

TEST(inline_executor, runs_at_once_on_the_callers_thread) {
  const auto here = inline_executor();
  EXPECT_TRUE(here->is_inline());
  EXPECT_EQ(here->concurrency(), 1u);
  std::vector<int> order;
  std::thread::id id;
  here->execute([&] {
    order.push_back(1);
    here->execute([&] { order.push_back(2); });
    order.push_back(3);
    id = std::this_thread::get_id();
  });
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(id, std::this_thread::get_id());
}

TEST(inline_executor_death, work_that_throws_ends_the_program) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(inline_executor()->execute([] { throw std::runtime_error("x"); }), "");
}

TEST(thread_pool, runs_everything_before_it_is_gone) {
  std::atomic<int> done{0};
  {
    const auto pool = thread_pool(4);
    EXPECT_FALSE(pool->is_inline());
    EXPECT_EQ(pool->concurrency(), 4u);
    for (int i = 0; i < 10'000; ++i) pool->execute([&done] { ++done; });
  }
  EXPECT_EQ(done, 10'000);
}

TEST(thread_pool, an_unused_pool_goes_away) {
  for (int i = 0; i < 20; ++i) (void)thread_pool(8);
}

TEST(thread_pool, one_thread_keeps_the_order) {
  std::vector<int> order;
  {
    const auto pool = thread_pool(1);
    for (int i = 0; i < 1'000; ++i) pool->execute([&order, i] { order.push_back(i); });
  }
  std::vector<int> expected(1'000);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

TEST(thread_pool, as_many_run_at_once_as_it_has_threads) {
  constexpr int threads = 16;
  const auto pool = thread_pool(threads);
  // Each piece waits until all are under way: this ends only if every thread takes one.
  for (int round = 0; round < 50; ++round) {
    auto together = std::make_shared<std::latch>(threads);
    std::vector<std::future<void>> ends;
    for (int i = 0; i < threads; ++i) {
      std::promise<void> p;
      ends.push_back(p.get_future());
      pool->execute([together, end = std::move(p)]() mutable {
        together->arrive_and_wait();
        end.set_value();
      });
    }
    for (auto& e : ends) ASSERT_EQ(e.wait_for(limit), std::future_status::ready);
  }
}

TEST(thread_pool, a_blocked_thread_does_not_hold_up_the_rest) {
  gate let_go;
  gate ran;
  const auto pool = thread_pool(2);
  pool->execute([&] { EXPECT_TRUE(let_go.wait()); });
  pool->execute([&] { ran.open(); });
  EXPECT_TRUE(ran.wait());
  let_go.open();
}

TEST(thread_pool, takes_work_from_many_threads) {
  std::atomic<int> done{0};
  {
    const auto pool = thread_pool(3);
    std::vector<std::jthread> callers;
    for (int t = 0; t < 4; ++t)
      callers.emplace_back([&] {
        for (int i = 0; i < 5'000; ++i) pool->execute([&] { ++done; });
      });
  }
  EXPECT_EQ(done, 20'000);
}

TEST(thread_pool, work_may_submit_work_also_while_the_pool_is_being_destroyed) {
  std::atomic<int> done{0};
  gate destroying;
  auto pool = thread_pool(2);
  executor* const raw = pool.get();
  raw->execute([&] {
    EXPECT_TRUE(destroying.wait());
    raw->execute([&] {
      ++done;
      raw->execute([&] { ++done; });
    });
  });
  destroying.open();
  pool.reset();
  EXPECT_EQ(done, 2);
}

TEST(thread_pool, captures_are_destroyed_with_the_work) {
  gate gone;
  const auto pool = thread_pool(2);
  pool->execute([token = std::shared_ptr<void>(nullptr, [&](void*) { gone.open(); })] {});
  EXPECT_TRUE(gone.wait());
}

TEST(thread_pool, short_work_is_done_by_few_threads) {
  const auto pool = thread_pool(32);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  for (int i = 0; i < 200; ++i) {
    std::promise<void> end;
    auto ended = end.get_future();
    pool->execute([&, end = std::move(end)]() mutable {
      {
        const std::lock_guard lock{mutex};
        ids.insert(std::this_thread::get_id());
      }
      end.set_value();
    });
    ASSERT_EQ(ended.wait_for(limit), std::future_status::ready);
  }
  // Called one at a time, the thread that became idle last is called again; the one before may not
  // have got that far yet. At the start any of them may be the last.
  EXPECT_LT(ids.size(), 32u);
}

TEST(thread_pool, may_be_destroyed_by_its_only_thread) {
  gate released;
  std::promise<std::vector<int>> result;
  auto ended = result.get_future();
  auto order = std::make_shared<std::vector<int>>();
  auto pool = thread_pool(1);
  pool->execute([&released, order, own = pool]() mutable {
    EXPECT_TRUE(released.wait());
    own.reset();  // the last reference
    order->push_back(1);
  });
  for (int i = 2; i < 5; ++i) pool->execute([order, i] { order->push_back(i); });
  pool->execute([order, &result] { result.set_value(*order); });
  pool.reset();
  released.open();
  ASSERT_EQ(ended.wait_for(limit), std::future_status::ready);
  EXPECT_EQ(ended.get(), (std::vector<int>{1, 2, 3, 4}));
}

TEST(thread_pool, may_be_destroyed_by_one_of_many_again_and_again) {
  for (int round = 0; round < 50; ++round) {
    gate all_done;
    // Opens the gate when the last piece of work has run and is destroyed.
    auto token = std::shared_ptr<void>(nullptr, [&](void*) { all_done.open(); });
    auto done = std::make_shared<std::atomic<int>>(0);
    auto pool = thread_pool(3);
    for (int i = 0; i < 20; ++i) pool->execute([done, token, own = pool] { ++*done; });
    pool.reset();
    token.reset();
    ASSERT_TRUE(all_done.wait());
    EXPECT_EQ(*done, 20);
  }
}

TEST(thread_pool, needs_a_thread) {
  try {
    (void)thread_pool(0);
    FAIL() << "no error";
  } catch (const configuration_error& e) {
    EXPECT_STREQ(e.what(), "A thread pool needs at least one thread.");
  }
  try {
    (void)thread_pool(std::size_t{1} << 62);
    FAIL();
  } catch (const configuration_error& e) {
    EXPECT_STREQ(e.what(), "A thread pool has at most 32768 threads, not 4611686018427387904.");
  }
}

TEST(thread_pool_death, work_that_throws_ends_the_program) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        const auto pool = thread_pool(1);
        pool->execute([] { throw std::runtime_error("x"); });
      },
      "");
}

}  // namespace
}  // namespace oslo::messaging
