// A cluster whose nodes die: who was connected to one goes on at another.
#include <gmock/gmock.h>

#include <array>
#include <condition_variable>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <oslo/messaging/messaging.hpp>
#include <oslo/messaging/notify/listener.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/broker.hpp"
#include "support/marks.hpp"
#include "support/outcomes.hpp"
#include "support/recording_metrics.hpp"

namespace oslo::messaging::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

broker_cluster& own_cluster() {
  static broker_cluster cluster("cluster");
  return cluster;
}

/// The line that begins with `start`, of what rabbitmqctl prints; empty when there is none yet.
std::string find_line(const std::string& text, const std::string& start) {
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(start)) return line;
  return {};
}

/// The node that holds the only queue whose name begins with `start`. `asked` has to be alive.
std::size_t node_of_queue(std::size_t asked, const std::string& start) {
  auto& cluster = own_cluster();
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  for (;;) {
    const auto line = find_line(
        cluster.node(asked).rabbitmqctl({"list_queues", "--silent", "name", "pid"}), start);
    if (!line.empty()) return cluster.find_in(line);
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("no queue begins with " + start);
  }
}

std::size_t node_of_connection(std::size_t asked, const std::string& name) {
  auto& cluster = own_cluster();
  std::istringstream lines{cluster.node(asked).rabbitmqctl(
      {"list_connections", "--silent", "pid", "client_properties"})};
  for (std::string line; std::getline(lines, line);)
    if (line.find(name) != std::string::npos) return cluster.find_in(line);
  throw std::runtime_error("no connection of " + name);
}

std::size_t other_than(std::size_t node) {
  return node == 0 ? 1 : 0;
}

/// Keeps every request until it is told to let go; answers at once from then on.
class keeper {
 public:
  std::shared_ptr<rpc::endpoint> endpoint() {
    auto e = std::make_shared<rpc::endpoint>();
    e->bind("keep", [this](mark m, rpc::responder<int> r) {
      const std::lock_guard lock(mutex_);
      if (!holding_) return r.reply(m.id);
      kept_.emplace_back(m.id, std::move(r));
      changed_.notify_all();
    });
    return e;
  }
  bool wait(std::size_t count, std::chrono::seconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return kept_.size() >= count; });
  }
  void hold() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    for (auto& [id, r] : kept_) r.reply(id);
    kept_.clear();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool holding_ = false;
  std::vector<std::pair<int, rpc::responder<int>>> kept_;
};

/// A server that keeps its requests for a while, and who calls it. An exchange of its own: one
/// cannot be durable and not.
struct kept_service {
  kept_service(const std::string& server_url, const std::string& client_url)
      : server_bus(open_transport(server_url)), client_bus(open_transport(client_url)) {
    server.start();
  }
  void call(int first, int last) {
    for (int i = first; i < last; ++i)
      rpc::detail::start_call(client, "keep", {}, mark_json(i), {}, ended->completion(i));
  }

  const std::string topic = unique_name("cluster"), exchange = unique_name("exchange");
  keeper requests;
  transport server_bus, client_bus;
  rpc::server server{server_bus,
                     {.exchange = exchange, .topic = topic, .server = "s1"},
                     {requests.endpoint()},
                     {.executor = thread_pool(4), .max_running = 1000}};
  rpc::client client{client_bus, {.exchange = exchange, .topic = topic}, {.timeout = 60s}};
  std::optional<outcomes> ended{std::in_place};
};

/// Their requests are with the server, their answers are to come when the node is gone. With it go
/// the reply queues, and of the quorum queue the leader.
TEST(cluster, calls_end_with_their_results_although_the_node_of_their_reply_queue_dies) {
  constexpr int calls = 50;
  auto& cluster = own_cluster();
  const auto quorum = "?rabbit_quorum_queue=true";
  kept_service transient(cluster.url(), cluster.url({2, 1, 0}));
  kept_service durable(cluster.url({2, 1, 0}) + quorum, cluster.url({2, 1, 0}) + quorum);
  std::size_t asked = 0;
  for (int round = 0; round < 2; ++round) {
    for (auto* s : {&transient, &durable}) {
      s->ended.emplace();
      s->requests.hold();
      s->call(0, calls);
      ASSERT_TRUE(s->requests.wait(calls, 20s));
    }
    const auto victim = node_of_queue(asked, "reply_");
    cluster.node(victim).kill();
    for (auto* s : {&transient, &durable}) {
      s->requests.let_go();
      s->call(calls, 2 * calls);  // while both sides look for another node
    }
    for (auto* s : {&transient, &durable}) {
      EXPECT_TRUE(s->ended->wait(2 * calls, 30s)) << *s->ended;
      EXPECT_THAT(s->ended->failed(), IsEmpty()) << *s->ended;
    }
    cluster.node(victim).restart();
    asked = other_than(victim);
  }
}

