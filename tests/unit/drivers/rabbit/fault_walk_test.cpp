// The walk through every fault goes on behind the handshake: topology, consumers, publishes.
#include "support/fault_walk.hpp"

#include <gtest/gtest.h>

#include <cstdio>

#include "drivers/rabbit/consumer.hpp"
#include "drivers/rabbit/publisher.hpp"

namespace oslo::messaging::rabbit {
namespace {

using namespace fault_walk;

/// Keeps one notification under way until one was confirmed, as an application would.
class sending_user : public send_owner {
 public:
  explicit sending_user(world& w) : world_(w), out(w, *this) {
    w.attach(out, [this] { return confirmed; });
    send();
  }
  void published(const send_ptr&, result<void> r) override {
    if (r) {
      confirmed = true;
      return;
    }
    ++failures[r.error().code()];
    world_.later(1s, [this] { send(); });
  }
  void wake_at(pending_send::instant when) override {
    world_.later(std::chrono::ceil<std::chrono::milliseconds>(when - world_.now()), [this] {
      out.on_tick(world_.now());
      world_.flush_later();
    });
  }
  void blocked_changed() override {}

  void send() {
    auto s = std::make_shared<pending_send>();
    s->to = notification_destination({}, "openstack", "notifications.info");
    s->body = "{}";
    s->mandatory = true;
    s->patience_refused = publisher::confirm_limit;
    s->begun = world_.now();
    out.publish(s);
  }

  world& world_;
  publisher out;
  bool confirmed = false;
  std::map<errc, int> failures;
};

class consuming_user : public consumer_owner {
 public:
  class one : public consumer_channel {
   public:
    one() : consumer_channel(server_sources({}, "openstack", "calc", "host1", "0123"), 10) {}
    void on_ready() override {}
    void on_refused(const failure&) override { ++refusals; }
    void on_delivery(const amqp091::delivery&) override {}
    int refusals = 0;
  };

  explicit consuming_user(world& w) : world_(w), in(w, *this), s(std::make_shared<one>()) {
    w.attach(in, [this] { return s->is_ready(); });
    in.add(s);
  }
  void wake_at(net::link::instant when) override {
    world_.later(std::chrono::ceil<std::chrono::milliseconds>(when - world_.now()), [this] {
      in.on_tick(world_.now());
      world_.flush_later();
    });
  }
  void input_begins() override {}
  void input_done() override {}

  world& world_;
  consumer in;
  std::shared_ptr<one> s;
};

template <class User, class Check>
void walk(const char* who, const std::vector<step>& steps, Check check) {
  totals sum;
  for (const auto& s : steps)
    for (const auto f : all_faults)
      for (const std::uint64_t seed : {1u, 2u}) {
        SCOPED_TRACE(s.name + ", " + name_of(f) + ", seed " + std::to_string(seed));
        world w(s, f, {true}, seed);
        User user(w);
        const auto r = w.walk();
        sum.add(r);
        EXPECT_EQ(r.stuck, "");
        EXPECT_TRUE(r.applied);
        EXPECT_TRUE(r.up_afterwards);
        EXPECT_LE(r.longest_pause, 30s);
        check(user, s, f);
      }
  const auto walks = static_cast<int>(steps.size() * std::size(all_faults) * 2);
  EXPECT_EQ(sum.recovered, walks);
  std::printf(
      "fault walk of a %s: %zu steps x %zu faults = %d walks, %d recovered "
      "(%d passes failed, %d connections lost)\n",
      who, steps.size(), std::size(all_faults), walks, sum.recovered, sum.passes, sum.losses);
}

TEST(rabbit_fault_walk, a_publisher_gets_through_once_the_fault_is_gone) {
  const std::vector<step> steps = {step_of(method::channel_open, "channel.open"),
                                   step_of(method::confirm_select, "confirm.select"),
                                   step_of(method::exchange_declare, "exchange.declare"),
                                   step_of(method::queue_declare, "queue.declare"),
                                   step_of(method::queue_bind, "queue.bind"),
                                   step_of(method::basic_publish, "basic.publish")};
  walk<sending_user>("publisher", steps, [](sending_user& user, const step& s, fault f) {
    const bool written = s.sent == method::basic_publish;
    for (const auto& [code, count] : user.failures) {
      if (code == errc::outcome_unknown) continue;
      // A definite error only comes from the broker's own word about this message.
      EXPECT_EQ(f, fault::verdict) << make_error_code(code).message();
      EXPECT_EQ(code, errc::access_refused) << make_error_code(code).message();
    }
    if (f == fault::silence || (written && f != fault::verdict)) {
      EXPECT_FALSE(user.failures.contains(errc::access_refused));
    }
  });
}

TEST(rabbit_fault_walk, a_consumer_is_ready_once_the_fault_is_gone) {
  const std::vector<step> steps = {step_of(method::channel_open, "channel.open"),
                                   step_of(method::basic_qos, "basic.qos"),
                                   step_of(method::exchange_declare, "exchange.declare"),
                                   step_of(method::queue_declare, "queue.declare"),
                                   step_of(method::queue_bind, "queue.bind"),
                                   step_of(method::basic_consume, "basic.consume")};
  walk<consuming_user>("consumer", steps, [](consuming_user& user, const step&, fault f) {
    EXPECT_EQ(user.s->refusals > 0, f == fault::verdict);
    EXPECT_LE(user.s->refusals, 37) << "not more often than every five seconds";
  });
}

}  // namespace
}  // namespace oslo::messaging::rabbit
