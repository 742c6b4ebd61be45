// What happens when the broker dies, refuses, blocks, or takes queues away.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/rpc.hpp>
#include <thread>

#include "support/broker.hpp"
#include "support/forked.hpp"
#include "support/log_lines.hpp"
#include "support/recording_metrics.hpp"

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;
using testing::private_broker;
using testing::rabbit_url;
using testing::unique_name;

/// One broker for all tests of this program that are rough with it.
private_broker& own_broker() {
  static private_broker broker("recovery");
  return broker;
}

class echo_endpoint : public rpc::endpoint {
 public:
  echo_endpoint() {
    bind("echo", [](value args) { return args; });
    bind("hit", [this]() { ++hits; });
  }
  std::atomic<int> hits{0};
};

struct running_server {
  running_server(const transport& bus, const std::string& topic, rpc::server_options o = {})
      : endpoint(std::make_shared<echo_endpoint>()),
        server(bus, {.topic = topic, .server = "s1"}, {endpoint}, std::move(o)) {
    server.start();
  }
  std::shared_ptr<echo_endpoint> endpoint;
  rpc::server server;
};

value number(int i) {
  return value{{"i", i}};
}

TEST(rabbit_recovery, calls_go_on_after_the_broker_was_killed) {
  auto& broker = own_broker();
  const auto server_bus = open_transport(own_broker().url());
  const auto client_bus = open_transport(own_broker().url());
  running_server server(server_bus, "killed");
  const blocking::client client(client_bus, {.topic = "killed"}, {.timeout = 3s});
  ASSERT_EQ(client.call("echo", {}, number(0)), number(0));

  std::atomic<bool> stop{false};
  std::atomic<int> answered{0}, timed_out{0}, other{0}, late{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&] {
      for (int i = 0; !stop; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        const auto r = client.try_call("echo", {}, number(i));
        if (std::chrono::steady_clock::now() - begin > 3s + 2s) ++late;
        if (r.has_value())
          ++answered;
        else if (r.error().code() == errc::timed_out)
          ++timed_out;
        else
          ++other;
      }
    });
  broker.kill();
  broker.restart();
  // Without help from anybody, and with nothing but time limits in between.
  const auto deadline = std::chrono::steady_clock::now() + 40s;
  const int before = answered;
  while (answered < before + 200 && std::chrono::steady_clock::now() < deadline)
    ASSERT_TRUE(client.try_call("echo", {}, number(1)).has_value() ||
                std::chrono::steady_clock::now() < deadline);
  stop = true;
  for (auto& c : callers) c.join();
  EXPECT_GE(answered, before + 200);
  EXPECT_EQ(late, 0) << "a call outlived its deadline";
  EXPECT_EQ(other, 0);
}

TEST(rabbit_recovery, a_cast_made_while_the_broker_is_down_arrives) {
  auto& broker = own_broker();
  const auto bus = open_transport(own_broker().url());
  running_server server(bus, "offline");
  const blocking::client client(bus, {.topic = "offline"});
  client.cast("hit", {});
  broker.kill();
  std::thread caster([&] { client.cast("hit", {}); });
  broker.restart();
  caster.join();  // confirmed by the new broker
  // The queue is transient, so the cast may precede the server's return; then it is lost, as with
  // oslo. A cast after a successful call is not.
  const blocking::client patient(bus, {.topic = "offline"}, {.timeout = 30s});
  patient.call("echo", {}, number(1));
  const int before = server.endpoint->hits;
  client.cast("hit", {});
  patient.call("echo", {}, number(2));
  EXPECT_GE(server.endpoint->hits, before);
}

