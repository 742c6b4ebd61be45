#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/notify.hpp>
#include <oslo/messaging/testing.hpp>
#include <thread>

#include "support/log_lines.hpp"
#include "support/recording_driver.hpp"
#include "support/recording_metrics.hpp"
#include "support/strict_driver.hpp"

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

TEST(listeners_need, a_driver_that_can_do_what_they_do) {
  auto single = std::make_shared<endpoint>();
  single->bind(priority::info, [] {});
  const auto refusal = [&](capabilities c, listener_options o = {}) {
    const auto r = std::make_shared<testing::recorder>();
    r->caps = c;
    try {
      listener(testing::open_recording(r), {{.topic = "t"}}, {single}, std::move(o));
    } catch (const messaging_error& error) {
      EXPECT_EQ(error.failure().code(), errc::not_supported);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(refusal({.notifications = false}),
            "The driver of recording:// cannot carry notifications.");
  EXPECT_EQ(refusal({.requeue = false}, {.allow_requeue = true}),
            "The driver of recording:// cannot give messages back for another delivery.");
  EXPECT_EQ(refusal({.requeue = false}), "");
  EXPECT_EQ(refusal({.pools = false}, {.pool = "p"}),
            "The driver of recording:// cannot copy notifications to pools of listeners.");
  EXPECT_EQ(refusal({.pools = false}), "");
  EXPECT_EQ(refusal({.rpc = false}, {.allow_requeue = true}), "");
}

TEST(listeners_touch, their_subscription_on_the_loop_only) {
  auto single = std::make_shared<endpoint>();
  single->bind(priority::info, [] {});
  const auto notes = std::make_shared<testing::loop_notes>();
  {
    const auto strict = testing::open_strict(notes);
    listener l(strict, {{.topic = "t"}}, {single}, {});
    l.start();
    EXPECT_TRUE(l.drain(20s));
    l.start();
  }
  const names round{"listen", "watch", "ready", "next", "stop", "when_gone", "let go"};
  auto twice = round;
  twice.insert(twice.end(), round.begin(), round.end());
  EXPECT_EQ(notes->all(), twice);
}

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
    l->wait(20s);
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
  EXPECT_THROW(l->wait(200ms), task_timeout);  // an idle time, which must not count
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
  l->wait(20s);
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
  l->wait(20s);
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

TEST_F(listeners, a_batch_that_fails_harms_no_other) {
  auto e = std::make_shared<endpoint>();
  e->bind_batch(priority::info, [&](std::span<const notification> b) {
    seen.add(std::to_string(b.size()) + *b.front().event_type);
    if (*b.front().event_type == "b") throw std::runtime_error("broken");
  });
  const auto l = listen(e, {.executor = thread_pool(1), .batch = batch_options{5, std::nullopt}});
  for (const char* event : {"a", "b", "c"})
    for (int i = 0; i < 5; ++i) tell(event);
  EXPECT_EQ(seen.wait_for(3), (names{"5a", "5b", "5c"}));
  EXPECT_TRUE(l->drain(20s));
  l->start();  // all are acknowledged
  for (int i = 0; i < 5; ++i) tell("d");
  EXPECT_EQ(seen.wait_for(4).back(), "5d");
}

TEST_F(listeners, keep_exchanges_apart) {
  const auto in_exchange = [](const std::string& name) {
    config conf;
    conf.set("DEFAULT", "control_exchange", name);
    return open_transport("fake://", {.conf = conf});
  };
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [&](const notification& m) { seen.add(*m.event_type); });
  listener l{bus,
             {{.exchange = "one", .topic = "apart"}, {.exchange = "two", .topic = "apart"}},
             {e},
             {.executor = thread_pool(1)}};
  l.start();
  blocking::notifier{bus, {.drivers = {{"messaging"}}, .topics = {{"apart"}}}}.info(
      {}, "of the default exchange", 1);
  for (const char* exchange : {"one", "three", "two"})
    blocking::notifier{in_exchange(exchange), {.drivers = {{"messaging"}}, .topics = {{"apart"}}}}
        .info({}, exchange, 1);
  EXPECT_EQ(seen.wait_for(2), (names{"one", "two"}));
  EXPECT_TRUE(l.drain(20s));
  EXPECT_EQ(seen.wait_for(2).size(), 2u);
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
  l->wait(20s);
  l->wait(20s);
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
  EXPECT_THROW(l->wait(10ms), task_timeout);
  tell("ev");
  seen.wait_for(1);
  l->stop();
  EXPECT_THROW(l->wait(10ms), task_timeout);
  go.set_value();
  l->wait(20s);
  EXPECT_EQ(seen.wait_for(2), (names{"begin", "end"}));
}

TEST_F(listeners, one_that_was_never_started_ends_at_once) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [] {});
  const auto begin = std::chrono::steady_clock::now();
  { const listener l{bus, {{.topic = "t"}}, {e}}; }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

