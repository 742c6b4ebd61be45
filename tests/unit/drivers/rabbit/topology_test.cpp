#include "drivers/rabbit/topology.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::rabbit {
namespace {

const amqp091::field_table transient{{"x-expires", std::int32_t{1'800'000}}};

TEST(rabbit_topology, a_server_listens_on_topic_server_and_fanout_in_that_order) {
  const auto sources = server_sources({}, "openstack", "calc", "host1", "0123");
  ASSERT_EQ(sources.size(), 3u);
  EXPECT_EQ(
      sources[0],
      (source{{"openstack", "topic", false, false}, {"calc", false, false, {}}, {"calc"}, false}));
  EXPECT_EQ(sources[1], (source{{"openstack", "topic", false, false},
                                {"calc.host1", false, false, {}},
                                {"calc.host1"},
                                false}));
  EXPECT_EQ(sources[2], (source{{"calc_fanout", "fanout", false, true},
                                {"calc_fanout_0123", false, false, transient},
                                {"calc"},
                                true}));
}

/// name: durable, auto_delete; as oslo declares them (docs/wire/rabbitmq.md, RMQ-3).
TEST(rabbit_topology, durable_and_auto_delete_reach_shared_objects_only) {
  for (const bool durable : {false, true}) {
    for (const bool auto_delete : {false, true}) {
      options o;
      o.durable = durable;
      o.auto_delete = auto_delete;
      const exchange shared{"x", "topic", durable, auto_delete};
      const exchange fanout{"t_fanout", "fanout", false, true};
      const auto q = [&](const char* name) { return queue{name, durable, auto_delete, {}}; };
      EXPECT_EQ(
          server_sources(o, "x", "t", "s", "u"),
          (std::vector<source>{{shared, q("t"), {"t"}, false},
                               {shared, q("t.s"), {"t.s"}, false},
                               {fanout, {"t_fanout_u", false, false, transient}, {"t"}, true}}));
      EXPECT_EQ(reply_source(o, "u"), (source{{}, {"reply_u", false, false, transient}, {}, true}));
      EXPECT_EQ(notification_source(o, "x", "n.info"),
                (source{shared, q("n.info"), {"n.info"}, false}));
      EXPECT_EQ(pool_source(o, "x", "p", {"n.info", "n.error"}),
                (source{shared, q("p"), {"n.info", "n.error"}, false}));
      EXPECT_EQ(topic_destination(o, "x", "t").to, shared);
      EXPECT_EQ(server_destination(o, "x", "t", "s").to, shared);
      EXPECT_EQ(fanout_destination(o, "t").to, fanout);
      EXPECT_EQ(reply_destination("reply_u").to.name, "");
      EXPECT_EQ(notification_destination(o, "x", "n.info").to, shared);
      EXPECT_EQ(notification_destination(o, "x", "n.info").ensure_queue, q("n.info"));
    }
  }
}

/// In Python's order (docs/wire/rabbitmq.md, RMQ-11): the bytes of a declaration are its own.
TEST(rabbit_topology, quorum_queues_are_declared_as_python_does) {
  for (const bool shared : {false, true}) {
    for (const bool transient_too : {false, true}) {
      options o;
      o.quorum = {shared, transient_too, 3, 0, std::int64_t{1} << 33};
      const amqp091::field_table limits{{"x-queue-type", "quorum"},
                                        {"x-delivery-limit", std::int32_t{3}},
                                        {"x-max-in-memory-bytes", std::int64_t{1} << 33}};
      const auto kind = shared ? limits : amqp091::field_table{};
      auto private_kind = transient_too ? limits : amqp091::field_table{};
      private_kind.set("x-expires", std::int32_t{1'800'000});
      const exchange topic{"x", "topic", shared, false};
      const exchange fanout{"t_fanout", "fanout", transient_too, true};
      const auto q = [&](const char* name) { return queue{name, shared, false, kind}; };
      EXPECT_EQ(server_sources(o, "x", "t", "s", "u"),
                (std::vector<source>{
                    {topic, q("t"), {"t"}, false},
                    {topic, q("t.s"), {"t.s"}, false},
                    {fanout, {"t_fanout_u", transient_too, false, private_kind}, {"t"}, true}}));
      EXPECT_EQ(reply_source(o, "u"),
                (source{{}, {"reply_u", transient_too, false, private_kind}, {}, true}));
      EXPECT_EQ(notification_source(o, "x", "n.info").to, q("n.info"));
      EXPECT_EQ(pool_source(o, "x", "p", {"n.info"}).to, q("p"));
      EXPECT_EQ(topic_destination(o, "x", "t").to, topic);
      EXPECT_EQ(fanout_destination(o, "t").to, fanout);
      EXPECT_EQ(notification_destination(o, "x", "n.info").ensure_queue, q("n.info"));
    }
  }
}

TEST(rabbit_topology, mirrored_queues_are_declared_as_python_does) {
  options o;
  o.mirrored = true;
  const amqp091::field_table everywhere{{"x-ha-policy", "all"}};
  auto expiring = everywhere;
  expiring.set("x-expires", std::int32_t{1'800'000});
  const auto sources = server_sources(o, "x", "t", "s", "u");
  EXPECT_EQ(sources[0].to, (queue{"t", false, false, everywhere}));
  EXPECT_EQ(sources[2].to, (queue{"t_fanout_u", false, false, expiring}));
  EXPECT_EQ(reply_source(o, "u").to, (queue{"reply_u", false, false, expiring}));
}

/// docs/wire/rabbitmq.md, RMQ-17.
TEST(rabbit_topology, queues_with_lasting_names_stay_and_belong_to_one_process) {
  options o;
  o.names = {"h", "p", "", ""};
  const auto fanout = server_sources(o, "x", "t", "s", "h:p:1").at(2);
  EXPECT_EQ(fanout.to, (queue{"t_fanout_h:p:1", false, false, transient}));
  EXPECT_FALSE(fanout.private_to_us) << "it is not deleted at the end";
  EXPECT_TRUE(fanout.ours_alone);
  const auto replies = reply_source(o, "h:p:2");
  EXPECT_EQ(replies.to, (queue{"reply_h:p:2", false, false, transient}));
  EXPECT_FALSE(replies.private_to_us);
  EXPECT_TRUE(replies.ours_alone);
  for (const auto shared : {0u, 1u})
    EXPECT_FALSE(server_sources(o, "x", "t", "s", "u").at(shared).ours_alone);
  EXPECT_FALSE(server_sources({}, "x", "t", "s", "u").at(2).ours_alone);
  EXPECT_TRUE(server_sources({}, "x", "t", "s", "u").at(2).private_to_us);
  o.stream_fanout = true;
  EXPECT_FALSE(server_sources(o, "x", "t", "s", "").at(2).ours_alone) << "all read the stream";
}

/// docs/wire/rabbitmq.md, RMQ-16.
TEST(rabbit_topology, the_fanouts_of_a_topic_are_one_stream) {
  options o;
  o.stream_fanout = o.quorum.transient = true;
  o.cancel_on_failover = true;  // for classic queues
  for (const bool shared : {false, true}) {
    o.auto_delete = o.durable = shared;  // of topics and servers only
    const source expected{
        {"t_fanout", "fanout", true, true},
        {"t_fanout", true, false, {{"x-queue-type", "stream"}, {"x-max-age", "1800s"}}},
        {"t"},
        false,
        false,
        {},
        false,
        true};
    EXPECT_EQ(server_sources(o, "x", "t", "s", "u").at(2), expected);
    EXPECT_EQ(fanout_destination(o, "t").to, expected.from);
  }
  o.transient_ttl = std::chrono::seconds(0);
  EXPECT_EQ(server_sources(o, "x", "t", "s", "u").at(2).to.arguments,
            (amqp091::field_table{{"x-queue-type", "stream"}}));
  EXPECT_FALSE(reply_source(o, "u").is_stream);
}

/// RabbitMQ refuses to consume a quorum queue like this.
TEST(rabbit_topology, consumers_of_classic_queues_may_be_cancelled_when_one_fails_over) {
  const amqp091::field_table cancel{{"x-cancel-on-ha-failover", true}}, nothing;
  for (const bool shared : {false, true}) {
    for (const bool transient_too : {false, true}) {
      options o;
      o.cancel_on_failover = true;
      o.quorum.shared = shared;
      o.quorum.transient = transient_too;
      const auto sources = server_sources(o, "x", "t", "s", "u");
      EXPECT_EQ(sources[0].consume_arguments, shared ? nothing : cancel);
      EXPECT_EQ(sources[1].consume_arguments, shared ? nothing : cancel);
      EXPECT_EQ(sources[2].consume_arguments, transient_too ? nothing : cancel);
      EXPECT_EQ(reply_source(o, "u").consume_arguments, transient_too ? nothing : cancel);
      EXPECT_EQ(notification_source(o, "x", "n.info").consume_arguments, shared ? nothing : cancel);
      EXPECT_EQ(pool_source(o, "x", "p", {"n.info"}).consume_arguments, shared ? nothing : cancel);
    }
  }
}

TEST(rabbit_topology, replies_come_through_the_default_exchange) {
  EXPECT_EQ(reply_source({}, "ab"),
            (source{{"", "topic", false, false}, {"reply_ab", false, false, transient}, {}, true}));
  const auto d = reply_destination("reply_ab");
  EXPECT_EQ(d.to.name, "");
  EXPECT_EQ(d.routing_key, "reply_ab");
  EXPECT_EQ(d.text(), "reply_ab");
}

TEST(rabbit_topology, replies_may_count_as_settled_once_they_are_sent) {
  options o;
  EXPECT_FALSE(reply_source(o, "ab").unacknowledged);
  o.unacknowledged_replies = true;
  EXPECT_TRUE(reply_source(o, "ab").unacknowledged);
  for (const auto& s : server_sources(o, "x", "t", "s", "u")) EXPECT_FALSE(s.unacknowledged);
}

TEST(rabbit_topology, a_ttl_of_zero_leaves_private_queues_for_ever) {
  options o;
  o.transient_ttl = std::chrono::seconds(0);
  EXPECT_TRUE(reply_source(o, "ab").to.arguments.empty());
}

TEST(rabbit_topology, destinations) {
  const options o;
  EXPECT_EQ(topic_destination(o, "openstack", "calc").text(), "openstack/calc");
  EXPECT_EQ(server_destination(o, "openstack", "calc", "h").text(), "openstack/calc.h");
  EXPECT_EQ(fanout_destination(o, "calc").text(), "calc_fanout/");
  EXPECT_EQ(fanout_destination(o, "calc").to.type, "fanout");
  EXPECT_TRUE(fanout_destination(o, "calc").to.auto_delete);
  const auto n = notification_destination(o, "openstack", "notifications.info");
  EXPECT_EQ(n.text(), "openstack/notifications.info");
  ASSERT_TRUE(n.ensure_queue);
  EXPECT_EQ(n.ensure_queue->name, "notifications.info");
}

TEST(rabbit_topology, bounds_of_notification_queues_are_the_same_for_both_sides) {
  options o;
  EXPECT_TRUE(notification_source(o, "x", "n.info").to.arguments.empty());
  o.notifications.reject_publish = true;  // means nothing without a bound
  EXPECT_TRUE(notification_source(o, "x", "n.info").to.arguments.empty());
  o.notifications.max_length = 10;
  o.notifications.max_bytes = 1000;
  const amqp091::field_table bounds{{"x-max-length", std::int64_t{10}},
                                    {"x-max-length-bytes", std::int64_t{1000}},
                                    {"x-overflow", "reject-publish"}};
  EXPECT_EQ(notification_source(o, "x", "n.info").to.arguments, bounds);
  EXPECT_EQ(notification_destination(o, "x", "n.info").ensure_queue->arguments, bounds);
  EXPECT_TRUE(pool_source(o, "x", "pool", {"n.info"}).to.arguments.empty());
  EXPECT_TRUE(server_sources(o, "x", "t", "s", "u")[0].to.arguments.empty());
  o.notifications.declare = false;
  EXPECT_FALSE(notification_destination(o, "x", "n.info").ensure_queue);
  EXPECT_EQ(notification_destination(o, "x", "n.info").to.name, "x");
}

TEST(rabbit_topology, what_has_to_be_kept_has_a_queue_and_no_end) {
  options o;
  o.notifications.declare = false;
  o.notifications.ttl = std::chrono::seconds(5);
  const auto kept = notification_destination(o, "x", "n.info", true);
  EXPECT_TRUE(kept.ensure_queue);
  EXPECT_EQ(kept.message_ttl.count(), 0);
  EXPECT_NE(notification_destination(o, "x", "n.info").message_ttl.count(), 0);
}

TEST(rabbit_topology, a_pool_is_one_queue_bound_to_every_topic) {
  EXPECT_EQ(pool_source({}, "openstack", "workers", {"n.info", "n.error"}),
            (source{{"openstack", "topic", false, false},
                    {"workers", false, false, {}},
                    {"n.info", "n.error"},
                    false}));
}

}  // namespace
}  // namespace oslo::messaging::rabbit