TEST(rabbit_recovery, wrong_credentials_and_vhost_end_at_once_with_the_brokers_words) {
  const auto url = rabbit_url();
  const auto at = url.find('@');
  const auto wrong_password = "rabbit://guest:not-the-password" + url.substr(at);
  const auto bus = open_transport(wrong_password);
  const blocking::client client(bus, {.topic = "t"}, {.timeout = 20s});
  const auto r = client.try_call("echo", {}, number(0));
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::authentication_failed) << r.error().message();
  EXPECT_NE(r.error().message().find("ACCESS_REFUSED"), std::string::npos) << r.error().message();
  EXPECT_EQ(r.error().message().find("not-the-password"), std::string::npos);
  EXPECT_EQ(bus.health().consuming, link_state::refused);
  EXPECT_NE(bus.health().reason.find("ACCESS_REFUSED"), std::string::npos);
  // The next one does not wait for the next attempt either.
  EXPECT_EQ(client.try_call("echo", {}, number(0)).error().code(), errc::authentication_failed);
  EXPECT_EQ(client.try_cast("hit", {}).error().code(), errc::authentication_failed);

  const auto other = open_transport(url + "no_such_vhost");
  const blocking::client lost(other, {.topic = "t"}, {.timeout = 20s});
  const auto v = lost.try_call("echo", {}, number(0));
  ASSERT_TRUE(v.has_error());
  EXPECT_EQ(v.error().code(), errc::vhost_not_found) << v.error().message();
  EXPECT_NE(v.error().message().find("no_such_vhost"), std::string::npos) << v.error().message();

  rpc::server server(other, {.topic = "t", .server = "s"}, {std::make_shared<echo_endpoint>()});
  EXPECT_THROW(server.start(), server_listen_error);
}

TEST(rabbit_recovery, an_unreachable_broker_ends_by_retry_or_by_deadline) {
  const auto bus = open_transport("rabbit://127.0.0.1:1/");
  const blocking::client client(bus, {.topic = "t"}, {.timeout = 300ms});
  const auto by_deadline = client.try_call("echo", {}, number(0));
  ASSERT_TRUE(by_deadline.has_error());
  EXPECT_EQ(by_deadline.error().code(), errc::timed_out);
  EXPECT_EQ(by_deadline.error().detail().stage, "connecting") << by_deadline.error().message();
  EXPECT_NE(by_deadline.error().message().find("127.0.0.1:1"), std::string::npos);

  const auto once = client.prepare({.timeout = 20s, .retry = 0});
  EXPECT_EQ(once.try_call("echo", {}, number(0)).error().code(), errc::unreachable);
  EXPECT_EQ(once.try_cast("hit", {}).error().code(), errc::unreachable);
}

TEST(rabbit_recovery, a_service_may_be_started_before_its_broker) {
  auto& broker = own_broker();
  broker.kill();
  testing::log_lines lines;
  const auto bus = open_transport(broker.url(), {.log = lines.into()});
  const target on{.topic = "early", .server = "s1"};
  rpc::server limited(bus, on, {}, {.start_timeout = 1s});
  try {
    limited.start();
    ADD_FAILURE() << "it started";
  } catch (const server_listen_error& e) {
    EXPECT_EQ(e.failure().code(), errc::timed_out);
    EXPECT_NE(std::string(e.what()).find("1000 ms (" + bus.health().broker + ": "),
              std::string::npos)
        << e.what();
    EXPECT_NE(std::string(e.what()).find("refused"), std::string::npos) << e.what();
  }
  rpc::server patient(bus, on, {std::make_shared<echo_endpoint>()});
  auto started = std::async(std::launch::async, [&] { patient.start({.log_after = 1ms}); });
  EXPECT_TRUE(lines.wait_for(log_level::warning,
                             "Possible hang: start is waiting for the bus to confirm the "
                             "subscription (" +
                                 bus.health().broker + ": "));
  broker.restart();
  started.get();
  EXPECT_TRUE(patient.health().listening);
}

TEST(rabbit_recovery, nobody_listens) {
  const auto bus = open_transport(rabbit_url());
  bus.probe(20s);  // connected, however busy the machine is
  const auto topic = unique_name("nobody");
  const blocking::client client(bus, {.topic = topic}, {.timeout = 2s});
  const auto strict = client.prepare({.timeout = 20s, .at_least_once = true});
  EXPECT_EQ(strict.try_call("echo", {}, number(0)).error().code(), errc::undeliverable);
  // The exchange is there by now.
  auto r = client.try_call("echo", {}, number(0));
  // It comes again every 0.25 s: at its deadline a slow broker may not have answered the last time.
  for (int again = 0; again < 10 && r.has_error() && r.error().detail().stage == "sent"; ++again)
    r = client.try_call("echo", {}, number(0));
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::timed_out);
  EXPECT_EQ(r.error().detail().stage, "returned") << r.error().message();
  EXPECT_EQ(strict.try_cast("hit", {}).error().code(), errc::undeliverable);
  EXPECT_TRUE(client.try_cast("hit", {}).has_value()) << "a cast to nobody is lost, as with oslo";
}