/// Coroutines wait here until the test lets them go on.
class turnstile {
 public:
  explicit turnstile(const boost::asio::any_io_executor& ex)
      : timer_(ex, std::chrono::steady_clock::time_point::max()) {}
  boost::asio::awaitable<void> wait() {
    boost::system::error_code opened;
    co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, opened));
  }
  void open() { timer_.cancel(); }

 private:
  boost::asio::steady_timer timer_;
};

TEST_F(listeners, hold_no_thread_while_a_coroutine_waits) {
  for (const auto& run_on : {thread_pool(1), inline_executor()}) {
    happened calls;
    const auto ex = as_asio_executor(bus.shared_loop());  // one thread: timers need no lock
    turnstile gate{ex};
    auto e = std::make_shared<endpoint>();
    e->bind(priority::info, [&](const notification& m) -> boost::asio::awaitable<void> {
      calls.add("begin");
      co_await boost::asio::co_spawn(ex, gate.wait(), boost::asio::use_awaitable);
      calls.add(*m.event_type);
    });
    const auto l = listen(e, {.executor = run_on, .max_running = 300});
    for (int i = 0; i < 300; ++i) tell("end");
    EXPECT_EQ(calls.wait_for(300), names(300, "begin"));
    EXPECT_EQ(l->running(), 300u);
    EXPECT_FALSE(l->drain(10ms));
    boost::asio::post(ex, [&] { gate.open(); });
    EXPECT_TRUE(l->drain(20s));
    EXPECT_EQ(calls.wait_for(600).back(), "end");
    EXPECT_EQ(l->running(), 0u);
  }
}

TEST_F(listeners, take_no_more_than_may_run) {
  std::vector<responder> waiting;
  std::mutex mutex;
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [&](responder r) {
    const std::lock_guard lock(mutex);
    waiting.push_back(std::move(r));
    seen.add("begin");
  });
  const auto l = listen(e, {.executor = thread_pool(2), .max_running = 3});
  for (int i = 0; i < 5; ++i) tell("ev");
  seen.wait_for(3);
  EXPECT_THROW(l->wait(50ms), task_timeout);
  EXPECT_EQ(seen.wait_for(3).size(), 3u);
  for (std::size_t answered = 0; answered < 5; ++answered) {
    seen.wait_for(answered + 1);
    const std::lock_guard lock(mutex);
    waiting.at(answered).answer();
  }
  EXPECT_TRUE(l->drain(20s));
  EXPECT_EQ(seen.wait_for(5).size(), 5u);
}

