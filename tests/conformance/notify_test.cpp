// Notifications over every driver.
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/notify.hpp>
#include <set>

#include "bus.hpp"

namespace oslo::messaging {
namespace {

using namespace conformance;
using notify::notification;
using notify::outcome;
using notify::priority;

class notify_over : public bus_test {
 protected:
  void SetUp() override { OSLO_NEEDS(notifications); }
  std::unique_ptr<notify::listener> listen(std::shared_ptr<notify::endpoint> e,
                                           notify::listener_options o = {},
                                           std::vector<target> on = {}) {
    if (!o.executor) o.executor = thread_pool(1);
    if (on.empty()) on.push_back({.topic = topic});
    auto l = std::make_unique<notify::listener>(server_bus, std::move(on),
                                                std::vector{std::move(e)}, std::move(o));
    l->start();
    return l;
  }
  /// An endpoint that writes down the event types of one priority.
  std::shared_ptr<notify::endpoint> writing(expected<std::string>& to,
                                            priority p = priority::info) {
    auto e = std::make_shared<notify::endpoint>();
    e->bind(p, [&to](const notification& n) { to.set(*n.event_type); });
    return e;
  }
  blocking::notifier notifier(const std::string& driver = "messagingv2",
                              std::vector<std::string> topics = {}) {
    notify::notifier_options o;
    o.publisher_id = "test.host1";
    o.drivers = std::vector<std::string>{driver};
    o.topics = topics.empty() ? std::vector<std::string>{topic} : std::move(topics);
    o.redact = notify::whole_context;
    o.timeout = patience;
    return blocking::notifier(client_bus, o);
  }
};

TEST_P(notify_over, every_priority_arrives_in_both_formats_with_all_its_fields) {
  expected<notification> got;
  auto e = std::make_shared<notify::endpoint>();
  for (const auto p : notify::all_priorities)
    e->bind(p, [&](const notification& n) { got.set(n); });
  const auto l = listen(e);
  const context ctxt{{"user", "bob"}, {"roles", {"a", "b"}}};
  for (const char* driver : {"messaging", "messagingv2"})
    for (const auto p : notify::all_priorities) {
      const auto report =
          notifier(driver).notify(p, ctxt, "compute.start", value{{"x", {1, nullptr}}});
      ASSERT_TRUE(report.has_value()) << report.error().message();
      const auto n = got.get();
      EXPECT_EQ(n.priority, p);
      EXPECT_EQ(n.ctxt, ctxt);
      EXPECT_EQ(n.publisher_id, "test.host1");
      EXPECT_EQ(n.event_type, "compute.start");
      EXPECT_EQ(n.payload<value>(), (value{{"x", {1, nullptr}}}));
      EXPECT_EQ(n.message_id.value_or("").size(), 36u);
      EXPECT_EQ(n.timestamp.value_or("").substr(0, 2), "20");
    }
}

TEST_P(notify_over, topics_and_priorities_are_kept_apart) {
  expected<std::string> mine, other_topic;
  const auto a = listen(writing(mine));
  const auto b = listen(writing(other_topic), {}, {{.topic = topic + "-2"}});
  notifier().info({}, "one", 1);
  notifier().error({}, "nobody", 1);
  notifier("messaging", {topic, topic + "-2"}).info({}, "both", 1);
  EXPECT_EQ(mine.get(), "one");
  EXPECT_EQ(mine.get(), "both");
  EXPECT_EQ(other_topic.get(), "both");
}

TEST_P(notify_over, the_exchange_is_the_one_of_the_target) {
  const auto exchange = unique_name("conformance");
  expected<std::string> got;
  const auto l = listen(writing(got), {}, {{.exchange = exchange, .topic = topic}});
  config conf;
  conf.set("DEFAULT", "control_exchange", exchange);
  const auto bus = open({.conf = conf});
  blocking::notifier{bus, {.drivers = {{"messagingv2"}}, .topics = {{topic}}}}.info({}, "there", 1);
  EXPECT_EQ(got.get(), "there");
}

TEST_P(notify_over, one_listener_takes_several_targets) {
  expected<std::string> got;
  const auto l = listen(writing(got), {}, {{.topic = topic}, {.topic = topic + "-2"}});
  notifier().info({}, "one", 1);
  notifier("messaging", {topic + "-2"}).info({}, "two", 1);
  EXPECT_EQ((std::set<std::string>{got.get(), got.get()}), (std::set<std::string>{"one", "two"}));
}

TEST_P(notify_over, what_was_sent_before_somebody_listened_waits) {
  if (GetParam().without_broker) GTEST_SKIP() << "Nothing is stored.";
  notifier().info({}, "early", 1);
  expected<std::string> got;
  const auto l = listen(writing(got));
  EXPECT_EQ(got.get(), "early");
}

TEST_P(notify_over, each_pool_gets_everything_and_shares_it_among_its_listeners) {
  OSLO_NEEDS(pools);
  expected<std::string> pool1, pool2;
  const std::string first = unique_name("pool"), second = unique_name("pool");
  const auto a = listen(writing(pool1), {.pool = first});
  const auto b = listen(writing(pool2), {.pool = second});
  const auto c = listen(writing(pool2), {.pool = second});
  std::multiset<std::string> sent, shared;
  for (int i = 0; i < 100; ++i) {
    const auto event = "event-" + std::to_string(i);
    sent.insert(event);
    notifier().info({}, event, i);
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(pool1.get(), "event-" + std::to_string(i));  // in order
    shared.insert(pool2.get());
  }
  EXPECT_EQ(shared, sent);
  EXPECT_EQ(pool2.count(), 100u);
}

TEST_P(notify_over, a_requeued_notification_comes_again) {
  OSLO_NEEDS(requeue);
  expected<std::string> ids;
  auto e = std::make_shared<notify::endpoint>();
  std::atomic<bool> first{true};
  e->bind(priority::info, [&](const notification& n) {
    ids.set(*n.message_id);
    return first.exchange(false) ? outcome::requeue : outcome::handled;
  });
  const auto l = listen(e, {.allow_requeue = true});
  notifier().info({}, "again", 1);
  const auto id = ids.get();
  EXPECT_EQ(ids.get(), id);
}

TEST_P(notify_over, a_failing_handler_loses_its_message_unless_requeue_is_allowed) {
  expected<std::string> got;
  auto e = std::make_shared<notify::endpoint>();
  e->bind(priority::info, [&](const notification& n) {
    got.set(*n.event_type);
    if (*n.event_type == "bad") throw std::runtime_error("broken");
  });
  auto l = listen(e);
  notifier().info({}, "bad", 1);
  notifier().info({}, "good", 1);
  EXPECT_EQ(got.get(), "bad");
  EXPECT_EQ(got.get(), "good");
  if (GetParam().without_broker) return;  // nothing is stored
  l->stop();
  l->wait(patience);
  notifier().info({}, "last", 1);
  l->start();
  EXPECT_EQ(got.get(), "last");
}

/// Cannot read the payload "bad".
class picky final : public serializer {
 public:
  value deserialize_entity(const context&, value v) const override {
    ++reads;
    if (v == "bad") throw 1;
    return v;
  }
  mutable std::atomic<int> reads{0};
};

TEST_P(notify_over, what_nobody_can_read_is_not_given_back) {
  expected<std::string> got;
  const auto s = std::make_shared<picky>();
  const auto l = listen(writing(got), {.serializer = s, .allow_requeue = true});
  ASSERT_TRUE(notifier().info({}, "unreadable", "bad").has_value());
  ASSERT_TRUE(notifier().info({}, "next", "good").has_value());
  EXPECT_EQ(got.get(), "next");
  EXPECT_TRUE(l->drain(patience));
  EXPECT_EQ(s->reads, 2);
}

TEST_P(notify_over, batches_come_by_size_and_by_time) {
  if (GetParam().without_broker) GTEST_SKIP() << "Nothing is stored.";
  for (int i = 0; i < 12; ++i) notifier().info({}, "ev", i);
  expected<std::size_t> sizes;
  expected<int> payloads;
  auto e = std::make_shared<notify::endpoint>();
  e->bind_batch(priority::info, [&](std::span<const notification> batch) {
    for (const auto& n : batch) payloads.set(n.payload<int>());
    sizes.set(batch.size());
  });
  const auto l = listen(e, {.batch = notify::batch_options{5, 500ms}});
  EXPECT_EQ(sizes.get(), 5u);
  EXPECT_EQ(sizes.get(), 5u);
  EXPECT_EQ(sizes.get(), 2u);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(payloads.get(), i);
}

TEST_P(notify_over, a_batch_larger_than_the_drivers_own_prefetch_fills) {
  if (GetParam().without_broker) GTEST_SKIP() << "Nothing is stored.";
  for (int i = 0; i < 600; ++i) notifier().info({}, "ev", i);
  expected<std::size_t> sizes;
  auto e = std::make_shared<notify::endpoint>();
  e->bind_batch(priority::info,
                [&](std::span<const notification> batch) { sizes.set(batch.size()); });
  const auto l = listen(e, {.batch = notify::batch_options{600, 1h}});
  EXPECT_EQ(sizes.get(), 600u);
}

TEST_P(notify_over, what_fails_too_often_becomes_a_dead_letter) {
  OSLO_NEEDS(pools);
  OSLO_NEEDS(requeue);
  const std::string graveyard = unique_name("dead");
  expected<notification> dead;
  auto graves = std::make_shared<notify::endpoint>();
  graves->bind(priority::info, [&](const notification& n) { dead.set(n); });
  expected<std::string> got, other_pool;
  auto e = std::make_shared<notify::endpoint>();
  e->bind(priority::info, [&](const notification& n) {
    got.set(*n.event_type);
    if (*n.event_type == "bad") throw std::runtime_error("broken");
  });
  const std::string pool = unique_name("pool");
  const auto other = listen(writing(other_pool), {.pool = unique_name("pool")});
  const auto l = listen(
      e, {.allow_requeue = true,
          .dead_letters = notify::dead_letter_options{.after = 3, .to = {.topic = graveyard}},
          .pool = pool});
  const context ctxt{{"user", "bob"}};
  notifier("messaging").info(ctxt, "bad", value{{"x", {1, nullptr}}});
  // Nobody has listened there so far: it waits.
  const auto cemetery = listen(graves, {}, {{.topic = graveyard}});
  const auto n = dead.get();
  EXPECT_EQ(n.event_type, "bad");
  EXPECT_EQ(n.publisher_id, "test.host1");
  EXPECT_EQ(n.ctxt, ctxt);
  EXPECT_EQ(n.payload<value>(), (value{{"x", {1, nullptr}}}));
  EXPECT_EQ(n.message_id.value_or("").size(), 36u);
  EXPECT_EQ(n.headers.at(std::string(notify::dead_letter_error)), "broken");
  EXPECT_EQ(n.headers.at(std::string(notify::dead_letter_requeues)), "3");
  notifier().info({}, "good", 1);
  for (const char* event : {"bad", "bad", "bad", "good"}) EXPECT_EQ(got.get(), event);
  EXPECT_TRUE(l->drain(patience));
  EXPECT_EQ(got.count(), 4u);
  EXPECT_EQ(dead.count(), 1u);
  for (const char* event : {"bad", "good"}) EXPECT_EQ(other_pool.get(), event);
  EXPECT_EQ(other_pool.count(), 2u);
}

TEST_P(notify_over, two_listeners_of_a_pool_give_a_message_up_together) {
  OSLO_NEEDS(pools);
  OSLO_NEEDS(requeue);
  const std::string graveyard = unique_name("dead"), pool = unique_name("pool");
  expected<std::string> dead, got;
  const auto cemetery = listen(writing(dead), {}, {{.topic = graveyard}});
  std::vector<std::unique_ptr<notify::listener>> both;
  for (int i = 0; i < 2; ++i) {
    auto e = std::make_shared<notify::endpoint>();
    e->bind(priority::info, [&](const notification& n) {
      got.set(*n.event_type);
      return outcome::requeue;
    });
    both.push_back(listen(
        e, {.allow_requeue = true,
            .dead_letters = notify::dead_letter_options{.after = 3, .to = {.topic = graveyard}},
            .pool = pool}));
  }
  notifier().info({}, "bad", 1);
  EXPECT_EQ(dead.get(), "bad");
  for (auto& l : both) EXPECT_TRUE(l->drain(patience));
  EXPECT_EQ(dead.count(), 1u);
  // A bus that does not count leaves it to each listener.
  EXPECT_GE(got.count(), 3u);
  EXPECT_LE(got.count(), 5u);
}

TEST_P(notify_over, drain_leaves_no_consumer_behind) {
  if (GetParam().without_broker) GTEST_SKIP() << "Nothing is stored.";
  expected<std::string> got;
  const auto l = listen(writing(got));
  EXPECT_TRUE(l->health().ok());
  notifier().info({}, "one", 1);
  EXPECT_EQ(got.get(), "one");
  EXPECT_TRUE(l->drain(patience));
  EXPECT_FALSE(l->health().consuming);
  notifier().info({}, "two", 1);
  expected<std::string> next;
  const auto successor = listen(writing(next));
  EXPECT_EQ(next.get(), "two");
  EXPECT_EQ(got.count(), 1u);
}

TEST_P(notify_over, coroutines_settle_their_messages) {
  OSLO_NEEDS(requeue);
  expected<std::string> got;
  auto e = std::make_shared<notify::endpoint>();
  std::atomic<bool> first{true};
  e->bind(priority::info, [&](const notification& n) -> boost::asio::awaitable<outcome> {
    co_await boost::asio::post(co_await boost::asio::this_coro::executor,
                               boost::asio::use_awaitable);
    got.set(*n.event_type);
    co_return first.exchange(false) ? outcome::requeue : outcome::handled;
  });
  auto l = listen(e, {.allow_requeue = true, .max_running = 500});
  notifier().info({}, "again", 1);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(got.get(), "again");
  for (int i = 0; i < 300; ++i) notifier("messaging").info({}, "many", i);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(got.get(), "many");
  EXPECT_TRUE(l->drain(patience));
  l->start();  // nothing comes a second time
  notifier().info({}, "last", 1);
  EXPECT_EQ(got.get(), "last");
}

TEST_P(notify_over, filters_choose_what_an_endpoint_gets) {
  expected<std::string> got;
  auto e = std::make_shared<notify::endpoint>(
      notify::filter_rules{.event_type = "compute\\.", .payload = {{"state", "active$"}}});
  e->bind(priority::info, [&](const notification& n) { got.set(*n.event_type); });
  const auto l = listen(e);
  notifier().info({}, "image.update", value{{"state", "active"}});
  notifier().info({}, "compute.start", value{{"state", "building"}});
  notifier().info({}, "compute.end", value{{"state", "active"}});
  EXPECT_EQ(got.get(), "compute.end");
  EXPECT_EQ(got.count(), 1u);
}

TEST_P(notify_over, nothing_is_lost_when_a_listener_stops_in_the_middle) {
  if (GetParam().without_broker) GTEST_SKIP() << "Nothing is stored.";
  for (int i = 0; i < 200; ++i) notifier().info({}, std::to_string(i), i);
  std::multiset<std::string> all, sent;
  for (int round = 0; all.size() < 200; ++round) {
    expected<std::string> got;
    const auto l = listen(writing(got), {.executor = thread_pool(4)});
    all.insert(got.get());
    l->stop();
    l->wait(patience);
    const auto count = got.count();
    for (std::size_t i = 1; i < count; ++i) all.insert(got.get());
  }
  for (int i = 0; i < 200; ++i) sent.insert(std::to_string(i));
  EXPECT_EQ(all, sent);
}

TEST_P(notify_over, an_outbox_delivers_in_order_and_reports_each_message) {
  expected<int> got;
  auto e = std::make_shared<notify::endpoint>();
  e->bind(priority::sample, [&](int n) { got.set(n); });
  const auto l = listen(e);
  std::atomic<int> delivered{0}, others{0};
  notify::outbox box(notifier().async(),
                     {.window = 100, .on_report = [&](const notify::delivery_report& r) {
                        ++(r.what == notify::delivery_outcome::delivered ? delivered : others);
                      }});
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(box.post(priority::sample, {}, "ev", i).has_value());
  ASSERT_TRUE(box.flush(patience).has_value());
  EXPECT_EQ(delivered, 1'000);
  EXPECT_EQ(others, 0);
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(got.get(), i);
}

TEST_P(notify_over, an_outbox_ends_with_what_it_holds_delivered) {
  expected<std::string> got;
  const auto l = listen(writing(got));
  {
    notify::outbox box(notifier().async(), {.window = 1});
    for (int i = 0; i < 50; ++i)
      ASSERT_TRUE(box.post(priority::info, {}, std::to_string(i), 1).has_value());
  }
  for (int i = 0; i < 50; ++i) ASSERT_EQ(got.get(), std::to_string(i));
}

OSLO_CONFORMANCE_SUITE(notify_over);

}  // namespace
}  // namespace oslo::messaging