TEST(rabbit_recovery, a_call_before_its_server_is_answered_when_the_server_comes) {
  const auto topic = unique_name("early");
  const auto bus = open_transport(rabbit_url());
  const blocking::client client(bus, {.topic = topic}, {.timeout = 20s});
  std::thread early([&] { EXPECT_EQ(client.call("echo", {}, number(3)), number(3)); });
  const auto server_bus = open_transport(rabbit_url());
  running_server server(server_bus, topic);
  early.join();
}

TEST(rabbit_recovery, deleted_queues_are_declared_again) {
  auto& broker = own_broker();
  const auto bus = open_transport(broker.url());
  running_server server(bus, "victim");
  const blocking::client client(bus, {.topic = "victim"}, {.timeout = 20s});
  ASSERT_EQ(client.call("echo", {}, number(1)), number(1));
  broker.rabbitmqctl({"delete_queue", "victim"});
  EXPECT_EQ(client.call("echo", {}, number(2)), number(2));
  const auto queues = broker.rabbitmqctl({"list_queues", "--silent", "name"});
  const auto reply = queues.find("reply_");
  ASSERT_NE(reply, std::string::npos) << queues;
  broker.rabbitmqctl({"delete_queue", queues.substr(reply, queues.find('\n', reply) - reply)});
  EXPECT_EQ(client.call("echo", {}, number(3)), number(3));
}

TEST(rabbit_recovery, a_blocked_broker_delays_casts_and_nothing_is_lost) {
  auto& broker = own_broker();
  const auto bus = open_transport(broker.url());
  running_server server(bus, "blocked");
  const blocking::client client(bus, {.topic = "blocked"}, {.timeout = 20s});
  client.call("echo", {}, number(0));
  broker.rabbitmqctl({"set_vm_memory_high_watermark", "0"});
  std::atomic<int> confirmed{0};
  std::mutex m;
  std::condition_variable all;
  constexpr int casts = 20;
  for (int i = 0; i < casts; ++i)
    rpc::detail::start_cast(client.async(), "hit", {}, "{}", {}, [&](result<void> r) {
      EXPECT_TRUE(r.has_value());
      const std::lock_guard lock(m);
      if (++confirmed == casts) all.notify_one();
    });
  broker.rabbitmqctl({"set_vm_memory_high_watermark", "0.4"});
  std::unique_lock lock(m);
  EXPECT_TRUE(all.wait_for(lock, 30s, [&] { return confirmed == casts; }));
  lock.unlock();
  client.call("echo", {}, number(1));
  EXPECT_EQ(client.call("echo", {}, number(2)), number(2));
  server.server.stop();
  server.server.wait(10s);
  EXPECT_EQ(server.endpoint->hits, casts);
}

TEST(rabbit_recovery, health_follows_the_broker) {
  auto& broker = own_broker();
  std::mutex m;
  std::condition_variable changed;
  std::vector<transport_health> seen;
  const auto bus = open_transport(broker.url());
  EXPECT_EQ(bus.health(), transport_health{});
  EXPECT_TRUE(bus.health().ok());
  auto watching = bus.watch_health([&](const transport_health& h) {
    const std::lock_guard lock(m);
    seen.push_back(h);
    changed.notify_all();
  });
  const auto wait_for = [&](link_state publishing, link_state consuming) {
    std::unique_lock lock(m);
    return changed.wait_for(lock, 30s, [&] {
      return !seen.empty() && seen.back().publishing == publishing &&
             seen.back().consuming == consuming;
    });
  };
  const auto reported = [&] {
    std::string all;
    for (const auto& h : seen)
      all += std::string(to_string(h.publishing)) + ", " + std::string(to_string(h.consuming)) +
             ": " + h.reason + "\n";
    return all;
  };
  EXPECT_GT(bus.probe(20s).count(), 0);
  EXPECT_TRUE(wait_for(link_state::connected, link_state::connected));
  EXPECT_TRUE(bus.health().ok());
  EXPECT_EQ(bus.health().reason, "");

  broker.rabbitmqctl({"set_vm_memory_high_watermark", "0"});
  const blocking::client client(bus, {.topic = "nobody"});
  std::thread caster([&] { client.cast("hit", {}); });  // the broker blocks who publishes
  EXPECT_TRUE(wait_for(link_state::blocked, link_state::connected));
  EXPECT_FALSE(bus.health().ok());
  {
    const std::lock_guard lock(m);
    for (const auto& h : seen) {
      if (h.publishing != link_state::blocked) continue;
      EXPECT_NE(h.reason.find("memory"), std::string::npos) << reported();
    }
  }
  EXPECT_THROW(bus.probe(200ms), messaging_timeout) << "deaf, although both sockets look well";
  broker.rabbitmqctl({"set_vm_memory_high_watermark", "0.4"});
  EXPECT_TRUE(wait_for(link_state::connected, link_state::connected));
  caster.join();

  broker.kill();
  EXPECT_TRUE(wait_for(link_state::connecting, link_state::connecting));
  EXPECT_NE(bus.health().reason, "");
  broker.restart();
  EXPECT_TRUE(wait_for(link_state::connected, link_state::connected));
  watching.reset();
}

