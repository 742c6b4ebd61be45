// What every driver owes the layers above it, at the driver interface itself.
#include <map>
#include <thread>

#include "bus.hpp"

namespace oslo::messaging {
namespace {

using namespace conformance;

class driver_over : public bus_test {
 protected:
  target to() const {
    target t;
    t.topic = topic;
    return t;
  }
  target on(const std::string& server) const {
    target t = to();
    t.server = server;
    return t;
  }
  void SetUp() override { OSLO_NEEDS(rpc); }
  std::shared_ptr<listener> listen(const std::string& server) {
    return conformance::listen(server_bus, on(server));
  }
  incoming_batch pull(listener& from, std::size_t max) {
    return conformance::pull(server_bus, from, max);
  }
  void cast(const std::string& body, context ctxt = {}) {
    send_and_wait(client_bus, to(), {body, std::move(ctxt)}, {.timeout = patience}).value();
  }
  void call(expected<result<reply>>& answer,
            std::optional<std::chrono::milliseconds> monitor = {}) {
    client_bus.driver().send(
        to(), {R"({"method": "m", "args": {}})", {}},
        {.wait_for_reply = true, .timeout = patience, .call_monitor_timeout = monitor},
        [&](result<reply> r) { answer.set(std::move(r)); });
  }
};

TEST_P(driver_over, the_message_arrives_without_the_keys_of_the_transport) {
  const auto l = listen("s1");
  cast(R"({"method": "m", "args": {"a": [1, 2]}, "version": "1.0"})", {{"user", "bob"}});
  const auto batch = pull(*l, 10);
  ASSERT_EQ(batch.size(), 1u);
  const auto& m = *batch[0];
  std::map<std::string, value> fields;
  for (const auto& f : m.fields()) fields[std::string(f.key)] = parse_json(f.json);
  EXPECT_EQ(fields, (std::map<std::string, value>{
                        {"method", "m"}, {"args", {{"a", {1, 2}}}}, {"version", "1.0"}}));
  EXPECT_EQ(m.ctxt(), (context{{"user", "bob"}}));
  EXPECT_EQ(m.message_id(), "");
  EXPECT_EQ(m.client_timeout(), std::nullopt);
  EXPECT_FALSE(m.redelivered());
  batch[0]->acknowledge();
}

TEST_P(driver_over, a_call_carries_its_id_and_the_monitor_timeout) {
  const auto l = listen("s1");
  expected<result<reply>> answer;
  call(answer, 7s);
  auto batch = pull(*l, 1);
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_NE(batch[0]->message_id(), "");
  EXPECT_EQ(batch[0]->client_timeout(), 7.0);
  batch[0]->acknowledge();
  batch[0]->acknowledge();  // once is enough, twice does no harm
  batch[0]->heartbeat();
  expected<bool> verdict;
  batch[0]->reply({R"({"r": 1})", std::nullopt},
                  [&](result<void> r) { verdict.set(r.has_value()); });
  EXPECT_EQ(parse_json(answer.get().value().result), (value{{"r", 1}}));
  EXPECT_TRUE(verdict.get());
}

TEST_P(driver_over, a_heartbeat_says_whether_its_caller_is_there) {
  const auto l = listen("s1");
  cast(R"({"method": "m"})");
  auto batch = pull(*l, 1);
  batch.at(0)->acknowledge();
  expected<errc> verdict;
  const auto beat = [&] {
    batch.at(0)->heartbeat([&](result<void> r) { verdict.set(r ? errc{} : r.error().code()); });
    return verdict.get();
  };
  EXPECT_EQ(beat(), errc{}) << "a cast has nothing to send";
  expected<result<reply>> answer;
  call(answer, 30s);
  batch = pull(*l, 1);
  batch.at(0)->acknowledge();
  EXPECT_EQ(beat(), errc{});
  batch[0]->reply({"1", std::nullopt});
  EXPECT_TRUE(answer.get().has_value());
  EXPECT_EQ(beat(), errc{}) << "it goes to the caller's transport, which knows better";
  client_bus.close();
  auto last = beat();
  const auto limit = std::chrono::steady_clock::now() + patience;
  while (GetParam().forgets_late && last == errc{} && std::chrono::steady_clock::now() < limit)
    last = beat();
  EXPECT_EQ(last, errc::undeliverable);
}

TEST_P(driver_over, the_monitor_timeout_may_have_a_fraction) {
  const auto l = listen("s1");
  const std::pair<std::chrono::milliseconds, std::optional<double>> table[] = {
      {20'500ms, 20.5}, {20'250ms, 20.25}, {20'001ms, 20.001}, {0ms, std::nullopt}};
  for (const auto& [given, seen] : table) {
    expected<result<reply>> answer;
    call(answer, given);
    auto batch = pull(*l, 1);
    ASSERT_EQ(batch.size(), 1u);
    EXPECT_EQ(batch[0]->client_timeout(), seen);
    batch[0]->acknowledge();
    batch[0]->reply({"1", std::nullopt});
    EXPECT_TRUE(answer.get().has_value());
  }
}

TEST_P(driver_over, the_monitor_timeout_ends_a_call_to_the_fraction_of_a_second) {
  const auto l = listen("s1");
  expected<result<reply>> answer;
  call(answer, 50ms);
  // On a busy machine that is over before the request has left, and then it never does.
  EXPECT_EQ(answer.get().error().code(), errc::timed_out);
}

TEST_P(driver_over, a_failure_arrives_field_by_field) {
  const auto l = listen("s1");
  expected<result<reply>> answer;
  call(answer);
  auto batch = pull(*l, 1);
  batch.at(0)->acknowledge();
  remote_failure f;
  f.type = "KeyError";
  f.module = "builtins";
  f.message = "'k'";
  f.traceback = {"Traceback:\n", "  line 1\n"};
  f.args_json = R"(["k"])";
  batch[0]->reply({"null", f});
  const auto r = answer.get();
  ASSERT_TRUE(r.has_error());
  ASSERT_NE(r.error().remote(), nullptr);
  EXPECT_EQ(r.error().code(), errc::remote_error);
  EXPECT_EQ(r.error().remote()->type, "KeyError");
  EXPECT_EQ(r.error().remote()->module, "builtins");
  EXPECT_EQ(r.error().remote()->message, "'k'");
  EXPECT_EQ(r.error().remote()->traceback, f.traceback);
  EXPECT_EQ(parse_json(r.error().remote()->args_json), value{"k"});
}

TEST_P(driver_over, a_requeued_message_comes_again) {
  OSLO_NEEDS(requeue);
  const auto l = listen("s1");
  cast(R"({"method": "again", "args": {}})");
  auto first = pull(*l, 1);
  ASSERT_EQ(first.size(), 1u);
  first[0]->requeue();
  auto second = pull(*l, 1);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0]->field("method"), "\"again\"");
  EXPECT_TRUE(second[0]->redelivered());
  second[0]->acknowledge();
}

TEST_P(driver_over, a_message_dropped_without_a_word_comes_again) {
  OSLO_NEEDS(requeue);
  const auto l = listen("s1");
  cast(R"({"method": "again", "args": {}})");
  pull(*l, 1).clear();
  auto second = pull(*l, 1);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0]->field("method"), "\"again\"");
  second[0]->acknowledge();
}