/// Whatever a call was doing: it ends, and long before its time. Only an answer that the broker had
/// taken into the queue that died is lost, and nobody can tell: its call was served, and the server
/// has dropped no answer. The queue of requests is on a node that stays.
TEST(cluster, no_call_waits_for_its_timeout_because_a_node_died) {
  constexpr int callers = 50;
  auto& cluster = own_cluster();
  const auto topic = unique_name("cluster");
  const auto served = std::make_shared<marks>();
  auto endpoint = std::make_shared<rpc::endpoint>();
  endpoint->bind("echo", [served](mark m) {
    served->add(m.id);
    return m.id;
  });
  const auto meter = std::make_shared<recording_metrics>();
  const auto server_bus = open_transport(cluster.url({0}), {.meter = meter});
  rpc::server server(server_bus, {.topic = topic, .server = "s1"}, {endpoint},
                     {.executor = thread_pool(4)});
  server.start();
  struct load_state {
    std::mutex mutex;
    std::condition_variable changed;
    bool stop = false;
    int next = 0, answered = 0, after_kill = 0;
    std::set<int> running;
    std::vector<std::string> wrong;

    bool only_early_ones_wait() const { return running.empty() || *running.rbegin() < after_kill; }
  };
  const auto load = std::make_shared<load_state>();
  std::function<void()> call_again;
  const auto client_bus = open_transport(cluster.url({1, 2}));
  const rpc::client client(client_bus, {.topic = topic}, {.timeout = 60s});
  call_again = [&call_again, &client, load] {
    int id = 0;
    {
      const std::lock_guard lock(load->mutex);
      id = load->next++;
      load->running.insert(id);
    }
    rpc::detail::start_call(client, "echo", {}, mark_json(id), {},
                            [&call_again, load, id](const result<std::string>& r) {
                              std::unique_lock lock(load->mutex);
                              load->running.erase(id);
                              if (r.has_value())
                                ++load->answered;
                              else
                                load->wrong.push_back(r.error().message());
                              const bool go_on = !load->stop;
                              load->changed.notify_all();
                              lock.unlock();
                              if (go_on) call_again();
                            });
  };
  for (int i = 0; i < callers; ++i) call_again();
  const auto wait_for_more = [&](int count) {
    std::unique_lock lock(load->mutex);
    const int before = load->answered;
    return load->changed.wait_for(lock, 40s, [&] { return load->answered >= before + count; });
  };
  EXPECT_TRUE(wait_for_more(500));
  const auto victim = node_of_queue(0, "reply_");
  cluster.node(victim).kill();
  {
    const std::lock_guard lock(load->mutex);
    load->after_kill = load->next;
  }
  EXPECT_TRUE(wait_for_more(500)) << "after the kill";
  std::unique_lock lock(load->mutex);
  load->stop = true;
  load->changed.wait_for(lock, 15s, [&] { return load->running.empty(); });
  EXPECT_TRUE(load->changed.wait_for(lock, 40s, [&] { return load->only_early_ones_wait(); }))
      << load->running.size() << " calls still wait";
  // A call that is told that its message may be lost has an answer; one that times out has none.
  EXPECT_THAT(load->wrong, Each(Not(HasSubstr("imed out"))));
  const auto lost = load->running;
  lock.unlock();
  std::cout << lost.size() << " answers were lost with their queue\n";
  server.stop();
  server.wait(10s);  // until its answers have been confirmed, or are dropped
  EXPECT_THAT(meter->lines(), Not(Contains(HasSubstr("dropped_replies"))));
  const auto seen = served->seen();
  for (const int id : lost) EXPECT_TRUE(seen.contains(id)) << "nobody has served call " << id;
  cluster.node(victim).restart();
}