/// A broker that stops without a word: nothing but time tells.
TEST(rabbit_recovery, calls_end_on_time_while_the_broker_stands_still) {
  auto& broker = own_broker();
  const auto topic = unique_name("frozen");
  const auto meter = std::make_shared<testing::recording_metrics>();
  const auto server_bus = open_transport(broker.url());
  const auto client_bus = open_transport(broker.url(), {.meter = meter});
  std::promise<rpc::responder<int>> asked;
  auto endpoint = std::make_shared<rpc::endpoint>();
  endpoint->bind("ask", [&](rpc::responder<int> r) { asked.set_value(std::move(r)); });
  endpoint->bind("echo", [](value args) { return args; });
  rpc::server server(server_bus, {.topic = topic, .server = "s1"}, {endpoint});
  server.start();
  const blocking::client client(client_bus, {.topic = topic}, {.timeout = 2s});
  const blocking::client patient(client_bus, {.topic = topic}, {.timeout = 30s});
  ASSERT_EQ(patient.call("echo", {}, number(1)), number(1));

  auto answer = std::async(std::launch::async, [&] { return client.try_call("ask", {}); });
  auto request = asked.get_future().get();
  broker.pause();
  request.reply(7);  // stays in the broker's socket
  EXPECT_EQ(answer.get().error().code(), errc::timed_out);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(client.try_call("echo", {}, number(2)).error().code(), errc::timed_out);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(took, 2s);
  EXPECT_LT(took, 10s) << "a call waits for its deadline and not for the broker";
  // Both sockets look well; only a probe tells.
  EXPECT_TRUE(client_bus.health().ok());
  std::promise<bool> told;
  auto watching = client_bus.watch_health([&](const transport_health& h) {
    if (h.deaf) told.set_value(true);
  });
  EXPECT_THROW(client_bus.probe(300ms), messaging_timeout);
  EXPECT_TRUE(told.get_future().get());
  watching.reset();
  EXPECT_TRUE(client_bus.health().deaf);
  EXPECT_FALSE(client_bus.health().ok());
  broker.resume();
  EXPECT_EQ(patient.call("echo", {}, number(3)), number(3));
  EXPECT_FALSE(client_bus.health().deaf);
  // The answer came after its caller had gone: dropped and counted.
  const auto lines = meter->lines();
  EXPECT_GE(std::count(lines.begin(), lines.end(), "rpc_client_late_replies_total +1"), 1);
}

TEST(rabbit_recovery, a_forked_child_leaves_the_transport_to_its_parent) {
  auto& broker = own_broker();
  const auto topic = unique_name("forked");
  const auto bus = open_transport(broker.url());
  auto serving = std::make_unique<running_server>(bus, topic);
  const blocking::client client(bus, {.topic = topic}, {.timeout = 20s});
  ASSERT_EQ(client.call("echo", {}, number(1)), number(1));
  EXPECT_EQ(testing::in_a_child([&] {
              if (!bus.inherited()) return 1;
              if (client.try_call("echo", {}, number(2)).error().code() != errc::wrong_process)
                return 2;
              if (client.try_cast("hit", {}).error().code() != errc::wrong_process) return 3;
              try {
                serving->server.stop();
                return 4;
              } catch (const messaging_error& e) {
                if (e.failure().code() != errc::wrong_process) return 5;
              }
              serving.reset();
              return 0;
            }),
            0);
#ifndef __SANITIZE_THREAD__  // which knows of no threads after a fork of a threaded program
  EXPECT_EQ(testing::in_a_child([&] {
              const auto own = open_transport(broker.url());
              const blocking::client fresh(own, {.topic = topic}, {.timeout = 20s});
              return fresh.call("echo", {}, number(3)) == number(3) ? 0 : 1;
            }),
            0);
#endif
  EXPECT_EQ(client.call("echo", {}, number(4)), number(4));
  EXPECT_TRUE(bus.health().ok());
}