TEST_P(driver_over, a_pull_takes_no_more_than_it_asked_for) {
  const auto l = listen("s1");
  for (int i = 0; i < 5; ++i) cast(R"({"method": "m", "args": {}})");
  std::size_t got = 0;
  while (got < 5) {
    auto batch = pull(*l, 2);
    ASSERT_GE(batch.size(), 1u);
    ASSERT_LE(batch.size(), 2u);
    got += batch.size();
    for (auto& m : batch) m->acknowledge();
  }
  EXPECT_EQ(got, 5u);
}

TEST_P(driver_over, stop_ends_a_pending_pull_and_later_ones_with_nothing) {
  const auto l = listen("s1");
  expected<std::size_t> size;
  on_loop(server_bus, [&] {
    l->next(10, [&](incoming_batch batch) { size.set(batch.size()); });
    l->stop();
    l->stop();  // once is enough, twice does no harm
  });
  EXPECT_EQ(size.get(), 0u);
  EXPECT_TRUE(pull(*l, 10).empty());
}

TEST_P(driver_over, messages_handed_out_can_be_answered_after_stop) {
  auto l = listen("s1");
  expected<result<reply>> answer;
  call(answer);
  auto batch = pull(*l, 1);
  batch.at(0)->acknowledge();
  on_loop(server_bus, [&] { l->stop(); });
  batch[0]->reply({"5", std::nullopt});
  EXPECT_EQ(answer.get().value().result, "5");
}

TEST_P(driver_over, ready_does_not_complete_before_it_returns) {
  const auto l = listen("s1");
  expected<bool> returned_first;
  on_loop(server_bus, [&] {
    bool returned = false;
    const auto seen = std::make_shared<bool*>(&returned);
    l->ready([&, seen](result<void>) { returned_first.set(*seen == nullptr); });
    *seen = nullptr;
  });
  EXPECT_TRUE(returned_first.get());
}

TEST_P(driver_over, who_lets_go_of_a_listener_stops_it) {
  OSLO_NEEDS(requeue);
  auto first = listen("s1");
  expected<std::size_t> size;
  on_loop(server_bus,
          [&] { first->next(10, [&](incoming_batch batch) { size.set(batch.size()); }); });
  first.reset();  // on any thread
  EXPECT_EQ(size.get(), 0u);
  const auto second = listen("s1");
  cast(R"({"method": "m", "args": {}})");
  auto batch = pull(*second, 1);
  ASSERT_EQ(batch.size(), 1u);
  batch[0]->acknowledge();
}

TEST_P(driver_over, completions_run_on_the_loop_and_not_inside_the_send) {
  const auto l = listen("s1");
  gate sent;
  expected<bool> on_loop;
  client_bus.loop().post([&] {
    bool returned = false;
    client_bus.driver().send(to(), {R"({"method": "m", "args": {}})", {}}, {.timeout = patience},
                             [&, returned_now = &returned](result<reply>) {
                               on_loop.set(client_bus.loop().running_here());
                               (void)returned_now;
                             });
    returned = true;
    EXPECT_EQ(on_loop.count(), 0u);
  });
  EXPECT_TRUE(on_loop.get());
}

TEST_P(driver_over, close_stops_listeners_and_refuses_what_comes_later) {
  const auto l = listen("s1");
  expected<std::size_t> size;
  on_loop(server_bus, [&] { l->next(10, [&](incoming_batch batch) { size.set(batch.size()); }); });
  server_bus.close();
  EXPECT_EQ(size.get(), 0u);
  const auto r = send_and_wait(server_bus, to(), {R"({"method": "m", "args": {}})", {}}, {});
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::closed);
  server_bus.close();  // idempotent
  expected<errc> verdict;
  const auto late = on_loop(server_bus, [&] {
    auto made = server_bus.driver().listen({.topic = topic, .server = "late"}, {});
    made->ready([&](const result<void>& v) { verdict.set(v ? errc{} : v.error().code()); });
    return made;
  });
  EXPECT_EQ(verdict.get(), errc::closed);
  on_loop(server_bus, [&] { late->stop(); });
}

OSLO_CONFORMANCE_SUITE(driver_over);

}  // namespace
}  // namespace oslo::messaging
