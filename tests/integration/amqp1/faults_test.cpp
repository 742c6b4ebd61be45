// amqp:// while its broker goes away and comes back: outcomes as docs/amqp1.md says.
#include <gmock/gmock.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/messaging.hpp>
#include <set>
#include <string>
#include <utility>

#include "support/broker.hpp"

namespace oslo::messaging::testing {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 60s;

/// What handlers were called with.
class notes {
 public:
  void add(int n) {
    const std::lock_guard lock(mutex_);
    seen_.insert(n);
    changed_.notify_all();
  }
  /// Whether there are so many in time.
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return seen_.size() >= count; });
  }
  std::multiset<int> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multiset<int> seen_;
};

class amqp1_faults : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { broker_ = new private_broker("faults"); }
  static void TearDownTestSuite() { delete broker_; }

  static private_broker& broker() { return *broker_; }
  std::unique_ptr<rpc::server> serve(const std::string& name = "s1") {
    auto e = std::make_shared<rpc::endpoint>();
    e->bind("add", [](const value& v) { return v.at("a").as_int64() + v.at("b").as_int64(); });
    e->bind("note", [this](const value& v) { seen_.add(static_cast<int>(v.at("n").as_int64())); });
    e->bind("hold", [this](rpc::responder<int> r) {
      held_.emplace(std::move(r));
      holding_.set_value();
    });
    auto s = std::make_unique<rpc::server>(server_bus_, target{.topic = topic_, .server = name},
                                           std::vector{e});
    s->start();
    return s;
  }
  static void wait_until_it_listens(const rpc::server& s) {
    const auto listens = std::make_shared<std::promise<void>>();
    const auto watch = s.watch_health([listens, told = false](const auto& h) mutable {
      if (h.ok() && !std::exchange(told, true)) listens->set_value();
    });
    EXPECT_EQ(listens->get_future().wait_for(patience), std::future_status::ready);
  }
  blocking::client client(rpc::client_options o = {}) const {
    if (!o.timeout) o.timeout = patience;
    return {client_bus_, {.topic = topic_}, o};
  }

  static private_broker* broker_;
  std::string topic_ = unique_name("faults");
  transport server_bus_ = open_transport(broker().url());
  transport client_bus_ = open_transport(broker().url());
  notes seen_;
  std::optional<rpc::responder<int>> held_;
  std::promise<void> holding_;
};
private_broker* amqp1_faults::broker_ = nullptr;

const value one_and_two{{"a", 1}, {"b", 2}};

TEST_F(amqp1_faults, after_a_restart_everybody_is_there_again) {
  const auto one = serve("one"), two = serve("two");
  const auto c = client();
  EXPECT_EQ(c.call("add", {}, one_and_two), 3);
  broker().kill();
  broker().restart();
  EXPECT_EQ(c.call("add", {}, one_and_two), 3);
  for (const char* name : {"one", "two"})
    EXPECT_EQ(c.prepare({.server = name}).call("add", {}, one_and_two), 3);
  // A fanout that nobody listens to is lost, so it is sent once both listen to all of them.
  wait_until_it_listens(*one);
  wait_until_it_listens(*two);
  c.prepare({.fanout = true}).cast("note", {}, value{{"n", 7}});
  EXPECT_TRUE(seen_.wait_for(2));
}

TEST_F(amqp1_faults, what_is_sent_while_the_broker_is_away_waits_for_it) {
  const auto server = serve();
  const auto c = client();
  EXPECT_EQ(c.call("add", {}, one_and_two), 3);
  broker().kill();
  auto answer = std::async(std::launch::async, [&] { return c.call("add", {}, one_and_two); });
  auto cast = std::async(std::launch::async, [&] {
    client({.at_least_once = true}).cast("note", {}, value{{"n", 1}});
  });
  const auto hasty = client({.timeout = 300ms}).try_call("add", {}, one_and_two);
  ASSERT_TRUE(hasty.has_error());
  EXPECT_EQ(hasty.error().code(), errc::timed_out);
  EXPECT_EQ(hasty.error().detail().stage, "connecting");
  broker().restart();
  EXPECT_EQ(answer.get(), 3);
  cast.get();
  EXPECT_TRUE(seen_.wait_for(1));
  EXPECT_EQ(seen_.seen(), std::multiset<int>{1});
}

TEST_F(amqp1_faults, a_call_whose_broker_dies_under_its_handler_ends_at_its_deadline) {
  const auto server = serve();
  auto answer =
      std::async(std::launch::async, [&] { return client({.timeout = 8s}).try_call("hold", {}); });
  ASSERT_EQ(holding_.get_future().wait_for(patience), std::future_status::ready);
  broker().kill();
  broker().restart();
  EXPECT_EQ(client().call("add", {}, one_and_two), 3);
  held_->reply(1);  // to an address that is gone
  const auto r = answer.get();
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::timed_out);
  EXPECT_EQ(r.error().detail().stage, "confirmed");
}

TEST_F(amqp1_faults, calls_under_load_each_end_once) {
  const auto server = serve();
  constexpr int calls = 400;
  std::atomic<int> good{0}, timed_out{0}, others{0}, left{calls};
  std::promise<void> first, all;
  const rpc::client c(client_bus_, {.topic = topic_}, {.timeout = 8s});
  for (int i = 0; i < calls; ++i) {
    rpc::detail::start_call(c, "add", {}, R"({"a": 1, "b": 2})", {},
                            [&](const result<std::string>& r) {
                              if (r.has_value() && *r == "3") {
                                if (good++ == 0) first.set_value();
                              } else if (r.has_value())
                                ++others;
                              else
                                ++(r.error().code() == errc::timed_out ? timed_out : others);
                              if (--left == 0) all.set_value();
                            });
    if (i != calls / 2) continue;
    // It takes a while to be there again: those behind it may all be out of time by then.
    ASSERT_EQ(first.get_future().wait_for(patience), std::future_status::ready);
    broker().kill();
  }
  broker().restart();
  ASSERT_EQ(all.get_future().wait_for(patience), std::future_status::ready);
  EXPECT_EQ(others, 0);
  EXPECT_EQ(good + timed_out, calls);
  EXPECT_GT(good, 0);
}

TEST_F(amqp1_faults, logins_that_are_refused_and_taken) {
  if (std::getenv("OSLO_TEST_QPID_URL") == nullptr)
    GTEST_SKIP() << "The Artemis of the tests takes everybody.";
  const auto control = split_words(environment("OSLO_TEST_BROKER_CONTROL"));
  const auto folder = environment("OSLO_TEST_BROKER_DIR") + "-faults";
  auto url = run({control[0], control[1], "plain", "--dir", folder});
  url.pop_back();  // the end of the line
  const blocking::client good(open_transport(url), {.topic = topic_}, {.timeout = patience});
  good.cast("note", {}, value{{"n", 1}});
  const auto at = url.find("secret");
  ASSERT_NE(at, url.npos);
  url.replace(at, 6, "wrong");
  const blocking::client bad(open_transport(url), {.topic = topic_}, {.timeout = patience});
  const auto r = bad.try_call("add", {}, one_and_two);
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::authentication_failed) << r.error().message();
}

}  // namespace
}  // namespace oslo::messaging::testing
