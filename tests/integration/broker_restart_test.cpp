// The broker is killed and started again during a stream of calls.
#include <gmock/gmock.h>

#include <algorithm>
#include <boost/describe/class.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/messaging.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/broker.hpp"

namespace oslo::messaging::testing {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

struct add_args {
  int a = 0;
  int b = 0;
};
BOOST_DESCRIBE_STRUCT(add_args, (), (a, b))
constexpr rpc::method<int(add_args)> add{"add"};

constexpr auto call_timeout = 2s;
// Scheduling on a machine that also starts a broker.
constexpr auto grace = 1500ms;

/// Threads that call without pause and note how it went.
class callers {
 public:
  callers(const blocking::client& client, int count) {
    for (int i = 0; i < count; ++i)
      threads_.emplace_back([this, client](const std::stop_token& stop) { loop(client, stop); });
  }
  void stop() { threads_.clear(); }

  /// Waits for `count` further calls that succeed. False when that takes longer than `limit`.
  bool wait_for_successes(int count, std::chrono::milliseconds limit) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, limit,
                             [this, goal = succeeded_ + count] { return succeeded_ >= goal; });
  }

  // After stop().
  int wrong() const { return wrong_; }
  steady_clock::duration longest() const { return longest_; }

 private:
  void loop(const blocking::client& client, const std::stop_token& stop) {
    for (int i = 0; !stop.stop_requested(); ++i) {
      const auto started = steady_clock::now();
      const auto answer = client.try_call(add, {}, {.a = i, .b = 1});
      const auto elapsed = steady_clock::now() - started;
      const std::lock_guard lock{mutex_};
      longest_ = std::max(longest_, elapsed);
      if (answer && *answer == i + 1)
        ++succeeded_;
      else if (answer)
        ++wrong_;
      changed_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int succeeded_ = 0;
  int wrong_ = 0;
  steady_clock::duration longest_{0};
  std::vector<std::jthread> threads_;
};

TEST(broker_restart, server_and_client_come_back_and_no_call_hangs) {
  private_broker broker{"restart"};
  const auto topic = unique_name("restart");
  served_program server{
      environment("OSLO_TEST_OSLO_MSG"), broker.url(), {topic, "--server", "one"}};
  const blocking::client client{
      open_transport(broker.url()), {.topic = topic}, {.timeout = call_timeout}};
  callers stream{client, 4};
  ASSERT_TRUE(stream.wait_for_successes(100, 20s));

  for (int round = 0; round < 2; ++round) {
    broker.kill();
    broker.restart();
    // Attempts come at most 30 seconds apart.
    EXPECT_TRUE(stream.wait_for_successes(100, 45s)) << "round " << round;
    EXPECT_FALSE(server.process().wait(0ms)) << "the server ended";
  }
  stream.stop();

  EXPECT_EQ(stream.wrong(), 0);
  EXPECT_LT(stream.longest(), call_timeout + grace);
  EXPECT_EQ(client.call(add, {}, {1, 2}), 3);
  EXPECT_EQ(server.stop(), 0);
}

TEST(broker_restart, calls_made_while_offline_wait_for_the_broker) {
  private_broker broker{"offline"};
  const auto topic = unique_name("offline");
  served_program server{
      environment("OSLO_TEST_OSLO_MSG"), broker.url(), {topic, "--server", "one"}};
  const blocking::client client{open_transport(broker.url()), {.topic = topic}, {.timeout = 60s}};
  EXPECT_EQ(client.call(add, {}, {1, 2}), 3);

  broker.kill();
  const auto at_once = client.prepare({.retry = 0}).try_call(add, {}, {3, 4});
  ASSERT_TRUE(at_once.has_error());
  EXPECT_NE(at_once.error().code(), errc::timed_out) << at_once.error().message();
  int sum = 0;
  std::jthread caller{[&] { sum = client.call(add, {}, {.a = 5, .b = 6}); }};
  broker.restart();
  caller.join();
  EXPECT_EQ(sum, 11);
  EXPECT_EQ(server.stop(), 0);
}

}  // namespace
}  // namespace oslo::messaging::testing
