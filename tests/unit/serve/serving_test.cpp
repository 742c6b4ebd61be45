// The life of a server or listener over a subscription that does what the test says.
#include "serve/serving.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "serve/verbs.hpp"
#include "support/log_lines.hpp"
#include "support/stepping_loop.hpp"
#include "support/stub_driver.hpp"

namespace oslo::messaging::serve {
namespace {

using namespace std::chrono_literals;
using names = std::vector<std::string>;

/// What the test and its subscriptions share. Everything happens on the test's thread.
struct stage {
  names happened;
  int subscribed = 0;  ///< subscriptions that were not told to stop
  int most = 0;
  bool refuses = false;
  bool ends_at_once = false;  ///< a pull ends inside `stop`
  std::vector<unique_function<void(result<void>)>> waiting_for_ready;
  std::vector<unique_function<void()>> waiting_for_gone;
  unique_function<void(incoming_batch)> pull;

  void confirm(const result<void>& r = {}) {
    for (auto& done : std::exchange(waiting_for_ready, {})) done(r);
  }
};

/// A bus of which only the health counts.
class staged_driver final : public testing::stub_driver {
 public:
  staged_driver(std::shared_ptr<transport_health> h, driver_environment env)
      : stub_driver(std::move(env.loop)), health_(std::move(h)) {}
  transport_health health() const override { return *health_; }

 private:
  std::shared_ptr<transport_health> health_;
};

class staged_subscription final : public listener {
 public:
  staged_subscription(std::shared_ptr<stage> s, std::shared_ptr<scheduler> loop)
      : stage_(std::move(s)), loop_(std::move(loop)) {
    stage_->happened.emplace_back("listen");
    stage_->most = std::max(stage_->most, ++stage_->subscribed);
  }
  void next(std::size_t, unique_function<void(incoming_batch)> done) override {
    stage_->pull = std::move(done);
  }
  void stop() override {
    if (std::exchange(stopped_, true)) return;
    stage_->happened.emplace_back("stop");
    --stage_->subscribed;
    if (!stage_->pull) return;
    if (stage_->ends_at_once) return std::exchange(stage_->pull, {})({});
    loop_->post([pull = std::exchange(stage_->pull, {})]() mutable { pull({}); });
  }
  void ready(unique_function<void(result<void>)> done) override {
    stage_->waiting_for_ready.push_back(std::move(done));
  }
  void when_gone(unique_function<void()> done) override {
    stage_->waiting_for_gone.push_back(std::move(done));
  }

 private:
  std::shared_ptr<stage> stage_;
  std::shared_ptr<scheduler> loop_;
  bool stopped_ = false;
};

class actor final : public serving {
 public:
  actor(transport b, std::shared_ptr<stage> s, serving_options o, std::shared_ptr<executor> e)
      : serving(std::move(b), std::move(o), std::move(e)), stage_(std::move(s)) {}
  std::size_t running() const noexcept override { return unsettled(); }
  using serving::execute;
  using serving::limit;
  using serving::opened;
  using serving::settled;

 private:
  std::shared_ptr<listener> subscribe() override {
    if (stage_->refuses) throw messaging_error({errc::access_refused, "No."});
    return std::make_shared<staged_subscription>(stage_, bus.shared_loop());
  }
  std::string place() const override { return "here"; }
  std::size_t wanted() override { return 1; }
  void take(incoming_batch) override {}