TEST(cluster, no_confirmed_notification_of_a_durable_queue_is_lost_with_the_senders_node) {
  constexpr int count = 3000, before_the_kill = 300;
  auto& cluster = own_cluster();
  const auto topic = unique_name("cluster"), name = unique_name("notifier");
  const auto durable = [&](std::string client_name) {
    transport_options o;
    o.conf.set("oslo_messaging_rabbit", "amqp_durable_queues", "true");
    o.conf.set("DEFAULT", "control_exchange", "durable");
    o.client_name = std::move(client_name);
    return o;
  };
  const auto bus = open_transport(cluster.url(), durable(name));
  const auto to = [&](const std::string& where) {
    return notify::notifier(bus, {.drivers = {{"messagingv2"}}, .topics = {{where}}});
  };
  outcomes connected;
  to(topic + "first").post(notify::priority::info, {}, "first", 0, connected.completion(0));
  ASSERT_TRUE(connected.wait(1, 20s));
  const auto victim = node_of_connection(0, name);
  // The queue lives on the node of the one who declares it.
  const auto listener_bus = open_transport(cluster.url({other_than(victim)}), durable("listener"));
  const auto seen = std::make_shared<marks>();
  auto endpoint = std::make_shared<notify::endpoint>();
  endpoint->bind(notify::priority::info, [seen](const notify::notification& n) {
    seen->add(std::stoi(n.event_type.value()));
  });
  target on;
  on.topic = topic;
  notify::listener listener(listener_bus, {on}, {endpoint}, {});
  listener.start();

  const auto notifier = to(topic);
  outcomes ended;
  int sent = 0;
  const auto send = [&](int n) {
    for (const int end = sent + n; sent < end; ++sent)
      notifier.post(notify::priority::info, {}, std::to_string(sent), sent, ended.completion(sent));
  };
  send(before_the_kill);
  ASSERT_TRUE(ended.wait(before_the_kill, 20s));
  send((count - before_the_kill) / 2);
  cluster.node(victim).kill();
  send(count - sent);
  EXPECT_TRUE(ended.wait(count, 60s)) << ended;
  EXPECT_THAT(ended.failed(), IsEmpty()) << ended;
  EXPECT_TRUE(seen->wait(count, 30s)) << seen->seen().size();
  cluster.node(victim).restart();
}

