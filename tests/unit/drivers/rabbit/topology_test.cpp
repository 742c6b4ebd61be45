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

/// name: durable, auto_delete; as oslo declares them with these options (spec section 4.2).
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
      EXPECT_EQ(fanout_destination("t").to, fanout);
      EXPECT_EQ(reply_destination("reply_u").to.name, "");
      EXPECT_EQ(notification_destination(o, "x", "n.info").to, shared);
      EXPECT_EQ(notification_destination(o, "x", "n.info").ensure_queue, q("n.info"));
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

TEST(rabbit_topology, a_ttl_of_zero_leaves_private_queues_for_ever) {
  options o;
  o.transient_ttl = std::chrono::seconds(0);
  EXPECT_TRUE(reply_source(o, "ab").to.arguments.empty());
}

TEST(rabbit_topology, destinations) {
  const options o;
  EXPECT_EQ(topic_destination(o, "openstack", "calc").text(), "openstack/calc");
  EXPECT_EQ(server_destination(o, "openstack", "calc", "h").text(), "openstack/calc.h");
  EXPECT_EQ(fanout_destination("calc").text(), "calc_fanout/");
  EXPECT_EQ(fanout_destination("calc").to.type, "fanout");
  EXPECT_TRUE(fanout_destination("calc").to.auto_delete);
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
