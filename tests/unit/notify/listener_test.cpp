#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/notify.hpp>
#include <oslo/messaging/testing.hpp>
#include <thread>

#include "support/log_lines.hpp"
#include "support/recording_driver.hpp"

namespace oslo::messaging::notify {
namespace {

using namespace std::chrono_literals;

/// Things in the order in which they happened, for a test that waits for them.
class happened {
 public:
  void add(std::string what) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(what));
    changed_.notify_all();
  }
  std::vector<std::string> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, 20s, [&] { return all_.size() >= count; }));
    return all_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> all_;
};

using names = std::vector<std::string>;

class listeners : public ::testing::Test {
 protected:
  std::unique_ptr<listener> listen(std::shared_ptr<endpoint> e, listener_options o = {}) {
    auto l = std::make_unique<listener>(bus, std::vector<target>{{.topic = "t"}},
                                        std::vector{std::move(e)}, std::move(o));
    l->start();
    return l;
  }
  void tell(const std::string& event, priority p = priority::info) {
    ASSERT_TRUE(n.notify(p, {}, event, 1).has_value());
  }

  testing::log_lines lines;
  transport bus = open_transport("fake://", {.log = lines.into()});
  blocking::notifier n{bus, {.drivers = {{"messaging"}}, .topics = {{"t"}}}};
  happened seen;
};

TEST_F(listeners, refuse_what_cannot_work) {
  const auto make = [&](std::vector<target> on, std::shared_ptr<endpoint> e,
                        listener_options o = {}) { listener(bus, on, {e}, o); };
  auto single = std::make_shared<endpoint>();
  single->bind(priority::info, [] {});
  EXPECT_THROW(make({}, single), invalid_target);
  EXPECT_THROW(make({{.exchange = "x"}}, single), invalid_target);
  EXPECT_THROW(make({{.topic = "t"}}, std::make_shared<endpoint>()), configuration_error);
  EXPECT_THROW(make({{.topic = "t"}}, nullptr), configuration_error);
  EXPECT_THROW(make({{.topic = "t"}}, single, {.batch = batch_options{}}), configuration_error);
  auto batches = std::make_shared<endpoint>();
  batches->bind_batch(priority::info, [](std::span<const notification>) {});
  EXPECT_THROW(make({{.topic = "t"}}, batches), configuration_error);
  for (const batch_options b : {batch_options{0, 1s}, {10'001, 1s}, {1, 0s}, {1, -1s}})
    EXPECT_THROW(make({{.topic = "t"}}, batches, {.batch = b}), configuration_error);
  EXPECT_NO_THROW(make({{.topic = "t"}}, batches, {.batch = batch_options{10'000, 1s}}));
}

TEST_F(listeners, requeue_only_when_they_may) {
  for (const bool allowed : {true, false}) {
    happened calls;
    auto e = std::make_shared<endpoint>();
    auto first = std::make_shared<std::atomic<bool>>(true);
    e->bind(priority::info, [&calls, first](const notification& m) {
      calls.add(*m.event_type);
      return *m.event_type == "again" && first->exchange(false) ? outcome::requeue
                                                                : outcome::handled;
    });
    const auto l = listen(e, {.executor = thread_pool(1), .allow_requeue = allowed});
    tell("again");
    if (allowed) {
      EXPECT_EQ(calls.wait_for(2), (names{"again", "again"}));
    }
    tell("end");
    EXPECT_EQ(calls.wait_for(allowed ? 3 : 2).back(), "end");
    l->stop();
    EXPECT_TRUE(l->wait(20s));
    EXPECT_EQ(l->running(), 0u);
  }
}

TEST_F(listeners, a_batch_is_handed_out_when_it_is_full_or_its_first_message_is_old) {
  auto e = std::make_shared<endpoint>();
  e->bind_batch(priority::info,
                [&](std::span<const notification> b) { seen.add(std::to_string(b.size())); });
  const auto l = listen(e, {.executor = thread_pool(1), .batch = batch_options{5, 500ms}});
  for (int i = 0; i < 12; ++i) tell("ev");
  EXPECT_EQ(seen.wait_for(3), (names{"5", "5", "2"}));
}

TEST_F(listeners, the_timeout_of_a_batch_counts_from_its_first_message) {
  auto e = std::make_shared<endpoint>();
  e->bind_batch(priority::info,
                [&](std::span<const notification> b) { seen.add(std::to_string(b.size())); });
  const auto l = listen(e, {.batch = batch_options{100, 300ms}});
  EXPECT_FALSE(l->wait(200ms));  // an idle time, which must not count
  const auto begin = std::chrono::steady_clock::now();
  tell("ev");
  seen.wait_for(1);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 290ms);
}

/// A clock that stands still, and batches by it.
class timed_batches : public ::testing::Test {
 protected:
  void listen(batch_options o) {
    auto e = std::make_shared<endpoint>();
    e->bind_batch(priority::info,
                  [this](std::span<const notification> b) { sizes.push_back(b.size()); });
    l = std::make_unique<listener>(bus, std::vector<target>{{.topic = "t"}}, std::vector{e},
                                   listener_options{.executor = inline_executor(), .batch = o});
    l->start();
  }
  void tell() {
    ASSERT_TRUE(n.info({}, "ev", 1).has_value());
    clock.settle();
  }

  testing::test_bus clock;
  transport bus = clock.open();
  blocking::notifier n{bus, {.drivers = {{"messaging"}}, .topics = {{"t"}}}};
  std::vector<std::size_t> sizes;  // written on the loop while `settle` or `advance` waits for it
  std::unique_ptr<listener> l;
};

TEST_F(timed_batches, count_from_their_first_message) {
  listen({.size = 5, .timeout = 100ms});
  clock.advance(70ms);
  tell();
  clock.advance(99ms);
  tell();
  EXPECT_EQ(sizes, (std::vector<std::size_t>{}));
  clock.advance(1ms);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2}));
  clock.advance(1h);
  tell();
  clock.advance(99ms);
  EXPECT_EQ(sizes.size(), 1u);
  clock.advance(1ms);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 1}));
}

