// start, stop and wait from several threads: each rule of oslo's ordered tasks.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <oslo/messaging/rpc/server.hpp>
#include <thread>

#include "support/log_lines.hpp"
#include "support/stub_driver.hpp"

namespace oslo::messaging::rpc {
namespace {

using namespace std::chrono_literals;
using testing::log_lines;
constexpr auto patience = 20s;

/// What a test and the driver below share.
struct stage {
  std::mutex mutex;
  std::vector<std::string> happened;  // "listen", "stop", in order
  std::vector<unique_function<void(result<void>)>> not_ready;
  bool ready_at_once = true;
  std::atomic<int> gone{0};  // listeners destroyed

  void note(const char* what) {
    const std::lock_guard lock(mutex);
    happened.emplace_back(what);
  }
  std::vector<std::string> so_far() {
    const std::lock_guard lock(mutex);
    return happened;
  }
};

class staged_listener final : public listener {
 public:
  staged_listener(std::shared_ptr<stage> s, std::shared_ptr<scheduler> loop)
      : stage_(std::move(s)), loop_(std::move(loop)) {
    stage_->note("listen");
  }
  ~staged_listener() override { ++stage_->gone; }
  void next(std::size_t, unique_function<void(incoming_batch)> done) override {
    pull_ = std::move(done);
  }
  void stop() override {
    stage_->note("stop");
    if (pull_) loop_->post([pull = std::move(pull_)]() mutable { pull({}); });
  }
  void ready(unique_function<void(result<void>)> done) override {
    const std::lock_guard lock(stage_->mutex);
    if (stage_->ready_at_once)
      loop_->post([done = std::move(done)]() mutable { done({}); });
    else
      stage_->not_ready.push_back(std::move(done));
  }

 private:
  std::shared_ptr<stage> stage_;
  std::shared_ptr<scheduler> loop_;
  unique_function<void(incoming_batch)> pull_;
};

class staged_driver final : public testing::stub_driver {
 public:
  staged_driver(std::shared_ptr<stage> s, std::shared_ptr<scheduler> loop)
      : stub_driver(std::move(loop)), stage_(std::move(s)) {}
  std::shared_ptr<listener> listen(target, listen_options) override {
    return std::make_unique<staged_listener>(stage_, loop_);
  }

 private:
  std::shared_ptr<stage> stage_;
};

/// A loop that keeps the next work of one thread back until it is told to go on.
class holding_loop final : public scheduler {
 public:
  explicit holding_loop(std::shared_ptr<scheduler> inner) : inner_(std::move(inner)) {}
  void hold_next_of(std::thread::id who) {
    const std::lock_guard lock(mutex_);
    who_ = who;
  }
  bool holds() {
    const std::lock_guard lock(mutex_);
    return static_cast<bool>(held_);
  }
  void release() {
    const std::lock_guard lock(mutex_);
    inner_->post(std::move(held_));
  }

  time_point now() const override { return inner_->now(); }
  void post(unique_function<void()> work) override {
    {
      const std::lock_guard lock(mutex_);
      if (who_ == std::this_thread::get_id()) {
        who_ = {};
        held_ = std::move(work);
        return;
      }
    }
    inner_->post(std::move(work));
  }
  void dispatch(unique_function<void()> work) override { inner_->dispatch(std::move(work)); }
  timer_id run_at(time_point when, unique_function<void()> work) override {
    return inner_->run_at(when, std::move(work));
  }
  void cancel(timer_id id) override { inner_->cancel(id); }
  bool running_here() const noexcept override { return inner_->running_here(); }

 private:
  std::shared_ptr<scheduler> inner_;
  std::mutex mutex_;
  std::thread::id who_;
  unique_function<void()> held_;
};

class server_life : public ::testing::Test {
 protected:
  std::shared_ptr<stage> events = std::make_shared<stage>();
  log_lines log;
  // Only its loop is used.
  transport clockwork = open_transport("fake://");
  std::shared_ptr<holding_loop> loop = std::make_shared<holding_loop>(clockwork.shared_loop());
  transport bus = open();
  target on{.topic = "t", .server = "s"};
  server it{bus, on, {std::make_shared<endpoint>()}, {.executor = inline_executor()}};

