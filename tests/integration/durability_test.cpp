// Options amqp_durable_queues and amqp_auto_delete, and what happens where programs disagree.
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/messaging.hpp>
#include <oslo/messaging/notify/listener.hpp>
#include <string>
#include <vector>

#include "support/broker.hpp"
#include "support/log_lines.hpp"

namespace oslo::messaging::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// A transport with an exchange of its own, so that only queues can be in each other's way.
transport open(const std::string& query, logger log = {}, const std::string& exchange = {}) {
  transport_options o;
  o.conf.set("DEFAULT", "control_exchange",
             exchange.empty() ? unique_name("durability") : exchange);
  o.log = std::move(log);
  return open_transport(rabbit_url() + query, o);
}

/// Takes notifications of priority info.
class inbox {
 public:
  inbox(const transport& bus, const std::string& topic, std::optional<std::string> pool = {})
      : listener_(bus, {target{.topic = topic}}, {endpoint()}, {.pool = std::move(pool)}) {}
  ~inbox() { listener_.stop(); }

  void start() { listener_.start(); }
  /// True when an event of that type has come.
  bool has(const std::string& event_type) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(
        lock, 20s, [&] { return std::find(got_.begin(), got_.end(), event_type) != got_.end(); });
  }

 private:
  std::shared_ptr<notify::endpoint> endpoint() {
    auto e = std::make_shared<notify::endpoint>();
    e->bind(notify::priority::info, [this](const notify::notification& n) {
      const std::lock_guard lock(mutex_);
      got_.push_back(n.event_type.value_or(""));
      changed_.notify_all();
    });
    return e;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> got_;
  notify::listener listener_;
};

blocking::notifier teller(const transport& bus, const std::string& topic) {
  return blocking::notifier{
      bus, {.drivers = {{"messagingv2"}}, .topics = {{topic}}, .timeout = 20'000ms}};
}

std::string why_it_does_not_start(inbox& box) {
  try {
    box.start();
  } catch (const server_listen_error& e) {
    return e.what();
  }
  return "it started";
}

TEST(durability, a_listener_that_is_refused_says_which_queue_and_which_option) {
  const auto topic = unique_name("topic");
  const auto transient = open("");
  EXPECT_TRUE(teller(transient, topic).info({}, "first", value{}));

  const auto durable = open("?amqp_durable_queues=true");
  inbox refused{durable, topic};
  EXPECT_THAT(why_it_does_not_start(refused),
              AllOf(HasSubstr("The queue " + topic + ".info exists with durable = false"),
                    HasSubstr("option amqp_durable_queues (or rabbit_quorum_queue) of "
                              "[oslo_messaging_rabbit]")));
  inbox pool_of_that_name{durable, unique_name("other"), topic + ".info"};
  EXPECT_THAT(why_it_does_not_start(pool_of_that_name), HasSubstr("exists with durable = false"));

  inbox right{transient, topic};
  right.start();
  EXPECT_TRUE(right.has("first"));
}

TEST(durability, one_refusal_leaves_the_rest_of_the_transport_alone) {
  const auto good = unique_name("good"), bad = unique_name("bad");
  const auto transient = open("");
  inbox theirs{transient, bad};
  theirs.start();

  log_lines log;
  const auto durable = open("?amqp_durable_queues=true", log.into(log_level::warning));
  inbox before{durable, good};
  before.start();
  inbox refused{durable, bad};
  EXPECT_THAT(why_it_does_not_start(refused), HasSubstr("PRECONDITION_FAILED"));

  // The publisher uses what exists, and says so once.
  EXPECT_TRUE(teller(durable, good).info({}, "one", value{}));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(teller(durable, bad).info({}, "two", value{}));
  EXPECT_TRUE(teller(durable, good).info({}, "three", value{}));
  EXPECT_TRUE(before.has("one"));
  EXPECT_TRUE(before.has("three"));
  EXPECT_TRUE(theirs.has("two")) << "the queue was not bound to the other exchange";
  EXPECT_THAT(
      log.with("[publish]"),
      ::testing::ElementsAre(AllOf(HasSubstr("The queue " + bad +
                                             ".info exists with durable = false, this program "
                                             "wants true"),
                                   HasSubstr("amqp_durable_queues"))));
}

TEST(durability, an_exchange_with_other_properties_is_named_too) {
  const auto exchange = unique_name("exchange"), topic = unique_name("topic");
  const auto transient = open("", {}, exchange);
  inbox theirs{transient, topic};
  theirs.start();

  const auto vanishing = open("?amqp_auto_delete=true", {}, exchange);
  inbox refused{vanishing, unique_name("other")};
  EXPECT_THAT(why_it_does_not_start(refused),
              AllOf(HasSubstr("The exchange " + exchange + " exists with auto_delete = false"),
                    HasSubstr("option amqp_auto_delete")));
  rpc::server server{vanishing,
                     {.topic = unique_name("rpc"), .server = "one"},
                     {std::make_shared<rpc::endpoint>()}};
  try {
    server.start();
    ADD_FAILURE() << "it started";
  } catch (const server_listen_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("option amqp_auto_delete"));
  }
  EXPECT_TRUE(teller(vanishing, topic).info({}, "event", value{}));
  EXPECT_TRUE(theirs.has("event"));
}

TEST(durability, calls_work_with_every_pair_of_values) {
  for (const std::string query : {"?amqp_durable_queues=true", "?amqp_auto_delete=true",
                                  "?amqp_durable_queues=true&amqp_auto_delete=true"}) {
    const auto bus = open(query);
    auto e = std::make_shared<rpc::endpoint>();
    e->bind("echo", [](const value& args) { return args; });
    const auto topic = unique_name("rpc");
    rpc::server server{bus, {.topic = topic, .server = "one"}, {e}};
    server.start();
    const blocking::client client{bus, {.topic = topic}, {.timeout = 20s}};
    EXPECT_EQ(client.call("echo", {}, value{{"a", 1}}), (value{{"a", 1}})) << query;
    EXPECT_EQ(client.prepare({.server = "one"}).call("echo", {}, value{{"a", 2}}),
              (value{{"a", 2}}));
  }
}

TEST(durability, an_auto_delete_queue_goes_with_its_last_listener) {
  const auto topic = unique_name("topic");
  const auto bus = open("?amqp_auto_delete=true");
  {
    inbox first{bus, topic};
    first.start();
    EXPECT_TRUE(teller(bus, topic).info({}, "one", value{}));
    EXPECT_TRUE(first.has("one"));
  }
  // A queue that still existed would be in the way of one with other properties; the broker takes
  // its time to remove it.
  const auto durable = open("?amqp_durable_queues=true");
  inbox second{durable, topic};
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (why_it_does_not_start(second) != "it started")
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  EXPECT_TRUE(teller(durable, topic).info({}, "two", value{}));
  EXPECT_TRUE(second.has("two"));
}

}  // namespace
}  // namespace oslo::messaging::testing