  std::shared_ptr<stage> stage_;
};

class lives : public ::testing::Test {
 protected:
  ~lives() override {
    for (const auto& weak : made)
      if (const auto one = weak.lock()) one->shut_down();
    it.reset();
    loop->run();
    let_go(*events);
    { const auto last = std::move(bus); }
    loop->run();
  }
  /// The bus forgets its subscriptions.
  void let_go(stage& s) {
    for (auto& done : std::exchange(s.waiting_for_gone, {})) done();
    loop->run();
  }
  std::shared_ptr<actor> make(std::shared_ptr<stage> s, serving_options o = {},
                              std::shared_ptr<executor> e = inline_executor()) {
    auto one = std::make_shared<actor>(bus, std::move(s), std::move(o), std::move(e));
    made.push_back(one);
    return one;
  }
  transport open() {
    driver_registry registry;
    registry.add("staged", [this](const transport_url&, driver_environment env) {
      return std::make_unique<staged_driver>(health, std::move(env));
    });
    return transport::open("staged://", {.log = log.into(), .loop = loop}, registry);
  }
  /// Begins it, and notes when it has ended, and how.
  void call(task_call::kind what, std::string name) {
    it->begin(what, [this, name](const result<void>& r) {
      ended.push_back(name + (r ? "" : ": " + r.error().message()));
    });
  }
  void start(std::string name = "start") { call(task_call::kind::start, std::move(name)); }
  void stop(std::string name = "stop") { call(task_call::kind::stop, std::move(name)); }
  void wait(std::string name = "wait") { call(task_call::kind::wait, std::move(name)); }
  void confirm(const result<void>& r = {}) {
    events->confirm(r);
    loop->run();
  }
  names ends() { return std::exchange(ended, {}); }