TEST_F(listeners, give_back_what_a_coroutine_or_a_deferred_handler_wants_again) {
  auto e = std::make_shared<endpoint>();
  std::atomic<int> calls{0}, warnings{0};
  e->bind(priority::info, [&](const notification& m) -> boost::asio::awaitable<outcome> {
    const bool again = ++calls < 3;
    seen.add(*m.event_type);
    co_return again ? outcome::requeue : outcome::handled;
  });
  e->bind(priority::warn, [&](const notification& m, responder r) {
    const bool again = ++warnings == 1;
    seen.add(*m.event_type);
    if (again)
      r.fail(std::runtime_error("broken"));
    else
      r.answer();
  });
  const auto l = listen(e, {.executor = thread_pool(2), .allow_requeue = true});
  tell("a");
  EXPECT_EQ(seen.wait_for(3), (names{"a", "a", "a"}));
  tell("b", priority::warn);
  EXPECT_EQ(seen.wait_for(5).back(), "b");
  EXPECT_TRUE(l->drain(20s));
  EXPECT_EQ(seen.wait_for(5).size(), 5u);
}

TEST_F(listeners, put_away_what_fails_too_often) {
  const auto meter = std::make_shared<testing::recording_metrics>();
  const auto measured = open_transport("fake://", {.log = lines.into(), .meter = meter});
  happened dead;
  auto graves = std::make_shared<endpoint>();
  for (const auto p : {priority::info, priority::error})
    graves->bind(p, [&](const notification& m) {
      dead.add(std::string(to_string(m.priority)) + ' ' + *m.event_type + ' ' +
               m.headers.at("oslo-dead-letter-requeues") + ' ' +
               m.headers.at("oslo-dead-letter-error") + ' ' + m.payload_json);
    });
  listener cemetery{bus, {{.topic = "dead"}}, {graves}};
  cemetery.start();
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [&](const notification& m) {
    seen.add(*m.event_type);
    if (*m.event_type == "bad") throw std::runtime_error("broken");
  });
  e->bind(priority::error, [](const notification&) -> boost::asio::awaitable<outcome> {
    co_return outcome::requeue;
  });
  listener l{measured,
             {{.topic = "t"}},
             {e},
             {.executor = thread_pool(1),
              .allow_requeue = true,
              .dead_letters = dead_letter_options{.after = 3, .to = {.topic = "dead"}}}};
  l.start();
  tell("bad");
  EXPECT_EQ(dead.wait_for(1), names{"info bad 3 broken 1"});
  tell("good");
  EXPECT_EQ(seen.wait_for(4), (names{"bad", "bad", "bad", "good"}));
  tell("worse", priority::error);
  EXPECT_EQ(dead.wait_for(2).back(), "error worse 3 The handler asked for it. 1");
  EXPECT_TRUE(l.drain(20s));
  EXPECT_EQ(lines.count(log_level::error,
                        " has failed 3 times and is a dead letter now, in dead.info. The last "
                        "time: broken"),
            1);
  EXPECT_EQ(meter->lines(), (names{"notification_dead_letters_total +1 topic=dead.info",
                                   "notification_dead_letters_total +1 topic=dead.error"}));
}

TEST_F(listeners, count_failures_across_their_restarts_where_the_bus_does) {
  happened dead;
  auto graves = std::make_shared<endpoint>();
  graves->bind(priority::info,
               [&](const notification& m) { dead.add(m.headers.at("oslo-dead-letter-requeues")); });
  listener cemetery{bus, {{.topic = "dead"}}, {graves}};
  cemetery.start();
  // Each of them fails once, and ends.
  for (std::size_t i = 0; i < 4; ++i) {
    auto e = std::make_shared<endpoint>();
    listener* self = nullptr;
    e->bind_batch(priority::info, [&](std::span<const notification>) {
      self->stop();
      seen.add("failed");
      return outcome::requeue;
    });
    listener l{bus,
               {{.topic = "t"}},
               {e},
               {.allow_requeue = true,
                .dead_letters = dead_letter_options{.after = 4, .to = {.topic = "dead"}},
                .batch = batch_options{1, 1s}}};
    self = &l;
    l.start();
    if (i == 0) tell("bad");
    seen.wait_for(i + 1);
    ASSERT_TRUE(l.drain(20s));
    EXPECT_EQ(seen.wait_for(i + 1).size(), i + 1);
  }
  EXPECT_EQ(dead.wait_for(1), names{"4"});
}

