#include "drivers/amqp1/addresses.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::amqp1 {
namespace {

using kind = destination::kind;
using service = destination::service;

std::string legacy(destination d, address_rules r = {}) {
  return address_of(d, r, addressing::legacy);
}
std::string routable(destination d, address_rules r = {}) {
  return address_of(d, r, addressing::routable);
}

TEST(amqp1_addresses, as_upstream_writes_them) {
  const destination all{.what = kind::multicast, .exchange = "ex", .topic = "t"};
  const destination one{.what = kind::unicast, .exchange = "ex", .topic = "t", .server = "s"};
  const destination any{.exchange = "ex", .topic = "t"};
  EXPECT_EQ(legacy(all), "broadcast.ex.t.all");
  EXPECT_EQ(legacy(one), "exclusive.ex.t.s");
  EXPECT_EQ(legacy(any), "unicast.ex.t");
  EXPECT_EQ(routable(all), "openstack.org/om/rpc/multicast/ex/t");
  EXPECT_EQ(routable(one), "openstack.org/om/rpc/unicast/ex/t/s");
  EXPECT_EQ(routable(any), "openstack.org/om/rpc/anycast/ex/t");
  address_rules there;
  there.virtual_host = "vh";
  EXPECT_EQ(legacy(all, there), "broadcast.vh.ex.t.all");
  EXPECT_EQ(routable(one, there), "openstack.org/om/rpc/unicast/vh/ex/t/s");
}

TEST(amqp1_addresses, notifications_have_their_own_in_routable_mode_only) {
  const destination d{.of = service::notifications, .topic = "notifications.info"};
  EXPECT_EQ(legacy(d), "unicast.openstack.notifications.info");
  EXPECT_EQ(routable(d), "openstack.org/om/notify/anycast/openstack/notifications.info");
}

TEST(amqp1_addresses, exchanges_that_are_not_given) {
  const destination rpc{.topic = "t"};
  const destination notify{.of = service::notifications, .topic = "t"};
  address_rules r;
  r.default_exchange = "control";
  EXPECT_EQ(legacy(rpc, r), "unicast.control.t");
  EXPECT_EQ(routable(rpc, r), "openstack.org/om/rpc/anycast/control/t");
  r.routable.rpc_exchange = "for-rpc";
  r.routable.notification_exchange = "for-notify";
  EXPECT_EQ(legacy(rpc, r), "unicast.control.t");
  EXPECT_EQ(routable(rpc, r), "openstack.org/om/rpc/anycast/for-rpc/t");
  EXPECT_EQ(routable(notify, r), "openstack.org/om/notify/anycast/for-notify/t");
  r = {};
  r.default_exchange = "";
  EXPECT_EQ(legacy(rpc, r), "unicast.t");
  EXPECT_EQ(routable(rpc, r), "openstack.org/om/rpc/anycast/openstack/t");
}

TEST(amqp1_addresses, a_node_is_its_own_address) {
  const destination d{.what = kind::node, .topic = "temp-queue-1"};
  EXPECT_EQ(legacy(d), "temp-queue-1");
  EXPECT_EQ(routable(d), "temp-queue-1");
}

TEST(amqp1_addresses, the_product_chooses_the_mode) {
  EXPECT_EQ(mode_for(addressing::dynamic, ""), addressing::legacy);
  EXPECT_EQ(mode_for(addressing::dynamic, "qpid-cpp"), addressing::legacy);
  EXPECT_EQ(mode_for(addressing::dynamic, "Apache Qpid Broker-J Core"), addressing::legacy);
  EXPECT_EQ(mode_for(addressing::dynamic, "qpid-dispatch-router"), addressing::routable);
  EXPECT_EQ(mode_for(addressing::dynamic, "apache-activemq-artemis"), addressing::routable);
  EXPECT_EQ(mode_for(addressing::legacy, "qpid-dispatch-router"), addressing::legacy);
  EXPECT_EQ(mode_for(addressing::routable, ""), addressing::routable);
}

}  // namespace
}  // namespace oslo::messaging::amqp1