TEST_F(timed_batches, count_from_the_last_batch_as_with_oslo) {
  listen({.size = 3, .timeout = 100ms, .counts_from = batch_clock::last_batch});
  clock.advance(70ms);
  tell();
  clock.advance(29ms);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{}));
  clock.advance(1ms);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1}));  // 100 ms after the start
  clock.advance(330ms);                             // three windows without a message
  tell();
  clock.advance(69ms);
  EXPECT_EQ(sizes.size(), 1u);
  clock.advance(1ms);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 1}));
  clock.advance(50ms);
  for (int i = 0; i < 4; ++i) tell();
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 1, 3}));  // full; the next window begins here
  clock.advance(99ms);
  EXPECT_EQ(sizes.size(), 3u);
  clock.advance(1ms);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 1, 3, 1}));
}

TEST_F(timed_batches, at_the_end_of_a_window_belong_to_the_next) {
  listen({.size = 3, .timeout = 100ms, .counts_from = batch_clock::last_batch});
  clock.advance(200ms);
  tell();
  clock.advance(99ms);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{}));
  clock.advance(1ms);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1}));
}

TEST_F(timed_batches, without_a_timeout_are_handed_out_full_or_at_the_end) {
  listen({.size = 2, .timeout = std::nullopt});
  for (int i = 0; i < 3; ++i) tell();
  clock.advance(1'000h);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2}));
  l->stop();
  EXPECT_TRUE(l->wait(20s));
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 1}));
}

