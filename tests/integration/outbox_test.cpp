// An application thread posts notifications while the broker is killed and started again.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <oslo/messaging/notify.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/broker.hpp"

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;
using notify::delivery_outcome;
using notify::priority;
using notify::when_full;
using testing::private_broker;
using testing::unique_name;

private_broker& own_broker() {
  static private_broker broker("outbox");
  return broker;
}

/// With queues that survive the broker.
transport open() {
  config conf;
  conf.set("oslo_messaging_rabbit", "amqp_durable_queues", "true");
  return open_transport(own_broker().url(), {.conf = conf});
}

notify::notifier notifier_of(const transport& bus, const std::string& topic) {
  return notify::notifier(bus, {.drivers = {{"messagingv2"}}, .topics = {{topic}}});
}

/// What was reported and what a listener got, by number.
class book {
 public:
  void report(const notify::delivery_report& r) {
    const std::lock_guard lock(mutex_);
    const int n = std::stoi(std::string(r.event_type));
    if (!reported_.insert(n).second) ++twice_;
    if (r.what == delivery_outcome::delivered) delivered_.insert(n);
    if (r.what == delivery_outcome::failed) ++failed_;
    changed_.notify_all();
  }
  void got(int n) {
    const std::lock_guard lock(mutex_);
    got_.insert(n);
    changed_.notify_all();
  }
  bool wait_for_delivered(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 60s, [&] { return delivered_.size() >= count; });
  }
  /// True once everything that was reported delivered has arrived.
  bool wait_until_all_arrived() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 60s, [&] {
      return got_.size() >= delivered_.size() &&
             std::includes(got_.begin(), got_.end(), delivered_.begin(), delivered_.end());
    });
  }
  std::size_t reported() {
    const std::lock_guard lock(mutex_);
    return reported_.size();
  }
  std::size_t delivered() {
    const std::lock_guard lock(mutex_);
    return delivered_.size();
  }
  int twice() {
    const std::lock_guard lock(mutex_);
    return twice_;
  }
  int failed() {
    const std::lock_guard lock(mutex_);
    return failed_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<int> reported_, delivered_, got_;
  int twice_ = 0, failed_ = 0;
};

std::unique_ptr<notify::listener> collect(const transport& bus, const std::string& topic,
                                          book& into) {
  auto e = std::make_shared<notify::endpoint>();
  e->bind(priority::info,
          [&](const notify::notification& n) { into.got(std::stoi(*n.event_type)); });
  auto l = std::make_unique<notify::listener>(bus, std::vector<target>{{.topic = topic}},
                                              std::vector{std::move(e)});
  l->start();
  return l;
}

/// One outbox, its topic, and who listens there.
struct pipe {
  pipe(const char* name, notify::outbox_options o)
      : topic(unique_name(name)),
        listener(collect(listening_bus, topic, all)),
        box(notifier_of(open(), topic), with_report(std::move(o))) {}

  notify::outbox_options with_report(notify::outbox_options o) {
    o.on_report = [this](const auto& r) { all.report(r); };
    return o;
  }
  result<void> post(int n) {
    return box.post(priority::info, {}, std::to_string(n), "some payload");
  }

  std::string topic;
  book all;
  transport listening_bus = open();
  std::unique_ptr<notify::listener> listener;
  notify::outbox box;
};

TEST(outbox_over_rabbit, application_threads_go_on_through_an_outage) {
  constexpr int before = 2'000, meanwhile = 20'000, afterwards = 2'000;
  pipe dropping("drop", {.max_messages = 5'000, .rule = when_full::drop_oldest});
  pipe waiting("wait", {.max_messages = 100, .rule = when_full::wait, .wait_limit = 20ms});
  std::promise<void> dead, posted_meanwhile, back;
  auto is_dead = dead.get_future().share();
  std::promise<int> three_refused;
  std::atomic<int> refused{0};
  std::jthread first([&] {
    int n = 0;
    const auto post = [&](int count) {
      for (const int end = n + count; n < end; ++n)
        if (!dropping.post(n)) ++refused;
    };
    post(before);
    is_dead.wait();
    post(meanwhile);
    posted_meanwhile.set_value();
    back.get_future().wait();
    post(afterwards);
  });
  std::jthread second([&] {
    (void)waiting.post(0);
    is_dead.wait();
    int n = 1, accepted = 0;
    for (int refusals = 0; refusals < 3; ++n) ++(waiting.post(n) ? accepted : refusals);
    three_refused.set_value(accepted);
  });
  EXPECT_TRUE(dropping.all.wait_for_delivered(before / 2));
  EXPECT_TRUE(waiting.all.wait_for_delivered(1));
  own_broker().kill();
  dead.set_value();
  // It has gone through all of them although nobody can have taken a single one.
  EXPECT_EQ(posted_meanwhile.get_future().wait_for(30s), std::future_status::ready);
  EXPECT_LE(dropping.box.counts().held, 5'000u);
  // With rule "wait" it waits for its limit when there is no room, and no longer.
  auto accepted_meanwhile = three_refused.get_future();
  EXPECT_EQ(accepted_meanwhile.wait_for(30s), std::future_status::ready);
  EXPECT_EQ(accepted_meanwhile.get(), 100);
  own_broker().restart();
  back.set_value();
  first.join();
  EXPECT_TRUE(dropping.box.flush(60s).has_value());
  EXPECT_TRUE(waiting.box.flush(60s).has_value());

  const auto counts = dropping.box.counts();
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(counts.accepted, std::uint64_t{before + meanwhile + afterwards});
  EXPECT_EQ(dropping.all.reported(), counts.accepted);
  EXPECT_EQ(dropping.all.twice(), 0);
  EXPECT_EQ(dropping.all.failed(), 0);
  EXPECT_EQ(counts.delivered + counts.dropped, counts.accepted);
  EXPECT_GE(counts.delivered, 5'000u) << "what was held";
  EXPECT_EQ(waiting.all.delivered(), 101u);
  for (pipe* p : {&dropping, &waiting})
    EXPECT_TRUE(p->all.wait_until_all_arrived()) << "nothing confirmed is lost";
}

}  // namespace
}  // namespace oslo::messaging
