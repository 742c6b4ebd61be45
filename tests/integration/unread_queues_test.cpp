// What keeps queues that nobody reads from filling the broker.
#include <gmock/gmock.h>

#include <chrono>
#include <future>
#include <memory>
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
using ::testing::ElementsAre;
using ::testing::HasSubstr;

transport open(const std::string& query, logger log = {}) {
  transport_options o;
  o.log = std::move(log);
  return open_transport(rabbit_url() + query, o);
}

blocking::notifier teller(const transport& bus, const std::string& topic) {
  return blocking::notifier{
      bus, {.drivers = {{"messagingv2"}}, .topics = {{topic}}, .timeout = 20'000ms}};
}

/// The payloads that wait in the queue of priority info, and those up to "last".
std::vector<int> take_all(const transport& bus, const std::string& topic) {
  std::promise<void> last;
  std::vector<int> got;
  auto e = std::make_shared<notify::endpoint>();
  e->bind(notify::priority::info, [&](const notify::notification& n) {
    if (n.event_type == "last") return last.set_value();
    got.push_back(n.payload<int>());
  });
  notify::listener l{bus, {target{.topic = topic}}, {e}, {.executor = thread_pool(1)}};
  l.start();
  EXPECT_TRUE(teller(bus, topic).info({}, "last", value{}));
  EXPECT_EQ(last.get_future().wait_for(20s), std::future_status::ready);
  l.stop();
  l.wait();
  return got;
}

TEST(unread_queues, the_oldest_go_from_a_full_one) {
  const auto topic = unique_name("topic");
  const auto bus = open("?cpp_notification_max_length=3");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(teller(bus, topic).info({}, "event", i));
  EXPECT_THAT(take_all(bus, topic), ElementsAre(7, 8, 9));
}

TEST(unread_queues, or_the_notifier_learns_that_it_is_full) {
  const auto topic = unique_name("topic");
  const auto bus = open("?cpp_notification_max_length=3&cpp_notification_overflow=reject-publish");
  int delivered = 0;
  for (int i = 0; i < 10; ++i) {
    const auto report = teller(bus, topic).info({}, "event", i);
    if (report)
      ++delivered;
    else
      EXPECT_EQ(report.error().code(), errc::rejected) << report.error().message();
  }
  EXPECT_LT(delivered, 10);
  const auto kept = take_all(bus, topic);
  EXPECT_EQ(static_cast<int>(kept.size()), delivered);
}

TEST(unread_queues, other_bounds_are_told_like_other_flags) {
  const auto topic = unique_name("topic");
  const auto unbounded = open("");
  EXPECT_TRUE(teller(unbounded, topic).info({}, "event", 1));
  log_lines log;
  const auto bounded = open("?cpp_notification_max_length=3", log.into(log_level::warning));
  EXPECT_TRUE(teller(bounded, topic).info({}, "event", 2));
  EXPECT_THAT(log.with("[publish]"),
              ElementsAre(HasSubstr("The queue " + topic +
                                    ".info exists with x-max-length = none, this program wants 3: "
                                    "give option cpp_notification_max_length")));
  notify::listener l{bounded, {target{.topic = topic}}, {[] {
                       auto e = std::make_shared<notify::endpoint>();
                       e->bind(notify::priority::info, [](const value&) {});
                       return e;
                     }()}};
  try {
    l.start();
    ADD_FAILURE() << "it started";
  } catch (const server_listen_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("cpp_notification_max_length"));
  }
  EXPECT_THAT(take_all(unbounded, topic), ElementsAre(1, 2));
}

TEST(unread_queues, a_message_lives_as_long_as_it_is_told) {
  const auto topic = unique_name("topic");
  const auto short_lived = open("?cpp_notification_ttl=1"), plain = open("");
  EXPECT_TRUE(teller(short_lived, topic).info({}, "event", 1));
  // The broker drops the one at the head, then this is alone.
  EXPECT_TRUE(teller(plain, topic).info({}, "event", 2));
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (rabbitmqctl({"list_queues", "--silent", "name", "messages"}).find(topic + ".info\t1\n") ==
         std::string::npos)
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  EXPECT_THAT(take_all(plain, topic), ElementsAre(2));
}

TEST(unread_queues, need_not_exist_at_all) {
  const auto topic = unique_name("topic");
  const auto bus = open("?cpp_notification_queues=none");
  EXPECT_TRUE(teller(bus, topic).info({}, "event", 1)) << "nobody listens, which is no error";
  EXPECT_THAT(take_all(bus, topic), ElementsAre());
  // The listener has declared the queue, as ever.
  EXPECT_TRUE(teller(bus, topic).info({}, "event", 2));
  EXPECT_THAT(take_all(bus, topic), ElementsAre(2));
}

TEST(unread_queues, that_an_operator_deletes_are_made_and_bound_again) {
  const auto topic = unique_name("topic");
  const auto bus = open("?cpp_notification_reader_check=1");
  EXPECT_TRUE(teller(bus, topic).info({}, "event", 1));
  rabbitmqctl({"delete_queue", topic + ".info"});
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  do {
    EXPECT_TRUE(teller(bus, topic).info({}, "event", 2));
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  } while (rabbitmqctl({"list_queues", "--silent", "name"}).find(topic + ".info\n") ==
           std::string::npos);
  EXPECT_TRUE(teller(bus, topic).info({}, "event", 3));
  EXPECT_EQ(take_all(open("?cpp_notification_queues=none"), topic).back(), 3);
}

TEST(unread_queues, are_told_once) {
  const auto topic = unique_name("topic");
  log_lines log;
  const auto bus = open("?cpp_notification_reader_check=1", log.into(log_level::warning));
  const auto tell = teller(bus, topic);
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  const auto warnings = [&] { return log.with("Queue " + topic + ".info has no consumer"); };
  while (warnings().empty()) {
    ASSERT_TRUE(tell.info({}, "event", 1));
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
  const auto until = std::chrono::steady_clock::now() + 2500ms;
  while (std::chrono::steady_clock::now() < until) ASSERT_TRUE(tell.info({}, "event", 1));
  EXPECT_EQ(warnings().size(), 1u);
}

}  // namespace
}  // namespace oslo::messaging::testing
