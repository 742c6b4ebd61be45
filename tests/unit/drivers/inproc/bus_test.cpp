#include "drivers/inproc/bus.hpp"

#include <gtest/gtest.h>

#include <oslo/messaging/transport.hpp>
#include <string>
#include <vector>

#include "drivers/inproc/driver.hpp"
#include "support/stepping_loop.hpp"

namespace oslo::messaging::inproc {
namespace {

std::shared_ptr<const content> message(const std::string& method) {
  return std::make_shared<const content>(R"({"method": ")" + method + R"("})", context());
}

class bus_rules : public ::testing::Test {
 protected:
  std::shared_ptr<bus> b = std::make_shared<bus>(queue_limits{4, 1000});
  std::shared_ptr<testing::stepping_loop> loop = std::make_shared<testing::stepping_loop>();
  std::vector<std::shared_ptr<queue_reader>> listeners;

  // A listener belongs to its queues until it stops.
  void TearDown() override {
    for (const auto& s : listeners) s->stop();
    loop->run();
  }

  std::shared_ptr<queue_reader> server(const std::string& name) {
    auto s = std::make_shared<queue_reader>(b, loop, b->declare_server("x", "t", name));
    b->attach(s);
    listeners.push_back(s);
    return s;
  }
  std::shared_ptr<queue_reader> pool(const std::optional<std::string>& name) {
    auto s = std::make_shared<queue_reader>(
        b, loop, std::vector<std::shared_ptr<queue>>{b->declare_listener("x", "t", name)});
    b->attach(s);
    listeners.push_back(s);
    return s;
  }
  result<void> send(const std::string& method, std::optional<std::string_view> to = {},
                    bool fanout = false, bool at_least_once = false) {
    return b->deliver({"x", "t", to, fanout}, message(method), at_least_once);
  }
  /// The methods one pull brings; "(waiting)" when it brings nothing yet.
  std::vector<std::string> take(const std::shared_ptr<queue_reader>& s, std::size_t max = 10) {
    auto got = std::make_shared<std::vector<std::string>>(1, "(waiting)");
    s->next(max, [got](queue_reader::batch batch) {
      got->clear();
      for (auto& t : batch) got->emplace_back(t.message.what->fields()[0].json);
    });
    loop->run();
    return *got;
  }
};

using texts = std::vector<std::string>;

TEST_F(bus_rules, a_message_waits_for_a_server_to_come) {
  ASSERT_TRUE(send("m"));
  EXPECT_EQ(take(server("a")), texts{"\"m\""});
}

TEST_F(bus_rules, the_servers_own_queue_comes_first) {
  const auto a = server("a");
  ASSERT_TRUE(send("shared"));
  ASSERT_TRUE(send("own", "a"));
  EXPECT_EQ(take(a), (texts{"\"own\"", "\"shared\""}));
}

TEST_F(bus_rules, servers_share_a_queue_in_turns) {
  const auto a = server("a");
  const auto b2 = server("b");
  for (const char* m : {"1", "2", "3", "4"}) ASSERT_TRUE(send(m));
  EXPECT_EQ(take(a), (texts{"\"1\"", "\"2\""}));
  EXPECT_EQ(take(b2, 1), (texts{"\"3\""}));
  EXPECT_EQ(take(a), (texts{"\"4\""}));
  // Each waits with a pull of its own, and each is woken once.
  std::vector<std::string> got;
  for (const auto& s : {a, b2})
    s->next(1, [&got, name = s == a ? "a" : "b"](queue_reader::batch) { got.push_back(name); });
  ASSERT_TRUE(send("5"));
  ASSERT_TRUE(send("6"));
  loop->run();
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, (texts{"a", "b"}));
}

TEST_F(bus_rules, fanout_reaches_servers_that_listen_and_nobody_else) {
  const auto a = server("a");
  const auto gone = server("gone");
  gone->stop();
  ASSERT_TRUE(send("f", {}, true));
  EXPECT_EQ(take(a), texts{"\"f\""});
  EXPECT_EQ(take(server("gone")), texts{"(waiting)"});
}

TEST_F(bus_rules, fanout_reaches_each_of_two_servers_with_one_name) {
  const auto one = server("a");
  const auto other = server("a");
  ASSERT_TRUE(send("f", {}, true));
  ASSERT_TRUE(send("own", "a"));
  EXPECT_EQ(take(one), (texts{"\"own\"", "\"f\""}));
  EXPECT_EQ(take(other), texts{"\"f\""});
}

TEST_F(bus_rules, a_fanout_ends_with_the_server_that_did_not_take_it) {
  server("a");
  ASSERT_TRUE(send("f", {}, true));
  listeners.back()->stop();
  loop->run();
  listeners.clear();
  const auto again = server("a");
  EXPECT_EQ(take(again), texts{"(waiting)"});
}

TEST_F(bus_rules, each_pool_gets_a_copy_and_a_new_one_what_waits) {
  ASSERT_TRUE(send("early"));
  const auto p = pool("p");
  ASSERT_TRUE(send("late"));
  EXPECT_EQ(take(p), (texts{"\"early\"", "\"late\""}));
  EXPECT_EQ(take(pool("q")), (texts{"\"early\"", "\"late\""}));
  EXPECT_EQ(take(pool(std::nullopt)), (texts{"\"early\"", "\"late\""}));
}

TEST_F(bus_rules, at_least_once_wants_a_queue_that_somebody_declared) {
  EXPECT_EQ(send("m", {}, false, true).error().code(), errc::undeliverable);
  EXPECT_EQ(send("m", "a", false, true).error().code(), errc::undeliverable);
  server("a")->stop();
  EXPECT_TRUE(send("m", {}, false, true));
  EXPECT_TRUE(send("m", "a", false, true));
  EXPECT_EQ(send("m", "b", false, true).error().code(), errc::undeliverable);
}

TEST_F(bus_rules, what_is_undeliverable_says_where_it_was_to_go) {
  const auto nowhere = send("m", {}, false, true).error().subject();
  EXPECT_EQ(nowhere.exchange, "x");
  EXPECT_EQ(nowhere.routing_key, "t");
  EXPECT_EQ(send("m", "a", false, true).error().subject().routing_key, "t.a");
}

TEST_F(bus_rules, a_full_queue_refuses) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(send("m"));
  const auto refused = send("m");
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code(), errc::limit_exceeded);
  EXPECT_EQ(refused.error().message(),
            "A queue of topic t is full: 4 messages of together 60 bytes wait in it.");
  EXPECT_EQ(send(std::string(1000, 'x'), "a").error().code(), errc::limit_exceeded);
  EXPECT_EQ(take(server("a")).size(), 4u);
  EXPECT_TRUE(send("m"));
}

