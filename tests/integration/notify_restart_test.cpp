// Notifications at full speed, and a broker that is killed in the middle.
//
// The large one: OSLO_TEST_NOTIFICATIONS=100000 make test TESTS='-R notify_restart'
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>
#include <oslo/messaging/messaging.hpp>
#include <oslo/messaging/notify/listener.hpp>
#include <oslo/messaging/notify/outbox.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/broker.hpp"
#include "support/recording_metrics.hpp"

namespace oslo::messaging::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto topic = "notifications";
/// The rule of the application: its thread never stands still for longer, whatever the bus does.
constexpr auto rule = 10ms;
/// What the scheduler of a machine adds that starts a broker beside all of this.
constexpr auto grace = 5s;
constexpr std::size_t room = 5'000;

std::size_t how_many() {
  const char* text = std::getenv("OSLO_TEST_NOTIFICATIONS");
  return text != nullptr ? std::stoul(text) : 20'000;
}

transport open(const std::string& url, std::shared_ptr<metrics> meter = {}) {
  transport_options o;
  o.conf.set("oslo_messaging_rabbit", "amqp_durable_queues", "true");
  o.meter = std::move(meter);
  return open_transport(url, o);
}

/// An application thread that sends as fast as it may. Where its outbox has no room within `rule`
/// it would do its other work, and tries again.
class application {
 public:
  application(const transport& bus, std::size_t count)
      : confirmed_(count), outbox_(teller(bus), options()) {
    thread_ = std::jthread{[this] { run(); }};
  }
  ~application() {
    if (thread_.joinable()) thread_.join();
    outbox_.close(0ms);  // reports use what is destroyed next
  }

  /// False when that takes longer than two minutes.
  bool wait_until_settled(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 120s, [&] { return settled_ >= count; });
  }
  void join() { thread_.join(); }
  // After join().
  bool is_confirmed(std::size_t n) const { return confirmed_[n] != 0; }
  std::size_t failures() const { return failures_; }
  std::size_t turned_away() const { return turned_away_; }  ///< times there was no room
  steady_clock::duration longest_stop() const { return longest_; }

 private:
  static notify::notifier teller(const transport& bus) {
    return notify::notifier{
        bus, {.publisher_id = "restart", .drivers = {{"messagingv2"}}, .topics = {{topic}}}};
  }
  static notify::outbox_options options() {
    notify::outbox_options o;
    o.max_messages = room;
    o.rule = notify::when_full::wait;
    o.wait_limit = rule;
    return o;
  }

  void run() {
    const value text(std::string(200, 'x'));
    for (std::size_t n = 0; n < confirmed_.size();) {
      const auto started = steady_clock::now();
      const auto taken =
          outbox_.post(notify::priority::info, {}, "event", value{{"n", n}, {"text", text}},
                       [this, n](const notify::delivery_report& r) { settled(n, r.what); });
      longest_ = std::max(longest_, steady_clock::now() - started);
      if (taken)
        ++n;
      else
        ++turned_away_;
    }
  }

  void settled(std::size_t n, notify::delivery_outcome how) {
    const std::lock_guard lock(mutex_);
    confirmed_[n] = how == notify::delivery_outcome::delivered;
    failures_ += how != notify::delivery_outcome::delivered;
    ++settled_;
    changed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<char> confirmed_;
  std::size_t settled_ = 0, failures_ = 0;
  std::size_t turned_away_ = 0;        ///< of the thread
  steady_clock::duration longest_{0};  ///< of the thread
  notify::outbox outbox_;
  std::jthread thread_;  ///< last: uses the others
};

/// How often each message came to the handler of one queue.
class checker {
 public:
  checker(const transport& bus, std::size_t count, std::optional<std::string> pool)
      : seen_(count), listener_(bus, {target{.topic = topic}}, {endpoint()}, options(pool)) {}

  void start() { listener_.start(); }
  void stop() {
    listener_.stop();
    listener_.wait();
  }
  /// False when not every message has come within two minutes.
  bool wait_for_all() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 120s, [&] { return different_ == seen_.size(); });
  }
  std::size_t times(std::size_t n) const { return seen_[n]; }
  std::size_t repeated() const { return total_ - different_; }
  std::size_t different() {
    const std::lock_guard lock(mutex_);
    return different_;
  }

 private:
  static notify::listener_options options(std::optional<std::string> pool) {
    return {.executor = thread_pool(2),
            .allow_requeue = true,
            .pool = std::move(pool),
            .batch = notify::batch_options{.size = 200, .timeout = 100ms}};
  }
  std::shared_ptr<notify::endpoint> endpoint() {
    auto e = std::make_shared<notify::endpoint>();
    e->bind_batch(notify::priority::info, [this](std::span<const notify::notification> batch) {
      std::vector<std::size_t> numbers;
      for (const auto& n : batch)
        numbers.push_back(n.payload<value>().at("n").to_number<std::size_t>());
      const std::lock_guard lock(mutex_);
      for (const auto n : numbers) {
        ++total_;
        if (++seen_.at(n) == 1) ++different_;
      }
      changed_.notify_one();
    });
    return e;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<unsigned> seen_;
  std::size_t total_ = 0, different_ = 0;
  notify::listener listener_;  ///< last: its handlers use the others
};

TEST(notify_restart, no_confirmed_notification_is_lost_and_the_application_goes_on) {
  const auto count = how_many();
  private_broker broker{"notify_restart"};
  const auto meter = std::make_shared<recording_metrics>();
  const auto listening = open(broker.url(), meter);
  checker live{listening, count, {}};
  checker later{listening, count, "later"};
  live.start();
  later.start();  // from now on its queue gets a copy
  later.stop();
  // Mnesia writes with a delay: a binding that is a second old does not survive kill -9.
  broker.rabbitmqctl({"eval", "mnesia:sync_log()."});

  const auto started = steady_clock::now();
  const auto sending = open(broker.url());
  application app{sending, count};
  ASSERT_TRUE(app.wait_until_settled(count / 4));
  broker.kill();
  const auto killed = steady_clock::now();
  broker.restart();
  const auto away = steady_clock::now() - killed;
  ASSERT_TRUE(app.wait_until_settled(count));
  app.join();
  const auto took = steady_clock::now() - started;
  EXPECT_TRUE(live.wait_for_all());
  live.stop();
  later.start();
  EXPECT_TRUE(later.wait_for_all())
      << later.different() << " came of the queue that was read later. "
      << broker.rabbitmqctl({"-q", "list_queues", "name", "messages_ready",
                             "messages_unacknowledged", "consumers"})
      << broker.rabbitmqctl({"-q", "list_bindings"});
  later.stop();

  std::size_t lost = 0;
  for (std::size_t n = 0; n < count; ++n)
    if (app.is_confirmed(n) && (live.times(n) == 0 || later.times(n) == 0)) ++lost;
  EXPECT_EQ(lost, 0u);
  EXPECT_EQ(app.failures(), 0u) << "nothing was to fail: a message waits for its broker";
  EXPECT_LT(app.longest_stop(), rule + grace);
  const auto measured = meter->lines();
  const auto recognised =
      std::count(measured.begin(), measured.end(), "server_duplicates_total +1");
  const auto ms = [](auto d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  };
  std::cout << count << " notifications in " << ms(took) << " ms, broker away for " << ms(away)
            << " ms; lost " << lost << ", handled again " << live.repeated() << " + "
            << later.repeated() << ", second copies recognised " << recognised
            << "; longest stop of the application " << ms(app.longest_stop()) << " ms, outbox full "
            << app.turned_away() << " times\n";
}

}  // namespace
}  // namespace oslo::messaging::testing
