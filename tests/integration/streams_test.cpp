// Fanouts by a stream (rabbit_stream_fanout) over connections that are lost, and a stream that is
// deleted.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/rpc.hpp>
#include <vector>

#include "support/broker.hpp"

namespace oslo::messaging::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

constexpr auto options =
    "?rabbit_stream_fanout=true&rabbit_transient_quorum_queue=true&rabbit_qos_prefetch_count=4";

/// Keeps the numbers that it was called with, in their order.
class counting_server {
 public:
  counting_server(const std::string& url, const std::string& topic, const std::string& name)
      : bus_(open_transport(url)),
        // One thread, so that the order in which they came is the order of the numbers.
        server_(bus_, {.topic = topic, .server = name}, {endpoint()},
                {.executor = thread_pool(1)}) {
    server_.start();
  }
  /// Until it consumes.
  void wait_until_consuming() {
    std::promise<void> consuming;
    auto once = std::make_shared<std::atomic<bool>>(false);
    const auto watch = server_.watch_health([&, once](const rpc::server_health& now) {
      if (now.consuming && !once->exchange(true)) consuming.set_value();
    });
    ASSERT_EQ(consuming.get_future().wait_for(60s), std::future_status::ready);
  }
  /// Once it has had that number.
  std::vector<int> until(int last, std::chrono::seconds limit = 60s) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, limit, [&] { return !got_.empty() && got_.back() == last; });
    return got_;
  }

 private:
  std::shared_ptr<rpc::endpoint> endpoint() {
    auto e = std::make_shared<rpc::endpoint>();
    e->bind("hit", [this](const value& arguments) {
      const std::lock_guard lock(mutex_);
      got_.push_back(static_cast<int>(arguments.at("i").as_int64()));
      changed_.notify_all();
      return value();
    });
    return e;
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> got_;
  transport bus_;
  rpc::server server_;
};

class rabbit_streams : public ::testing::Test {
 protected:
  static private_broker& broker() {
    static private_broker one("streams");
    return one;
  }
  /// Ends every connection, so that nobody knows what the other side has read.
  static void lose_connections() { broker().rabbitmqctl({"close_all_connections", "by the test"}); }
  /// Complete once the broker has it.
  void hit(int i) { client.cast("hit", {}, value{{"i", i}}); }

  std::string url = broker().url() + options;
  std::string topic = unique_name("topic");
  transport bus = open_transport(url);
  blocking::client client{bus, {.topic = topic, .fanout = true}};
};

TEST_F(rabbit_streams, every_server_gets_each_cast_once_over_lost_connections) {
  counting_server one(url, topic, "one"), idle(url, topic, "idle");
  hit(1);
  EXPECT_THAT(one.until(1), ElementsAre(1));
  lose_connections();
  // It may be there before the servers are.
  hit(2);
  EXPECT_THAT(one.until(2), ElementsAre(1, 2));
  EXPECT_THAT(idle.until(2), ElementsAre(1, 2));
  hit(3);
  EXPECT_THAT(one.until(3), ElementsAre(1, 2, 3));
  // A new one begins with what is new.
  counting_server late(url, topic, "late");
  hit(4);
  EXPECT_THAT(late.until(4), ElementsAre(4));
  EXPECT_THAT(one.until(4), ElementsAre(1, 2, 3, 4));
}

/// It cannot know from an offset where to go on.
TEST_F(rabbit_streams, a_server_that_has_had_nothing_yet_misses_nothing_either) {
  counting_server one(url, topic, "one");
  lose_connections();
  hit(1);
  EXPECT_THAT(one.until(1), ElementsAre(1));
}

TEST_F(rabbit_streams, a_stream_that_is_deleted_is_made_again) {
  counting_server one(url, topic, "one");
  for (int i = 1; i <= 3; ++i) hit(i);
  EXPECT_THAT(one.until(3), ElementsAre(1, 2, 3));
  broker().rabbitmqctl({"delete_queue", topic + "_fanout"});
  hit(4);                                      // into the void, or not
  counting_server other(url, topic, "other");  // by then there is a stream again
  hit(5);
  const auto got = one.until(5);
  ASSERT_GE(got.size(), 4u);
  EXPECT_EQ(got.back(), 5);
  EXPECT_EQ(std::vector<int>(got.begin(), got.begin() + 3), (std::vector<int>{1, 2, 3}));
  EXPECT_LE(got.size(), 5u) << "nothing came twice";
}

/// Nobody was connected when the stream ended: offsets count anew.
TEST_F(rabbit_streams, a_broker_that_has_lost_its_data_is_heard_again) {
  counting_server one(url, topic, "one");
  int last = 0;
  std::vector<int> all;
  const auto hit_next = [&] {
    hit(++last);
    all.push_back(last);
  };
  while (last < 20) hit_next();
  EXPECT_THAT(one.until(last), ElementsAreArray(all));
  for (const auto* command : {"stop_app", "reset", "start_app"}) broker().rabbitmqctl({command});
  one.wait_until_consuming();
  // Less than there were, until it is heard.
  for (int i = 0; i < 15; ++i) {
    hit_next();
    if (one.until(last, 5s).size() > 20) break;
  }
  EXPECT_THAT(one.until(last), ElementsAreArray(all));
}

}  // namespace
}  // namespace oslo::messaging::testing