TEST_F(bus_rules, a_default_queue_that_only_pools_use_keeps_the_newest) {
  const auto p = pool("p");
  for (const char* m : {"1", "2", "3", "4", "5", "6"}) {
    ASSERT_TRUE(send(m)) << m;
    EXPECT_EQ(take(p).size(), 1u);
  }
  EXPECT_EQ(take(pool(std::nullopt)), (texts{"\"3\"", "\"4\"", "\"5\"", "\"6\""}));
}

TEST_F(bus_rules, a_requeued_message_is_the_next_one) {
  const auto a = server("a");
  ASSERT_TRUE(send("1"));
  ASSERT_TRUE(send("2"));
  a->next(1, [&](queue_reader::batch batch) { b->requeue(*batch.at(0).from, batch[0].message); });
  loop->run();
  bool redelivered = false;
  a->next(1, [&](queue_reader::batch batch) {
    redelivered = batch.at(0).message.redelivered;
    EXPECT_EQ(batch[0].message.what->fields()[0].json, "\"1\"");
  });
  loop->run();
  EXPECT_TRUE(redelivered);
}

TEST_F(bus_rules, a_server_that_stops_passes_its_turn_on) {
  const auto a = server("a");
  const auto b2 = server("b");
  std::vector<std::size_t> to_a;
  texts to_b;
  a->next(1, [&](queue_reader::batch batch) { to_a.push_back(batch.size()); });
  b2->next(1, [&](queue_reader::batch batch) {
    for (auto& t : batch) to_b.emplace_back(t.message.what->fields()[0].json);
  });
  ASSERT_TRUE(send("m"));  // wakes a, which has not run yet
  a->stop();
  loop->run();
  EXPECT_EQ(to_a, std::vector<std::size_t>{0});
  EXPECT_EQ(to_b, texts{"\"m\""});
}

TEST(inproc_content, lists_each_key_once_with_its_last_value) {
  const content c(R"({"a": 1, "\u0062": [2], "a": {"x": "}"}, "b": null})", context());
  ASSERT_EQ(c.fields().size(), 2u);
  EXPECT_EQ(c.fields()[0].key, "a");
  EXPECT_EQ(c.fields()[0].json, R"({"x": "}"})");
  EXPECT_EQ(c.fields()[1].key, "b");
  EXPECT_EQ(c.fields()[1].json, "null");
}

TEST(inproc_content, has_one_context_from_the_body_and_from_beside_it) {
  context beside{{"b", 3}};
  beside.set("big", raw_json{"123456789012345678901"});
  const content c(R"({"_context_a": 1, "\u005fcontext_b": 2, "m": "_context_", "_context_a": [4]})",
                  std::move(beside));
  ASSERT_EQ(c.fields().size(), 1u);
  EXPECT_EQ(c.fields()[0].key, "m");
  context all{{"a", {4}}, {"b", 3}};
  all.set("big", raw_json{"123456789012345678901"});
  EXPECT_EQ(c.ctxt(), all);
}

TEST(inproc_content, its_text_is_that_of_the_wire) {
  content call(R"({"m": 1.10, "_context_a": 1e5})", context{{"b", 2}});
  protocol::call_tracker<int> calls(0x0123456789abcdef);
  const auto id = calls.add(0, {}, {});
  call.reply_to = reply_address{{}, id};
  call.monitor = std::chrono::milliseconds(1500);
  const std::string begin = R"({"m": 1.10, "_context_a": 1e5, "_msg_id": ")" + id.str() +
                            R"(", "_reply_q": "reply_0123456789abcdef", "_timeout": 1.5, )"
                            R"("_unique_id": ")";
  const std::string text(call.text());
  EXPECT_EQ(text.substr(0, begin.size()), begin);
  EXPECT_EQ(text.substr(begin.size() + 32), R"(", "_context_b": 2})");
  EXPECT_EQ(call.text(), text) << "its receivers see the same";
  EXPECT_EQ(content("{}", context()).text().substr(0, 15), R"({"_unique_id": )");
  EXPECT_EQ(content("{}", context{{"a", "\xff"}}).text(), "") << "no other bus would take it";
}

TEST(inproc_content, refuses_what_is_not_one_object) {
  for (const char* text : {"", "[]", "1", "{", "{} {}", R"({"a": })"})
    EXPECT_THROW(content(text, context()), messaging_error) << text;
}

}  // namespace
}  // namespace oslo::messaging::inproc
