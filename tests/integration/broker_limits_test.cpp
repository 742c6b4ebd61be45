// What the broker forbids: it ends the channel for it, and only the message that is to blame fails.
#include <gmock/gmock.h>

#include <memory>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/rpc.hpp>
#include <string>
#include <vector>

#include "support/broker.hpp"
#include "support/marks.hpp"
#include "support/outcomes.hpp"

namespace oslo::messaging::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AnyOf;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

constexpr std::size_t too_large = 1'500'000;

private_broker& own_broker() {
  static private_broker broker("limits", {"max_message_size = 1000000"});
  return broker;
}

struct marking_server {
  marking_server(const transport& bus, const std::string& topic)
      : server(bus, {.topic = topic, .server = "s1"}, {endpoint(seen)},
               {.executor = thread_pool(4)}) {
    server.start();
  }
  static std::shared_ptr<rpc::endpoint> endpoint(std::shared_ptr<marks> into) {
    auto e = std::make_shared<rpc::endpoint>();
    e->bind("mark", [into = std::move(into)](mark m) { into->add(m.id); });
    e->bind("large", [] { return std::string(too_large, 'x'); });
    e->bind("small", [] { return std::string("x"); });
    return e;
  }

  std::shared_ptr<marks> seen = std::make_shared<marks>();
  rpc::server server;
};

std::vector<int> from(int first, int step, int end) {
  std::vector<int> numbers;
  for (int i = first; i < end; i += step) numbers.push_back(i);
  return numbers;
}

TEST(broker_limits, a_message_too_large_for_the_broker_fails_alone) {
  constexpr int casts = 300, guilty = 150;
  const auto topic = unique_name("large");
  const marking_server server(open_transport(own_broker().url()), topic);
  const auto bus = open_transport(own_broker().url());
  const rpc::client client(bus, {.topic = topic}, {.timeout = 60s});
  outcomes ended;
  for (int i = 0; i <= casts; ++i)
    rpc::detail::start_cast(client, "mark", {}, mark_json(i, i == guilty ? too_large : 100), {},
                            ended.completion(i));
  ASSERT_TRUE(ended.wait(casts + 1, 60s));
  EXPECT_THAT(ended.failed(), ElementsAre(guilty)) << ended;
  EXPECT_THAT(ended.of(guilty).message, HasSubstr("larger than configured max size"));
  EXPECT_TRUE(server.seen->wait(casts, 20s));
  EXPECT_FALSE(server.seen->seen().contains(guilty));
}

TEST(broker_limits, several_messages_too_large_fail_and_no_other) {
  constexpr int casts = 200, step = 20, guilty = 7;
  const auto topic = unique_name("large");
  const marking_server server(open_transport(own_broker().url()), topic);
  const auto bus = open_transport(own_broker().url());
  const rpc::client client(bus, {.topic = topic}, {.timeout = 60s});
  outcomes ended;
  for (int i = 0; i < casts; ++i)
    rpc::detail::start_cast(client, "mark", {}, mark_json(i, i % step == guilty ? too_large : 100),
                            {}, ended.completion(i));
  ASSERT_TRUE(ended.wait(casts, 60s));
  EXPECT_THAT(ended.failed(), ElementsAreArray(from(guilty, step, casts))) << ended;
  EXPECT_TRUE(server.seen->wait(casts - casts / step, 20s));
}

TEST(broker_limits, a_routing_key_that_the_user_may_not_write_fails_alone) {
  constexpr int casts = 300, step = 30, guilty = 7;
  auto& broker = own_broker();
  const auto user = unique_name("user");
  broker.rabbitmqctl({"add_user", user, "secret"});
  broker.rabbitmqctl({"set_permissions", "-p", "/", user, ".*", ".*", ".*"});
  broker.rabbitmqctl({"set_topic_permissions", "-p", "/", user, "openstack", "^may_", ".*"});
  const auto may = unique_name("may_"), may_not = unique_name("forbidden");
  const marking_server server(open_transport(broker.url()), may);
  const auto bus = open_transport("rabbit://" + user + ":secret@" + broker.address() + '/');
  const rpc::client allowed(bus, {.topic = may}, {.timeout = 60s});
  const rpc::client forbidden(bus, {.topic = may_not}, {.timeout = 60s});
  outcomes ended;
  for (int i = 0; i < casts; ++i)
    rpc::detail::start_cast((i % step == guilty ? forbidden : allowed), "mark", {},
                            mark_json(i, 100), {}, ended.completion(i));
  ASSERT_TRUE(ended.wait(casts, 60s));
  EXPECT_THAT(ended.failed(), ElementsAreArray(from(guilty, step, casts))) << ended;
  for (const int i : from(guilty, step, casts)) {
    // Several were under way: the broker may have taken all but one before it refused that.
    EXPECT_THAT(ended.of(i).code, AnyOf(errc::access_refused, errc::outcome_unknown))
        << i << ": " << ended.of(i);
    EXPECT_THAT(ended.of(i).message, HasSubstr(may_not));
  }
  EXPECT_TRUE(server.seen->wait(casts - casts / step, 20s));
}