TEST_F(timed_batches, may_have_a_timeout_beyond_the_end_of_time) {
  for (const auto c : {batch_clock::first_message, batch_clock::last_batch}) {
    sizes.clear();
    listen({.size = 2, .timeout = std::chrono::milliseconds::max(), .counts_from = c});
    tell();
    clock.advance(1'000h);
    EXPECT_EQ(sizes, (std::vector<std::size_t>{}));
    tell();
    EXPECT_EQ(sizes, (std::vector<std::size_t>{2}));
    l.reset();
  }
}

TEST_F(listeners, a_stop_hands_out_what_was_collected) {
  auto e = std::make_shared<endpoint>();
  e->bind_batch(priority::info,
                [&](std::span<const notification> b) { seen.add(std::to_string(b.size())); });
  const auto l = listen(e, {.batch = batch_options{100, 1h}});
  for (int i = 0; i < 3; ++i) tell("ev");
  while (l->running() < 3) std::this_thread::yield();
  l->stop();
  EXPECT_TRUE(l->wait(20s));
  EXPECT_EQ(seen.wait_for(1), names{"3"});
}

TEST_F(listeners, batches_wait_for_a_busy_executor_and_go_on) {
  auto e = std::make_shared<endpoint>();
  std::promise<void> go;
  auto gone = go.get_future().share();
  e->bind_batch(priority::info, [&](std::span<const notification> b) {
    seen.add(std::to_string(b.size()));
    gone.wait();
  });
  const auto l = listen(e, {.executor = thread_pool(1), .batch = batch_options{2, 20ms}});
  for (int i = 0; i < 7; ++i) tell("ev");
  seen.wait_for(1);
  while (l->running() < 4) std::this_thread::yield();
  go.set_value();
  std::size_t sum = 0;
  for (std::size_t count = 1; sum < 7; ++count) {
    sum = 0;
    for (const auto& size : seen.wait_for(count)) sum += std::stoul(size);
  }
  EXPECT_EQ(sum, 7u);
}

TEST_F(listeners, a_batch_that_is_requeued_comes_again_whole) {
  auto e = std::make_shared<endpoint>();
  auto first = std::make_shared<std::atomic<bool>>(true);
  e->bind_batch(priority::info, [&, first](std::span<const notification> b) {
    for (const auto& m : b) seen.add(*m.event_type);
    if (first->exchange(false)) throw std::runtime_error("broken");
  });
  const auto l = listen(
      e, {.executor = thread_pool(1), .allow_requeue = true, .batch = batch_options{2, 100ms}});
  tell("a");
  tell("b");
  auto all = seen.wait_for(4);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, (names{"a", "a", "b", "b"}));
}

TEST_F(listeners, start_again_after_a_stop) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [&](const notification& m) { seen.add(*m.event_type); });
  const auto l = listen(e);
  l->start();  // does nothing
  tell("one");
  seen.wait_for(1);
  l->stop();
  l->stop();
  EXPECT_TRUE(l->wait(20s));
  EXPECT_TRUE(l->wait(20s));
  tell("two");
  l->start();
  EXPECT_EQ(seen.wait_for(2), (names{"one", "two"}));
}

TEST_F(listeners, wait_waits_for_a_stop_and_for_running_handlers) {
  auto e = std::make_shared<endpoint>();
  std::promise<void> go;
  e->bind(priority::info, [&] {
    seen.add("begin");
    go.get_future().wait();
    seen.add("end");
  });
  const auto l = listen(e);
  EXPECT_FALSE(l->wait(10ms));
  tell("ev");
  seen.wait_for(1);
  l->stop();
  EXPECT_FALSE(l->wait(10ms));
  go.set_value();
  EXPECT_TRUE(l->wait(20s));
  EXPECT_EQ(seen.wait_for(2), (names{"begin", "end"}));
}

TEST_F(listeners, one_that_was_never_started_ends_at_once) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [] {});
  const auto begin = std::chrono::steady_clock::now();
  { const listener l{bus, {{.topic = "t"}}, {e}}; }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST_F(listeners, refuse_to_wait_for_themselves) {
  auto e = std::make_shared<endpoint>();
  std::unique_ptr<listener> l;
  e->bind(priority::info, [&] {
    try {
      l->wait();
    } catch (const messaging_error& error) {
      seen.add(error.what());
    }
    l->stop();
  });
  l = listen(e);
  tell("ev");
  EXPECT_EQ(seen.wait_for(1),
            names{"listener::wait was called on the transport's loop or in a handler of the "
                  "listener, where it would wait for itself."});
  EXPECT_TRUE(l->wait(20s));
}

TEST_F(listeners, every_executor_runs_handlers) {
  for (const auto& run_on : {inline_executor(), thread_pool(1), thread_pool(4)}) {
    happened calls;
    auto e = std::make_shared<endpoint>();
    e->bind(priority::info, [&](const notification& m) { calls.add(*m.event_type); });
    const auto l = listen(e, {.executor = run_on});
    for (int i = 0; i < 50; ++i) tell("ev");
    EXPECT_EQ(calls.wait_for(50).size(), 50u);
  }
}

TEST_F(listeners, say_why_they_cannot_start) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [] {});
  const auto sends_only = testing::open_recording(std::make_shared<testing::recorder>());
  listener l{sends_only, {{.topic = "t"}}, {e}};
  try {
    l.start();
    FAIL();
  } catch (const server_listen_error& error) {
    EXPECT_STREQ(error.what(),
                 "Failed to listen on target \"<Target topic=t>\": The recording driver only "
                 "sends.");
  }
  EXPECT_THROW(l.start(), server_listen_error);
}

}  // namespace
}  // namespace oslo::messaging::notify