  testing::log_lines log;
  std::shared_ptr<testing::stepping_loop> loop = std::make_shared<testing::stepping_loop>();
  std::shared_ptr<transport_health> health = std::make_shared<transport_health>();
  transport bus = open();
  std::shared_ptr<stage> events = std::make_shared<stage>();
  names ended;
  std::vector<std::weak_ptr<actor>> made;
  std::shared_ptr<actor> it = make(events);
};

TEST_F(lives, a_stop_right_after_a_start_ends_it_wherever_the_loop_is) {
  const std::string failed = "start: Failed to listen on target \"here\": The server was stopped ";
  start();
  stop();
  loop->run();
  EXPECT_EQ(ends(), (names{failed + "before it started.", "stop"}));
  EXPECT_EQ(events->happened, names{});
  start();
  loop->run();
  stop();
  loop->run();
  EXPECT_EQ(ends(), (names{"stop", failed + "while it started."}));
  EXPECT_EQ(events->happened, (names{"listen", "stop"}));
}

TEST_F(lives, whoever_speaks_last_is_obeyed) {
  start();
  loop->run();
  confirm();
  ends();
  stop("first stop");
  start("second start");
  stop("second stop");
  start("third start");
  loop->run();
  confirm();
  EXPECT_EQ(events->happened, (names{"listen", "stop", "listen"}));
  EXPECT_TRUE(it->health().listening);
  EXPECT_EQ(ends(), (names{"first stop", "second stop",
                           "second start: Failed to listen on target \"here\": The server was "
                           "stopped before it started.",
                           "third start"}));
}

TEST_F(lives, a_wait_belongs_to_the_round_in_which_it_was_made) {
  start();
  loop->run();
  confirm();
  wait("first");
  stop();
  start();
  wait("second");
  loop->run();
  confirm();
  EXPECT_EQ(ends(), (names{"start", "stop", "first", "start"}));
  stop();
  loop->run();
  EXPECT_EQ(ends(), (names{"stop", "second"}));
}

TEST_F(lives, a_wait_waits_for_what_was_taken) {
  start();
  loop->run();
  confirm();
  it->opened(2);
  stop();
  wait();
  loop->run();
  EXPECT_EQ(ends(), (names{"start", "stop"}));
  EXPECT_FALSE(it->at_rest());
  it->settled();
  loop->run();
  EXPECT_EQ(ends(), names{});
  it->settled();
  loop->run();
  EXPECT_EQ(ends(), names{"wait"});
  EXPECT_TRUE(it->at_rest());
}

TEST_F(lives, a_drain_waits_until_the_bus_has_forgotten_the_subscription) {
  start();
  loop->run();
  confirm();
  int drained = 0;
  it->async_drain([&] { ++drained; });
  loop->run();
  EXPECT_TRUE(it->at_rest());
  EXPECT_FALSE(it->has_left());
  EXPECT_EQ(drained, 0);
  ASSERT_EQ(events->waiting_for_gone.size(), 1u);
  let_go(*events);
  EXPECT_EQ(drained, 1);
  EXPECT_TRUE(it->has_left());
}

TEST_F(lives, a_start_that_is_refused_ends_its_round) {
  events->refuses = true;
  start("first");
  start("with it");
  loop->run();
  EXPECT_EQ(ends(), (names{"first: Failed to listen on target \"here\": No.",
                           "with it: Failed to listen on target \"here\": No."}));
  EXPECT_TRUE(it->at_rest());
  events->refuses = false;
  start("again");
  loop->run();
  confirm();
  EXPECT_EQ(ends(), names{"again"});
  EXPECT_TRUE(it->health().listening);
}

TEST_F(lives, a_subscription_that_the_bus_ends_ends_the_round) {
  start();
  loop->run();
  confirm();
  wait();
  loop->run();
  std::exchange(events->pull, {})({});
  loop->run();
  EXPECT_EQ(ends(), (names{"start", "wait"}));
  EXPECT_TRUE(it->at_rest());
  start();
  loop->run();
  confirm();
  EXPECT_EQ(ends(), names{"start"});
}

TEST_F(lives, a_start_waits_for_ever_and_says_for_what) {
  start();
  loop->run();
  loop->advance(24h * 365);
  EXPECT_EQ(ends(), names{});
  *health = {.consuming = link_state::connecting, .broker = "host1:5672", .reason = "No route."};
  // The thread that waits gives up; the start itself goes on.
  const auto waited_for = make(std::make_shared<stage>());
  EXPECT_THROW(serve::start(*waited_for, {.timeout = 20ms, .log_after = 1ms}), task_timeout);
  EXPECT_EQ(log.with("Possible hang"),
            names{"Possible hang: start is waiting for the bus to confirm the subscription "
                  "(host1:5672: No route.)"});
  loop->run();
  confirm();
  EXPECT_EQ(ends(), names{"start"});
}

TEST_F(lives, a_start_may_have_a_limit) {
  *health = {.consuming = link_state::connecting, .broker = "host1:5672", .reason = "No route."};
  it = make(events, {.start_timeout = 10ms});
  start();
  loop->run();
  loop->advance(9ms);
  EXPECT_EQ(ends(), names{});
  loop->advance(1ms);
  EXPECT_EQ(ends(), names{"start: Failed to listen on target \"here\": the bus did not confirm the "
                          "subscription within 10 ms (host1:5672: No route.)"});
  EXPECT_EQ(events->happened, (names{"listen", "stop"}));
  confirm();  // too late
  EXPECT_FALSE(it->health().listening);
}

TEST_F(lives, shutting_down_ends_every_call_and_refuses_later_starts) {
  wait();
  stop("early stop");
  loop->run();
  EXPECT_EQ(ends(), names{});
  it->shut_down();
  start("late start");
  loop->run();
  EXPECT_EQ(ends(), (names{"early stop", "late start: The server was destroyed while it started.",
                           "wait"}));
}

TEST_F(lives, a_limit_may_be_given_alone) {
  EXPECT_THROW(serve::stop(*it, {20ms}), task_timeout);
  EXPECT_THROW(serve::wait(*it, {20ms}), task_timeout);
  EXPECT_THROW(serve::start(*it, {20ms}), task_timeout);
  EXPECT_EQ(log.with("Possible hang"), names{});
}

TEST_F(lives, watchers_hear_what_it_is_now_and_every_change) {
  names seen;
  const auto watch = it->watch_health(
      [&](const serving_health& h) { seen.emplace_back(h.listening ? "listening" : "not"); });
  EXPECT_EQ(seen, names{});
  loop->run();
  EXPECT_EQ(seen, names{"not"});
  start();
  loop->run();
  confirm();
  EXPECT_EQ(seen, (names{"not", "listening"}));
  const auto later = it->watch_health(
      [&](const serving_health& h) { seen.emplace_back(h.listening ? "2 listening" : "2 not"); });
  stop();  // before the first call
  loop->run();
  EXPECT_EQ(seen, (names{"not", "listening", "2 listening", "not", "2 not"}));
}

// ---- the pool -----------------------------------------------------------------------------------

auto threads() {
  const std::filesystem::directory_iterator all("/proc/self/task");
  return std::distance(begin(all), end(all));
}

TEST_F(lives, no_thread_starts_before_the_first_start) {
  std::thread([] {}).join();  // the thread sanitizer's own thread comes with the first one
  const auto before = threads();
  it = make(events, {.pool_size = 3}, nullptr);
  wait();
  loop->run();
  EXPECT_EQ(threads(), before);
  start();
  loop->run();
  confirm();
  EXPECT_EQ(threads(), before + 3);
  EXPECT_EQ(it->limit(), 3u);
  std::promise<bool> marked;
  it->execute([&] { marked.set_value(it->waiting_would_deadlock()); });
  EXPECT_TRUE(marked.get_future().get());
  stop();
  loop->run();
  start();
  loop->run();
  confirm();
  EXPECT_EQ(threads(), before + 3) << "the pool is kept";
}

TEST_F(lives, a_start_may_override_the_size_of_the_pool) {
  it = make(events, {.pool_size = 2}, nullptr);
  const auto started_with = [&](std::size_t size) {
    it->begin(task_call::kind::start, {}, size);
    loop->run();
    confirm();
    const auto limit = it->limit();
    stop();
    loop->run();
    return limit;
  };
  EXPECT_EQ(started_with(5), 5u);
  EXPECT_EQ(started_with(0), 2u);
  EXPECT_EQ(started_with(7), 7u);
  // A round that ends before it begins brings its pool nevertheless.
  it->begin(task_call::kind::start, {}, 4);
  stop();
  EXPECT_EQ(started_with(4), 4u);
  EXPECT_THROW(it->begin(task_call::kind::start, {}, 32'769), configuration_error);
  EXPECT_THROW(make(events)->begin(task_call::kind::start, {}, 1), configuration_error);
}

TEST_F(lives, work_of_the_last_pool_goes_on_while_the_next_is_in_use) {
  it = make(events, {.pool_size = 1}, nullptr);
  start();
  loop->run();
  confirm();
  std::promise<void> go, done;
  it->execute([&] {
    go.get_future().get();
    done.set_value();
  });
  stop();
  it->begin(task_call::kind::start, {}, 2);
  loop->run();
  confirm();
  std::promise<void> ran;
  it->execute([&] { ran.set_value(); });
  ran.get_future().get();
  go.set_value();
  done.get_future().get();
}

// ---- everything ---------------------------------------------------------------------------------

/// Any sequence of calls with any progress of loop and bus in between.
TEST_F(lives, every_order_of_calls_ends_as_the_last_one_says) {
  constexpr int length = 6;
  const std::vector<std::string> steps{"start", "stop", "wait", "turn", "run", "confirm"};
  std::size_t sequences = 1;
  for (int i = 0; i < length; ++i) sequences *= steps.size();
  for (std::size_t n = 0; n < sequences; ++n) {
    const auto s = std::make_shared<stage>();
    s->ends_at_once = n % 2 == 0;
    it = make(s);
    std::vector<int> outcomes;
    std::string shown, last;
    bool early = false;
    std::size_t left = n;
    for (int i = 0; i < length; ++i, left /= steps.size()) {
      const auto& step = steps[left % steps.size()];
      shown += step + " ";
      const auto note = [&outcomes, at = outcomes.size()](const result<void>&) { ++outcomes[at]; };
      if (step == "start" || step == "stop" || step == "wait") {
        outcomes.push_back(0);
        early = early || (step == "stop" && last.empty());
        if (step != "wait" && (step != "stop" || !last.empty())) last = step;
        it->begin(step == "start"  ? task_call::kind::start
                  : step == "stop" ? task_call::kind::stop
                                   : task_call::kind::wait,
                  note);
      } else if (step == "turn") {
        loop->turn();
      } else if (step == "run") {
        loop->run();
      } else {
        s->confirm();
      }
    }
    while (loop->turn() || !s->waiting_for_ready.empty()) s->confirm();
    ASSERT_LE(s->most, 1) << shown;
    // What an early stop ends depends on when the loop comes to it.
    if (!early) {
      ASSERT_EQ(it->health().listening, last == "start") << shown;
      ASSERT_EQ(it->at_rest(), last != "start") << shown;
    }
    ASSERT_EQ(s->subscribed, it->health().listening ? 1 : 0) << shown;
    it->shut_down();
    while (loop->turn()) {
    }
    ASSERT_EQ(s->subscribed, 0) << shown;
    for (const int o : outcomes) ASSERT_EQ(o, 1) << shown;
    let_go(*s);
  }
}

}  // namespace
}  // namespace oslo::messaging::serve