TEST(broker_limits, a_reply_too_large_for_the_broker_is_an_error_of_the_call) {
  const auto topic = unique_name("large");
  const marking_server server(open_transport(own_broker().url()), topic);
  const auto bus = open_transport(own_broker().url());
  const rpc::client client(bus, {.topic = topic}, {.timeout = 60s});
  constexpr int large = 10;
  outcomes ended;
  for (int i = 0; i < 20; ++i)
    rpc::detail::start_call(client, i == large ? "large" : "small", {}, "{}", {},
                            ended.completion(i));
  ASSERT_TRUE(ended.wait(20, 30s)) << "well before its 60 s";
  EXPECT_THAT(ended.failed(), ElementsAre(large)) << ended;
  EXPECT_NE(ended.of(large).code, errc::timed_out);
  EXPECT_THAT(ended.of(large).message, ContainsRegex("large|size"));
}

/// Connections made in its lifetime have so many channels.
class channel_limit {
 public:
  explicit channel_limit(int count) { set(count); }
  ~channel_limit() { set(2047); }
  channel_limit(const channel_limit&) = delete;
  channel_limit& operator=(const channel_limit&) = delete;

 private:
  static void set(int count) {
    own_broker().rabbitmqctl(
        {"eval", "application:set_env(rabbit, channel_max, " + std::to_string(count) + ")."});
  }
};

TEST(broker_limits, servers_beyond_the_channels_fail_and_take_the_place_of_those_that_stop) {
  for (const int channels : {1, 2}) {
    const auto elsewhere = open_transport(own_broker().url());
    elsewhere.probe(20s);
    const channel_limit limit(channels);
    const auto bus = open_transport(own_broker().url());
    std::vector<std::unique_ptr<rpc::server>> servers;
    const auto topic = unique_name("channels");
    const auto add = [&] {
      auto server = std::make_unique<rpc::server>(
          bus, target{.topic = topic + std::to_string(servers.size()), .server = "s1"},
          std::vector{marking_server::endpoint(std::make_shared<marks>())},
          rpc::server_options{.executor = thread_pool(1), .start_timeout = 20s});
      server->start();
      servers.push_back(std::move(server));
    };
    std::string why;
    while (why.empty() && servers.size() < 20) {
      try {
        add();
      } catch (const server_listen_error& e) {
        why = e.what();
      }
    }
    EXPECT_THAT(why, HasSubstr("channel")) << "with " << channels;
    ASSERT_GE(servers.size(), 1u);
    EXPECT_TRUE(servers[0]->health().consuming) << bus.health().reason;

    const blocking::client client(elsewhere, {.topic = topic + "0"}, {.timeout = 20s});
    EXPECT_TRUE(client.try_call("small", {}).has_value()) << "the others still serve";

    const auto before = servers.size();
    servers.back()->stop();
    servers.back()->wait(10s);
    servers.pop_back();
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (servers.size() < before && std::chrono::steady_clock::now() < deadline) {
      try {
        add();
      } catch (const server_listen_error&) {
        // The channel may be on its way out.
      }
    }
    EXPECT_EQ(servers.size(), before);
  }
}

/// Over all connections of a user; the broker ends the one that asks for another channel.
TEST(broker_limits, a_server_beyond_the_channels_of_the_user_fails_alone) {
  const auto ctl = [](std::vector<std::string> words) { own_broker().rabbitmqctl(words); };
  ctl({"add_user", "limited", "limited"});
  ctl({"set_permissions", "limited", ".*", ".*", ".*"});
  const auto elsewhere = open_transport(own_broker().url());
  const auto bus = open_transport("rabbit://limited:limited@" + own_broker().address() + "/");
  const auto topic = unique_name("channels");
  const marking_server one(bus, topic + "1");
  const auto call = [&](const std::string& to) {
    const blocking::client client(elsewhere, {.topic = to}, {.timeout = 20s});
    const auto answer = client.try_call("small", {});
    EXPECT_TRUE(answer.has_value()) << (answer ? "" : answer.error().message());
  };
  call(topic + "1");  // which needs a channel for replies
  const marking_server two(bus, topic + "2");
  ctl({"set_user_limits", "limited", R"({"max-channels": 3})"});
  rpc::server three(bus, {.topic = topic + "3", .server = "s1"},
                    {marking_server::endpoint(std::make_shared<marks>())},
                    {.executor = thread_pool(1), .start_timeout = 20s});
  try {
    three.start();
    FAIL() << "there was a channel";
  } catch (const server_listen_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("number of channels"));
  }
  call(topic + "1");
  call(topic + "2");
  ctl({"clear_user_limits", "limited", "all"});
  three.start();
  call(topic + "3");
}

TEST(broker_limits, a_client_that_finds_no_channel_is_told_so_and_gets_one_that_becomes_free) {
  const auto elsewhere = open_transport(own_broker().url());
  const auto topic = unique_name("channels");
  const marking_server there(elsewhere, topic);
  const channel_limit limit(1);
  const auto bus = open_transport(own_broker().url());
  auto here = std::make_unique<marking_server>(bus, topic + "here");
  const blocking::client client(bus, {.topic = topic}, {.timeout = 30s});
  const auto begin = std::chrono::steady_clock::now();
  const auto r = client.try_call("small", {});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  if (r.has_error()) {
    EXPECT_THAT(r.error().message(), HasSubstr("channel"));
  }
  EXPECT_TRUE(here->server.health().consuming) << bus.health().reason;
  EXPECT_TRUE(client.try_cast("mark", {}, value{{"id", 1}}).has_value());
  here.reset();
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  bool answered = false;
  while (!answered && std::chrono::steady_clock::now() < deadline)
    answered = client.try_call("small", {}).has_value();
  EXPECT_TRUE(answered);
  EXPECT_TRUE(there.seen->wait(1, 10s));
}

}  // namespace
}  // namespace oslo::messaging::testing