  transport open() {
    driver_registry registry;
    registry.add("staged", [this](const transport_url&, driver_environment env) {
      return std::make_unique<staged_driver>(events, env.loop);
    });
    return transport::open("staged://", {.log = log.into(), .loop = loop}, registry);
  }
  /// Returns once everything that was posted before has run, and what that posted: a listener goes
  /// two turns after its server has stopped. What the loop's own thread posts may come behind ours,
  /// hence a round more than turns.
  void settle() {
    for (int round = 0; round < 3; ++round) {
      std::promise<void> done;
      clockwork.loop().post([&] { done.set_value(); });
      done.get_future().wait();
    }
  }
  void subscription_is_ready() {
    clockwork.loop().post([this] {
      std::vector<unique_function<void(result<void>)>> all;
      {
        const std::lock_guard lock(events->mutex);
        all = std::move(events->not_ready);
      }
      for (auto& done : all) done({});
    });
  }
  int hangs(std::string_view text) {
    return log.count(log_level::warning, "Possible hang: " + std::string(text));
  }
  using names = std::vector<std::string>;
};

TEST_F(server_life, start_stop_and_wait_happen_in_this_order) {
  it.start();
  it.stop();
  it.wait(patience);
  settle();
  EXPECT_EQ(events->so_far(), (names{"listen", "stop"}));
  EXPECT_EQ(events->gone, 1);
}

TEST_F(server_life, the_order_is_kept_when_the_calls_come_in_the_reverse_order) {
  std::promise<void> waited, stopped;
  std::jthread waiting([&] {
    it.wait({.timeout = patience, .log_after = 1ms});
    waited.set_value();
  });
  ASSERT_TRUE(log.wait_for(log_level::warning, "wait is waiting for stop to complete"));
  std::jthread stopping([&] {
    it.stop({.timeout = patience, .log_after = 1ms});
    stopped.set_value();
  });
  ASSERT_TRUE(log.wait_for(log_level::warning, "stop is waiting for start to complete"));
  EXPECT_EQ(events->so_far(), names{});
  it.start();
  stopped.get_future().get();
  waited.get_future().get();
  settle();
  EXPECT_EQ(events->so_far(), (names{"listen", "stop"}));
}

TEST_F(server_life, two_starts_at_once_subscribe_once_and_end_together) {
  events->ready_at_once = false;
  auto first = std::async(std::launch::async, [&] { it.start({.log_after = 1ms}); });
  ASSERT_TRUE(log.wait_for(log_level::warning, "start is waiting for the bus to confirm"));
  auto second = std::async(std::launch::async, [&] { it.start({.log_after = 1ms}); });
  ASSERT_TRUE(log.wait_for(log_level::warning, "start is waiting for another thread to complete"));
  subscription_is_ready();
  first.get();
  second.get();
  EXPECT_EQ(events->so_far(), names{"listen"});
  it.stop();
}

TEST_F(server_life, a_second_stop_and_a_second_wait_do_nothing) {
  it.start();
  for (int i = 0; i < 2; ++i) {
    it.stop();
    it.wait(patience);
  }
  settle();
  EXPECT_EQ(events->so_far(), (names{"listen", "stop"}));
}

TEST_F(server_life, a_stop_that_comes_late_does_not_end_the_next_round) {
  it.start();
  std::jthread late([&] {
    loop->hold_next_of(std::this_thread::get_id());
    it.stop();
  });
  late.join();
  ASSERT_TRUE(loop->holds());
  it.stop();
  it.wait(patience);
  it.start();
  loop->release();
  settle();
  EXPECT_EQ(events->so_far(), (names{"listen", "stop", "listen"}));
  // The new round ends as any other.
  it.stop();
  it.wait(patience);
  EXPECT_EQ(events->so_far().size(), 4u);
}

TEST_F(server_life, a_stop_before_start_is_remembered_where_nobody_can_wait) {
  std::promise<void> asked, ended;
  clockwork.loop().post([&] {
    it.stop();
    it.async_stop([&] { ended.set_value(); });
    asked.set_value();
  });
  asked.get_future().get();
  it.start();
  ended.get_future().get();
  it.wait(patience);
}

TEST_F(server_life, a_start_while_stopping_begins_the_next_round) {
  std::promise<result<void>> started;
  it.start();
  clockwork.loop().post([&] {
    // The pull of the first round has not ended when the start comes.
    it.stop();
    it.async_start([&](result<void> r) { started.set_value(std::move(r)); });
  });
  EXPECT_TRUE(started.get_future().get().has_value());
  EXPECT_EQ(events->so_far()[0], "listen");
  EXPECT_EQ(events->so_far()[1], "stop");
  it.stop();
  it.wait(patience);
}

TEST_F(server_life, drain_of_a_server_that_never_started_is_true_at_once) {
  EXPECT_TRUE(it.drain(1h));
  std::promise<bool> drained;
  it.async_drain(1h, [&](bool all) { drained.set_value(all); });
  EXPECT_TRUE(drained.get_future().get());
  // It has not stopped a start that comes later.
  it.start();
  settle();
  EXPECT_EQ(events->so_far(), names{"listen"});
}

TEST_F(server_life, drain_stops_and_the_second_one_is_true_at_once) {
  it.start();
  EXPECT_TRUE(it.drain(patience));
  EXPECT_EQ(events->so_far(), (names{"listen", "stop"}));
  EXPECT_TRUE(it.drain(1h));
  it.start();
  EXPECT_TRUE(it.drain(patience));
  EXPECT_EQ(events->so_far(), (names{"listen", "stop", "listen", "stop"}));
}

TEST_F(server_life, a_start_that_waits_for_the_loop_is_not_at_rest) {
  std::promise<result<void>> started;
  loop->hold_next_of(std::this_thread::get_id());
  it.async_start([&](result<void> r) { started.set_value(std::move(r)); });
  EXPECT_FALSE(it.drain(20ms));
  loop->release();
  const auto r = started.get_future().get();
  ASSERT_TRUE(r.has_error()) << "the drain came after it";
  EXPECT_EQ(r.error().code(), errc::closed);
  EXPECT_EQ(events->so_far(), names{});
}

TEST_F(server_life, a_start_after_the_server_was_destroyed_fails) {
  std::optional<server> other(std::in_place, bus, on, std::vector{std::make_shared<endpoint>()},
                              server_options{.executor = inline_executor()});
  other->start();
  std::promise<result<void>> first, second;
  clockwork.loop().post([&] {
    // Both starts come to a loop where the pull of the first round has not ended.
    other->stop();
    other->async_start([&](result<void> r) { first.set_value(std::move(r)); });
    clockwork.loop().post([&] {
      other->async_start([&](result<void> r) { second.set_value(std::move(r)); });
      other.reset();
    });
  });
  for (auto* p : {&first, &second}) {
    const auto r = p->get_future().get();
    ASSERT_TRUE(r.has_error());
    EXPECT_EQ(r.error().code(), errc::closed);
  }
  settle();
  EXPECT_EQ(events->so_far(), (names{"listen", "stop"}));
  EXPECT_EQ(events->gone, 1);
}

TEST_F(server_life, a_long_wait_is_logged_once) {
  EXPECT_THROW(it.wait({.timeout = 30ms, .log_after = 1ms}), task_timeout);
  EXPECT_EQ(hangs("wait is waiting for stop to complete"), 1);
  EXPECT_EQ(log.count(log_level::warning, ""), 1);
}

TEST_F(server_life, nothing_is_logged_before_its_time_or_when_that_is_off) {
  EXPECT_THROW(it.wait({.timeout = 30ms}), task_timeout);  // 30 s by default
  EXPECT_THROW(it.wait({.timeout = 30ms, .log_after = 0ms}), task_timeout);
  EXPECT_EQ(log.count(log_level::warning, ""), 0);
  EXPECT_EQ(task_options{}.log_after, 30s);
}

TEST_F(server_life, a_call_whose_predecessor_does_not_come_times_out) {
  try {
    it.stop({.timeout = 10ms});
    FAIL();
  } catch (const task_timeout& e) {
    EXPECT_STREQ(e.what(), "stop is waiting for start to complete");
    EXPECT_EQ(e.failure().code(), errc::timed_out);
  }
  try {
    it.wait({.timeout = 10ms});
    FAIL();
  } catch (const task_timeout& e) {
    EXPECT_STREQ(e.what(), "wait is waiting for stop to complete");
  }
  // Whoever has given up stops nothing later.
  it.start();
  settle();
  EXPECT_EQ(events->so_far(), names{"listen"});
}

TEST_F(server_life, a_call_that_another_thread_is_busy_with_times_out) {
  events->ready_at_once = false;
  auto first = std::async(std::launch::async, [&] { it.start({.log_after = 1ms}); });
  ASSERT_TRUE(log.wait_for(log_level::warning, "start is waiting for the bus to confirm"));
  try {
    it.start({.timeout = 10ms});
    FAIL();
  } catch (const task_timeout& e) {
    EXPECT_STREQ(e.what(), "start is waiting for another thread to complete");
  }
  subscription_is_ready();
  first.get();
}

TEST_F(server_life, a_stop_ends_a_start_that_is_under_way) {
  events->ready_at_once = false;
  auto first = std::async(std::launch::async, [&] { it.start({.log_after = 1ms}); });
  ASSERT_TRUE(log.wait_for(log_level::warning, "start is waiting for the bus to confirm"));
  it.stop();
  EXPECT_THROW(first.get(), server_listen_error);
  it.wait(patience);
}

TEST_F(server_life, a_start_that_fails_may_be_tried_again) {
  events->ready_at_once = false;
  server impatient{bus, on, {}, {.executor = inline_executor(), .start_timeout = 10ms}};
  try {
    impatient.start();
    FAIL();
  } catch (const server_listen_error& e) {
    EXPECT_EQ(e.failure().code(), errc::timed_out);
    EXPECT_STREQ(
        e.what(),
        "Failed to listen on target \"<Target topic=t, server=s>\": the bus did not confirm "
        "the subscription within 10 ms");
  }
  events->ready_at_once = true;
  impatient.start();
  impatient.stop();
  impatient.wait(patience);
}

}  // namespace
}  // namespace oslo::messaging::rpc