TEST(dead_letters_of_listeners, are_acknowledged_only_when_the_bus_has_them) {
  testing::log_lines lines;
  testing::test_bus clock{{.log = lines.into()}};
  const auto bus = clock.open();
  const blocking::notifier n{bus, {.drivers = {{"messaging"}}, .topics = {{"t"}}}};
  std::atomic<int> calls{0};
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [&] {
    if (++calls == 1) clock.fail_sends({errc::rejected, "Not here."});
    return outcome::requeue;
  });
  listener l{bus,
             {{.topic = "t"}},
             {e},
             {.executor = thread_pool(1),
              .allow_requeue = true,
              .dead_letters = dead_letter_options{.after = 1, .to = {.topic = "dead"}}}};
  l.start();
  EXPECT_TRUE(n.info({}, "bad", 1).has_value());
  EXPECT_EQ(clock.wait_for_sent(2).at(1).fault->message(), "Not here.");
  clock.settle();
  EXPECT_EQ(l.running(), 1u);
  EXPECT_EQ(lines.count(log_level::error,
                        "has failed 1 times, but cannot be put among the dead letters: Not here. "
                        "It is given back."),
            1);
  clock.advance(999ms);
  EXPECT_EQ(calls, 1);
  clock.advance(1ms);
  const auto last = clock.wait_for_sent(3).at(2);
  EXPECT_EQ(last.to.topic, "dead.info");
  EXPECT_EQ(last.fault, std::nullopt);
  EXPECT_TRUE(l.drain(20s));
  EXPECT_EQ(l.running(), 0u);
  EXPECT_EQ(calls, 2);
}

TEST_F(listeners, refuse_dead_letters_that_cannot_work) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [] {});
  const auto make = [&](dead_letter_options d, bool requeue = true) {
    listener(bus, {{.topic = "t"}}, {e}, {.allow_requeue = requeue, .dead_letters = d});
  };
  EXPECT_NO_THROW(make({.after = 1, .to = {.topic = "dead"}}));
  EXPECT_THROW(make({.after = 1, .to = {.topic = "dead"}}, false), configuration_error);
  EXPECT_THROW(make({.after = 0, .to = {.topic = "dead"}}), configuration_error);
  EXPECT_THROW(make({.after = 1, .to = {}}), invalid_target);
  EXPECT_THROW(make({.after = 1, .to = {.topic = "t"}}), configuration_error);
  EXPECT_THROW(make({.after = 1, .to = {.exchange = "openstack", .topic = "t"}}),
               configuration_error)
      << "the default exchange by its name";
  EXPECT_THROW(make({.after = 1, .to = {.exchange = "x", .topic = "t"}}), configuration_error)
      << "queues of RabbitMQ are named after their topic alone";
}

TEST_F(listeners, drain_finishes_what_was_taken) {
  auto e = std::make_shared<endpoint>();
  std::promise<void> go;
  auto gone = go.get_future().share();
  e->bind_batch(priority::info, [&](std::span<const notification> b) {
    seen.add(std::to_string(b.size()));
    gone.wait();
  });
  const auto l = listen(e, {.executor = thread_pool(1), .batch = batch_options{2, std::nullopt}});
  EXPECT_TRUE(l->health().listening);
  for (int i = 0; i < 3; ++i) tell("ev");
  seen.wait_for(1);
  while (l->running() < 3) std::this_thread::yield();
  EXPECT_FALSE(l->drain(20ms));
  EXPECT_FALSE(l->health().listening);
  std::promise<bool> drained;
  l->async_drain(20s, [&](bool all) { drained.set_value(all); });
  go.set_value();
  EXPECT_TRUE(drained.get_future().get());
  EXPECT_EQ(seen.wait_for(2), (names{"2", "1"}));
  EXPECT_TRUE(l->drain(0ms));  // nothing is left
}