TEST(rabbit_recovery, a_thousand_calls_at_once_share_two_connections) {
  auto& broker = own_broker();
  const auto server_bus = open_transport(broker.url());
  running_server server(server_bus, "thousand");
  const auto client_bus = open_transport(broker.url(), {.client_name = "the-client"});
  const rpc::client client(client_bus, {.topic = "thousand"}, {.timeout = 30s});
  std::mutex m;
  std::condition_variable all;
  int answered = 0, right = 0;
  constexpr int calls = 1000;
  for (int i = 0; i < calls; ++i) {
    const auto args = "{\"i\": " + std::to_string(i) + "}";
    rpc::detail::start_call(client, "echo", {}, args, {}, [&, args](result<std::string> r) {
      const std::lock_guard lock(m);
      if (r.has_value() && *r == args) ++right;
      if (++answered == calls) all.notify_one();
    });
  }
  std::unique_lock lock(m);
  ASSERT_TRUE(all.wait_for(lock, 40s, [&] { return answered == calls; }));
  EXPECT_EQ(right, calls);
  lock.unlock();
  const auto connections =
      broker.rabbitmqctl({"list_connections", "--silent", "client_properties"});
  int ours = 0;
  for (auto at = connections.find("the-client"); at != std::string::npos;
       at = connections.find("the-client", at + 1))
    ++ours;
  EXPECT_EQ(ours, 2) << connections;
}

/// A caller that is gone for good does not keep a server from ending.
TEST(rabbit_recovery, a_stopping_server_gives_up_an_answer_whose_queue_is_missing) {
  const auto topic = unique_name("vanished");
  const auto bus = open_transport(rabbit_url());
  std::promise<rpc::responder<int>> asked;
  auto endpoint = std::make_shared<rpc::endpoint>();
  endpoint->bind("ask", [&](rpc::responder<int> r) { asked.set_value(std::move(r)); });
  rpc::server server(bus, {.topic = topic, .server = "s1"}, {endpoint});
  server.start();
  {
    auto caller = open_transport(rabbit_url());
    const rpc::client client(caller, {.topic = topic}, {.timeout = 60s});
    rpc::detail::start_call(client, "ask", {}, "{}", {}, [](result<std::string>) {});
    auto request = asked.get_future();
    ASSERT_EQ(request.wait_for(20s), std::future_status::ready);
    caller.close(10s);
    request.get().reply(7);
  }
  server.stop();
  EXPECT_NO_THROW(server.wait(30s));  // not the 60 s of kombu_missing_consumer_retry_timeout
}

TEST(rabbit_recovery, a_closed_transport_ends_what_is_pending_and_removes_its_queues) {
  auto& broker = own_broker();
  {
    auto bus = open_transport(broker.url());
    const auto topic = unique_name("closing");
    const rpc::client client(bus, {.topic = topic}, {.timeout = 60s});
    std::mutex m;
    std::condition_variable done;
    std::optional<errc> code;
    rpc::detail::start_call(client, "echo", {}, "{}", {}, [&](result<std::string> r) {
      const std::lock_guard lock(m);
      code = r.error().code();
      done.notify_one();
    });
    running_server server(bus, topic + "_other");
    server.server.stop();
    server.server.wait(10s);
    bus.close(5s);
    std::unique_lock lock(m);
    ASSERT_TRUE(done.wait_for(lock, 10s, [&] { return code.has_value(); }));
    EXPECT_EQ(*code, errc::closed);
  }
  const auto queues = broker.rabbitmqctl({"list_queues", "--silent", "name"});
  EXPECT_EQ(queues.find("reply_"), std::string::npos) << queues;
  EXPECT_EQ(queues.find("_fanout_"), std::string::npos) << queues;
}

}  // namespace
}  // namespace oslo::messaging