/// A quorum queue without its quorum takes messages and confirms none. The last test: it leaves the
/// cluster in ruins.
TEST(cluster, a_queue_that_never_confirms_delays_only_its_own_messages) {
  constexpr int casts = 200;
  auto& cluster = own_cluster();
  const auto stuck = unique_name("stuck"), fine = unique_name("fine");
  const auto bus = open_transport(cluster.url({0}));
  const auto seen = std::make_shared<marks>();
  auto endpoint = std::make_shared<rpc::endpoint>();
  endpoint->bind("mark", [seen](mark m) { seen->add(m.id); });
  rpc::server server(bus, {.topic = fine, .server = "s1"}, {endpoint},
                     {.executor = thread_pool(4)});
  server.start();  // declares the exchange, too
  const auto object = [](const char* kind, const std::string& name) {
    return "rabbit_misc:r(<<\"/\">>, " + std::string(kind) + ", <<\"" + name + "\">>)";
  };
  std::string declare;
  for (const auto& key : {stuck, stuck + ".info"})
    declare += "{new, _} = rabbit_amqqueue:declare(" + object("queue", key) +
               ", true, false, [{<<\"x-queue-type\">>, longstr, <<\"quorum\">>}], none, "
               "<<\"guest\">>), ok = rabbit_binding:add({binding, " +
               object("exchange", "openstack") + ", <<\"" + key + "\">>, " + object("queue", key) +
               ", []}, <<\"guest\">>), ";
  cluster.node(0).rabbitmqctl({"eval", declare + "ok."});
  const rpc::client to_stuck(bus, {.topic = stuck}, {.timeout = 8s});
  const rpc::client to_fine(bus, {.topic = fine}, {.timeout = 30s});
  // The queue is there, and its properties are not those that a notifier would declare.
  transport_options only_publish;
  only_publish.conf.set("oslo_messaging_rabbit", "cpp_notification_queues", "none");
  const auto notifier_bus = open_transport(cluster.url({0}), only_publish);
  const notify::notifier notifier(
      notifier_bus, {.drivers = {{"messagingv2"}}, .topics = {{stuck}}, .timeout = 8s});
  // The first message of a channel to such a queue holds up the whole channel in the broker, until
  // a leader has registered it.
  outcomes registered;
  rpc::detail::start_cast(to_stuck, "mark", {}, mark_json(0), {}, registered.completion(0));
  notifier.post(notify::priority::info, {}, "event", 0, registered.completion(1));
  ASSERT_TRUE(registered.wait(2, 20s));
  ASSERT_THAT(registered.failed(), IsEmpty()) << registered;
  cluster.node(1).kill();
  cluster.node(2).kill();
  outcomes lost, notified, arrived;
  for (int i = 0; i < casts; ++i) {
    if (i % 20 == 0) {
      rpc::detail::start_cast(to_stuck, "mark", {}, mark_json(i), {}, lost.completion(i));
      notifier.post(notify::priority::info, {}, "event", i, notified.completion(i));
    }
    rpc::detail::start_cast(to_fine, "mark", {}, mark_json(i), {}, arrived.completion(i));
  }
  EXPECT_TRUE(arrived.wait(casts, 20s)) << arrived;
  EXPECT_THAT(arrived.failed(), IsEmpty()) << arrived;
  EXPECT_TRUE(seen->wait(casts, 20s));
  for (const auto* waiting : {&lost, &notified}) {
    EXPECT_TRUE(waiting->wait(casts / 20, 20s)) << *waiting;
    EXPECT_THAT(waiting->codes(), Each(errc::outcome_unknown)) << *waiting;
  }

  // On a new connection nothing is registered. With few messages behind it the broker still opens
  // another channel; with many it has stopped to read from the connection.
  struct newcomer {
    int count;
    transport bus;
    outcomes stuck{}, fine{}, later{};
  };
  std::array<newcomer, 2> newcomers{
      {{casts, open_transport(cluster.url({0}))}, {20 * casts, open_transport(cluster.url({0}))}}};
  int first_id = casts;
  std::size_t expected = casts;
  for (auto& n : newcomers) {
    const rpc::client stuck_client(n.bus, {.topic = stuck}, {.timeout = 20s});
    const rpc::client fine_client(n.bus, {.topic = fine}, {.timeout = 60s});
    rpc::detail::start_cast(stuck_client, "mark", {}, mark_json(0), {}, n.stuck.completion(0));
    for (int i = 0; i < n.count; ++i)
      rpc::detail::start_cast(fine_client, "mark", {}, mark_json(first_id + i), {},
                              n.fine.completion(i));
    first_id += n.count;
    expected += static_cast<std::size_t>(n.count);
  }
  for (auto& n : newcomers) {
    EXPECT_TRUE(n.fine.wait(static_cast<std::size_t>(n.count), 60s)) << n.fine;
    EXPECT_THAT(n.fine.failed(), IsEmpty()) << n.fine;
    EXPECT_TRUE(n.stuck.wait(1, 20s)) << n.stuck;
    EXPECT_THAT(n.stuck.codes(), Each(errc::outcome_unknown)) << n.stuck;
    // The stuck queue has a channel of its own by now.
    const rpc::client stuck_client(n.bus, {.topic = stuck}, {.timeout = 20s});
    const rpc::client fine_client(n.bus, {.topic = fine}, {.timeout = 60s});
    for (int i = 0; i < casts; ++i) {
      rpc::detail::start_cast(stuck_client, "mark", {}, mark_json(i), {},
                              n.stuck.completion(1 + i));
      rpc::detail::start_cast(fine_client, "mark", {}, mark_json(first_id + i), {},
                              n.later.completion(i));
    }
    first_id += casts;
    expected += casts;
    EXPECT_TRUE(n.later.wait(casts, 8s)) << n.later;
    EXPECT_THAT(n.later.failed(), IsEmpty()) << n.later;
  }
  EXPECT_TRUE(seen->wait(expected, 20s)) << seen->seen().size() << " of " << expected;
}

}  // namespace
}  // namespace oslo::messaging::testing