TEST_F(listeners, drain_at_once_when_they_never_started) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [] {});
  listener l{bus, {{.topic = "t"}}, {e}};
  EXPECT_TRUE(l.drain(0ms));
  std::promise<bool> drained;
  l.async_drain(20s, [&](bool all) { drained.set_value(all); });
  EXPECT_TRUE(drained.get_future().get());
  EXPECT_TRUE(l.drain(0ms));
  l.start();
  EXPECT_TRUE(l.health().ok());
}

TEST_F(listeners, tell_their_health) {
  auto e = std::make_shared<endpoint>();
  std::promise<void> go;
  auto gone = go.get_future().share();
  e->bind(priority::info, [&] {
    seen.add("begin");
    gone.wait();
  });
  listener l{bus, {{.topic = "t"}}, {e}};
  const auto shown = [](const listener_health& h) {
    return std::string(h.listening ? "listening " : "") + (h.consuming ? "consuming " : "") +
           (h.ok() ? "ok" : "not ok");
  };
  happened events;
  const auto watch = l.watch_health([&](const listener_health& h) { events.add(shown(h)); });
  EXPECT_EQ(events.wait_for(1), names{"not ok"});  // what it is now
  l.start();
  EXPECT_EQ(shown(l.health()), "listening consuming ok");
  tell("ev");
  seen.wait_for(1);
  EXPECT_EQ(l.health().running, 1u);
  go.set_value();
  EXPECT_TRUE(l.drain(20s));
  EXPECT_EQ(shown(l.health()), "not ok");
  EXPECT_EQ(events.wait_for(3), (names{"not ok", "listening consuming ok", "not ok"}));
}

TEST_F(listeners, a_start_that_waits_for_the_end_of_the_last_round_ends_with_a_stop) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [] {});
  const auto l = listen(e);
  std::promise<result<void>> told;
  bus.shared_loop()->post([&] {  // in one turn, so that the first stop is still under way
    l->stop();
    l->async_start([&](result<void> r) { told.set_value(std::move(r)); });
    l->stop();
  });
  const auto r = told.get_future().get();
  ASSERT_FALSE(r.has_value());
  EXPECT_EQ(r.error().code(), errc::closed);
  EXPECT_EQ(r.error().message(),
            "Failed to listen on target \"<Target topic=t>\": The listener was stopped before it "
            "started.");
  l->wait(20s);
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
  l->wait(20s);
}

TEST_F(listeners, end_in_their_own_coroutines) {
  auto e = std::make_shared<endpoint>();
  std::unique_ptr<listener> l;
  e->bind(priority::info, [&]() -> boost::asio::awaitable<void> {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, 1ms);
    co_await timer.async_wait(boost::asio::use_awaitable);
    try {
      l->wait();
    } catch (const messaging_error& error) {
      seen.add(error.failure().code() == errc::would_deadlock ? "would deadlock" : error.what());
    }
    l.reset();  // would wait for this coroutine for an hour
    seen.add("destroyed");
  });
  l = std::make_unique<listener>(bus, std::vector<target>{{.topic = "t"}}, std::vector{e},
                                 listener_options{.drain_timeout = 1h});
  l->start();
  tell("ev");
  EXPECT_EQ(seen.wait_for(2), (names{"would deadlock", "destroyed"}));
}

TEST_F(listeners, keep_the_order_of_oslo) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [] {});
  listener l{bus, {{.topic = "t"}}, {e}};
  EXPECT_THROW(l.stop({20ms}), task_timeout);  // it waits for a start
  EXPECT_THROW(l.wait({.timeout = 20ms, .log_after = 1ms}), task_timeout);
  EXPECT_EQ(lines.count(log_level::warning, "Possible hang: wait is waiting for stop to complete"),
            1);
  l.start();
  l.stop();
  l.wait(20s);
  std::promise<void> stopped;
  l.async_stop([&] { stopped.set_value(); });
  stopped.get_future().get();
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
                 "Failed to listen on target \"<Target topic=t>\": The driver of this test "
                 "cannot do that.");
  }
  EXPECT_THROW(l.start(), server_listen_error);
}

}  // namespace
}  // namespace oslo::messaging::notify
