#include "net/io_loop.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <mutex>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/error.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;
constexpr auto patience = 20s;

/// Both kinds of loop have to keep the same promises.
struct loop_kind {
  const char* name;
  std::shared_ptr<scheduler> (*make)();
};

std::shared_ptr<scheduler> over_three_threads() {
  // The loop keeps its application's threads alive here, which makes the test short.
  struct pooled {
    boost::asio::thread_pool pool{3};
    std::shared_ptr<scheduler> loop = asio_scheduler(pool.get_executor());
    ~pooled() {
      loop.reset();
      pool.join();
    }
  };
  auto owner = std::make_shared<pooled>();
  return {owner, owner->loop.get()};
}

class loops : public ::testing::TestWithParam<loop_kind> {
 protected:
  std::shared_ptr<scheduler> loop = GetParam().make();

  /// Runs everything posted so far.
  void settle() {
    std::promise<void> done;
    loop->post([&] { done.set_value(); });
    ASSERT_EQ(done.get_future().wait_for(patience), std::future_status::ready);
  }
};

TEST_P(loops, posts_run_in_order_and_one_at_a_time) {
  std::vector<int> order;
  std::atomic<int> inside{0};
  for (int i = 0; i < 1000; ++i)
    loop->post([&, i] {
      EXPECT_EQ(++inside, 1);
      EXPECT_TRUE(loop->running_here());
      order.push_back(i);
      --inside;
    });
  settle();
  ASSERT_EQ(order.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_FALSE(loop->running_here());
}

TEST_P(loops, dispatch_is_inline_on_the_loop_and_post_never_is) {
  std::vector<std::string> order;
  loop->post([&] {
    loop->post([&] { order.push_back("posted"); });
    loop->dispatch([&] { order.push_back("dispatched"); });
    order.push_back("outer");
  });
  settle();
  settle();
  EXPECT_EQ(order, (std::vector<std::string>{"dispatched", "outer", "posted"}));
}

TEST_P(loops, timers_fire_in_the_order_of_their_deadlines) {
  std::vector<int> order;
  std::promise<void> done;
  const auto base = loop->now();
  loop->run_at(base + 40ms, [&] {
    order.push_back(3);
    done.set_value();
  });
  loop->run_at(base + 10ms, [&] { order.push_back(1); });
  loop->run_at(base + 20ms, [&] { order.push_back(2); });
  loop->run_at(base - 1h, [&] { order.push_back(0); });
  ASSERT_EQ(done.get_future().wait_for(patience), std::future_status::ready);
  EXPECT_GE(loop->now(), base + 40ms);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

TEST_P(loops, a_cancelled_timer_does_not_fire) {
  std::promise<void> done;
  std::atomic<int> fired{0};
  const auto base = loop->now();
  std::vector<scheduler::timer_id> ids;
  for (int i = 0; i < 500; ++i) ids.push_back(loop->run_at(base + 30ms, [&] { ++fired; }));
  for (std::size_t i = 0; i < ids.size(); i += 2) loop->cancel(ids[i]);
  loop->cancel(ids[0]);
  loop->cancel(scheduler::timer_id::none);
  loop->run_at(base + 60ms, [&] { done.set_value(); });
  ASSERT_EQ(done.get_future().wait_for(patience), std::future_status::ready);
  EXPECT_EQ(fired, 250);
}

TEST_P(loops, a_timer_may_cancel_another_that_is_due_and_add_new_ones) {
  std::promise<void> done;
  std::atomic<bool> wrong{false};
  loop->post([&] {
    const auto due = loop->now() - 1ms;
    auto victim = std::make_shared<scheduler::timer_id>();
    loop->run_at(due, [&, victim] {
      loop->cancel(*victim);
      loop->run_at(loop->now(), [&] { done.set_value(); });
    });
    *victim = loop->run_at(due, [&] { wrong = true; });
  });
  ASSERT_EQ(done.get_future().wait_for(patience), std::future_status::ready);
  settle();
  EXPECT_FALSE(wrong);
}

INSTANTIATE_TEST_SUITE_P(kinds, loops,
                         ::testing::Values(loop_kind{"io_loop",
                                                     [] {
                                                       return std::shared_ptr<scheduler>(
                                                           std::make_shared<net::io_loop>());
                                                     }},
                                           loop_kind{"strand_over_three_threads",
                                                     over_three_threads}),
                         [](const auto& row) { return row.param.name; });

TEST_P(loops, a_timer_that_is_always_due_again_leaves_turns_to_others) {
  std::promise<void> done;
  bool stop = false;
  std::function<void()> again = [&] {
    if (!stop) loop->run_at(loop->now() - 1ms, [&] { again(); });
  };
  loop->post([&] {
    again();
    loop->post([&] { stop = true; });
    loop->run_at(loop->now(), [&] { done.set_value(); });
  });
  EXPECT_EQ(done.get_future().wait_for(patience), std::future_status::ready);
  settle();
}

TEST(io_loop, an_exception_is_logged_and_the_loop_and_its_timers_go_on) {
  std::mutex mutex;
  std::vector<std::string> lines;
  net::io_loop loop({log_level::error, [&](log_level, std::string_view text) {
                       const std::lock_guard lock(mutex);
                       lines.emplace_back(text);
                     }});
  std::promise<void> done;
  loop.post([] { throw std::runtime_error("first"); });
  loop.run_at(loop.now(), [] { throw 2; });
  loop.run_at(loop.now() + 5ms, [&] { done.set_value(); });
  ASSERT_EQ(done.get_future().wait_for(patience), std::future_status::ready);
  const std::lock_guard lock(mutex);
  EXPECT_EQ(lines,
            (std::vector<std::string>{"A callback on the I/O loop threw: first",
                                      "A callback on the I/O loop threw an unknown exception."}));
}

TEST(io_loop, the_destructor_runs_what_was_posted_and_drops_timers) {
  std::atomic<int> ran{0};
  std::atomic<int> fired{0};
  {
    net::io_loop loop;
    for (int i = 0; i < 100; ++i) loop.post([&] { ++ran; });
    loop.run_at(loop.now() + 1h, [&] { ++fired; });
  }
  EXPECT_EQ(ran, 100);
  EXPECT_EQ(fired, 0);
}

TEST(io_loop, its_own_thread_may_destroy_it) {
  std::promise<std::thread::id> ended;
  auto loop = std::make_shared<net::io_loop>();
  auto* raw = loop.get();
  raw->post([&ended, loop = std::move(loop)]() mutable {
    loop.reset();
    ended.set_value(std::this_thread::get_id());
  });
  auto future = ended.get_future();
  ASSERT_EQ(future.wait_for(patience), std::future_status::ready);
  EXPECT_TRUE(future.get() != std::this_thread::get_id());
}

TEST(io_loop, what_it_held_goes_with_its_own_thread) {
  std::promise<void> gone;
  const auto tell = [&gone](int* held) {
    delete held;
    gone.set_value();
  };
  logger log;
  log.sink = [held = std::shared_ptr<int>(new int, tell)](log_level, std::string_view) {};
  auto loop = std::make_shared<net::io_loop>(std::move(log));
  auto* raw = loop.get();
  raw->post([loop = std::move(loop)]() mutable { loop.reset(); });
  EXPECT_EQ(gone.get_future().wait_for(patience), std::future_status::ready);
}

TEST(io_loop_death, one_that_is_still_busy_at_exit_is_stopped) {
  // A fork beside the thread of an earlier test would report what that thread holds as a leak.
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto program = [] {
    auto loop = std::make_shared<net::io_loop>();
    const auto executor = loop->executor();
    std::promise<void> orphaned;
    loop->post([&orphaned, executor, own = std::move(loop)]() mutable {
      struct again {
        boost::asio::any_io_executor on;
        void operator()() const { boost::asio::post(on, *this); }
      };
      again{executor}();
      own.reset();
      orphaned.set_value();
    });
    if (orphaned.get_future().wait_for(patience) != std::future_status::ready) _exit(3);
    alarm(20);
    std::exit(0);
  };
  EXPECT_EXIT(program(), ::testing::ExitedWithCode(0), "");
}

TEST(asio_executor, runs_work_on_the_executor_of_the_application) {
  boost::asio::io_context io;
  const auto e = asio_executor(io.get_executor(), 3);
  EXPECT_EQ(e->concurrency(), 3u);
  EXPECT_FALSE(e->is_inline());
  int ran = 0;
  e->execute([&] { ++ran; });
  EXPECT_EQ(ran, 0);
  io.run();
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(as_asio_executor(e), boost::asio::any_io_executor(io.get_executor()));
  EXPECT_THROW(asio_executor(io.get_executor(), 0), configuration_error);
}

}  // namespace
}  // namespace oslo::messaging
