#include "testing/manual_loop.hpp"

#include <gtest/gtest.h>

#include <future>
#include <oslo/messaging/error.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace oslo::messaging::testing {
namespace {

using namespace std::chrono_literals;

TEST(manual_loop, its_clock_stands_still_until_it_is_moved) {
  manual_loop loop;
  const auto start = loop.now();
  loop.settle();
  EXPECT_EQ(loop.now(), start);
  loop.advance(90s);
  EXPECT_EQ(loop.now(), start + 90s);
}

TEST(manual_loop, timers_run_in_order_each_at_its_own_time) {
  manual_loop loop;
  const auto start = loop.now();
  using entry = std::pair<std::string, std::chrono::seconds>;
  std::vector<entry> ran;
  const auto note = [&](std::string name) {
    return [&ran, &loop, start, name] {
      ran.emplace_back(name, std::chrono::duration_cast<std::chrono::seconds>(loop.now() - start));
    };
  };
  loop.run_at(start + 3s, note("c"));
  loop.run_at(start + 1s, note("a"));
  loop.run_at(start + 1s, [&] {
    note("b")();
    loop.post(note("posted"));
    loop.run_at(loop.now() + 1s, note("chained"));
  });
  loop.run_at(start + 4s, note("later"));
  loop.advance(3s);
  EXPECT_EQ(ran,
            (std::vector<entry>{{"a", 1s}, {"b", 1s}, {"posted", 1s}, {"chained", 2s}, {"c", 3s}}));
  loop.advance(1s);
  EXPECT_EQ(ran.back().first, "later");
}

TEST(manual_loop, a_cancelled_timer_does_not_run) {
  manual_loop loop;
  bool ran = false;
  const auto id = loop.run_at(loop.now() + 1s, [&] { ran = true; });
  loop.cancel(id);
  loop.cancel(id);
  loop.cancel(scheduler::timer_id::none);
  loop.advance(2s);
  EXPECT_FALSE(ran);
}

TEST(manual_loop, a_timer_of_the_past_runs_at_once) {
  manual_loop loop;
  bool ran = false;
  loop.run_at(loop.now() - 1s, [&] { ran = true; });
  loop.settle();
  EXPECT_TRUE(ran);
}

TEST(manual_loop, posted_work_runs_without_a_push) {
  manual_loop loop;
  std::promise<bool> here;
  EXPECT_FALSE(loop.running_here());
  loop.post([&] { here.set_value(loop.running_here()); });
  EXPECT_TRUE(here.get_future().get());
}

TEST(manual_loop, what_work_throws_comes_out_of_the_next_wait) {
  manual_loop loop;
  bool went_on = false;
  loop.post([] { throw std::runtime_error("first"); });
  loop.post([&] { went_on = true; });
  loop.post([] { throw std::runtime_error("second"); });
  try {
    loop.settle();
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "first");
  }
  loop.settle();
  EXPECT_TRUE(went_on);
}

TEST(manual_loop, does_not_wait_for_itself) {
  manual_loop loop;
  std::promise<errc> code;
  loop.post([&] {
    try {
      loop.advance(1s);
    } catch (const messaging_error& e) {
      code.set_value(e.failure().code());
    }
  });
  EXPECT_EQ(code.get_future().get(), errc::would_deadlock);
}

TEST(manual_loop, may_end_on_its_own_thread) {
  auto loop = std::make_shared<manual_loop>();
  std::promise<void> gone, released;
  auto* const raw = loop.get();
  raw->post([own = loop, &gone, waited = released.get_future().share()]() mutable {
    waited.wait();
    own.reset();
    gone.set_value();
  });
  loop.reset();
  released.set_value();
  gone.get_future().wait();
}

}  // namespace
}  // namespace oslo::messaging::testing
