#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

#include "unit/notify/handling_harness.hpp"

namespace oslo::messaging::notify {

namespace {

namespace asio = boost::asio;

TEST_F(deliveries, gives_each_handler_what_its_parameters_ask_for) {
  auto e = std::make_shared<endpoint>();
  std::string seen;
  e->bind(priority::info, [&](const context& c, const notification& n, sized_payload p) {
    seen = std::string(c.find("user")->as_string()) + ' ' + *n.publisher_id + ' ' + *n.event_type +
           ' ' + *n.message_id + ' ' + *n.timestamp + ' ' + p.name + std::to_string(p.size);
  });
  e->bind(priority::error, [&](const value& v) { seen = to_json(v); });
  e->bind(priority::sample, [&](raw_json text) {
    seen = text.text;
    return outcome::requeue;
  });
  e->bind(priority::audit, [&] { seen = "nothing"; });
  auto d = make({e});
  EXPECT_EQ(d.rules().priorities(), (std::vector<priority>{priority::audit, priority::info,
                                                           priority::error, priority::sample}));
  EXPECT_EQ(d.dispatch(body_of("INFO"), context{{"user", "bob"}}), outcome::handled);
  EXPECT_EQ(seen, "bob p1 ev m1 t1 n3");
  d.dispatch(body_of("error", "ev", "[1, null]"));
  EXPECT_EQ(seen, "[1, null]");
  EXPECT_EQ(d.dispatch(body_of("SAMPLE", "ev", "2.50")), outcome::requeue);
  EXPECT_EQ(seen, "2.50");
  d.dispatch(body_of("AUDIT"));
  EXPECT_EQ(seen, "nothing");
}

class member_endpoint : public endpoint {
 public:
  member_endpoint() {
    bind(priority::info, &member_endpoint::on_info);
    bind_batch(priority::warn, &member_endpoint::on_warnings);
  }
  int got = 0;

 private:
  outcome on_info(const sized_payload& p) {
    got += p.size;
    return outcome::handled;
  }
  void on_warnings(std::span<const notification> all) { got += static_cast<int>(all.size()); }
};

TEST_F(deliveries, members_are_handlers_too) {
  auto e = std::make_shared<member_endpoint>();
  make({e}).dispatch(body_of("INFO"));
  EXPECT_EQ(e->got, 3);
  incoming_batch batch;
  batch.push_back(std::make_unique<plain_message>(body_of("WARN")));
  make({e}, true).dispatch(std::move(batch));
  EXPECT_EQ(e->got, 4);
  EXPECT_THROW(e->bind(priority::info, [] {}), configuration_error);
}

TEST_F(deliveries, asks_the_endpoints_in_order_until_one_requeues) {
  std::string order;
  const auto answering = [&](char name, outcome o, filter f = {}) {
    auto e = std::make_shared<endpoint>(f);
    e->bind(priority::info, [&order, name, o] {
      order += name;
      return o;
    });
    return e;
  };
  const auto a = answering('a', outcome::handled);
  const auto b = answering('b', outcome::requeue);
  const auto c = answering('c', outcome::handled);
  const auto other = answering('x', outcome::requeue, filter_rules{.event_type = "other"});
  const auto m = body_of("info");
  EXPECT_EQ(make({}).dispatch(m), outcome::handled);
  EXPECT_EQ(make({a, other, c}).dispatch(m), outcome::handled);
  EXPECT_EQ(order, "ac");
  EXPECT_EQ(make({a, b, c}).dispatch(m), outcome::requeue);
  EXPECT_EQ(order, "acab");
}

TEST_F(deliveries, an_exception_counts_as_requeue_and_is_logged) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [] { throw std::runtime_error("broken"); });
  e->bind(priority::warn, [] { throw 5; });
  auto d = make({e});
  EXPECT_EQ(d.dispatch(body_of("INFO")), outcome::requeue);
  EXPECT_EQ(d.dispatch(body_of("WARN")), outcome::requeue);
  EXPECT_EQ(lines.count(log_level::error, "Exception during message handling: broken"), 1);
  EXPECT_EQ(lines.count(log_level::error, "not a std::exception"), 1);
}

TEST_F(deliveries, an_unknown_priority_is_ignored_with_a_warning) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [] { FAIL(); });
  auto d = make({e});
  for (const char* name : {"what???", "", "warning"})
    EXPECT_EQ(d.dispatch(body_of(name)), outcome::handled);
  EXPECT_EQ(d.dispatch(R"({"event_type": "ev"})"), outcome::handled);
  EXPECT_EQ(d.dispatch(R"({"priority": 5})"), outcome::handled);
  EXPECT_EQ(lines.count(log_level::warning, "Unknown priority \"what???\""), 1);
  EXPECT_EQ(lines.count(log_level::warning, "Unknown priority \"\""), 3);
}

TEST_F(deliveries, missing_and_odd_fields_are_none) {
  auto e = std::make_shared<endpoint>();
  int calls = 0;
  e->bind(priority::info, [&](const notification& n) {
    ++calls;
    EXPECT_EQ(n.publisher_id, std::nullopt);
    EXPECT_EQ(n.event_type, std::nullopt);
    EXPECT_EQ(n.message_id, std::nullopt);
    EXPECT_EQ(n.timestamp, std::nullopt);
    EXPECT_EQ(n.payload_json, "null");
  });
  auto d = make({e});
  d.dispatch(R"({"priority": "INFO"})");
  d.dispatch(R"({"priority": "INFO", "publisher_id": null, "event_type": 5, )"
             R"("message_id": [], "timestamp": {}, "payload": null})");
  EXPECT_EQ(calls, 2);
}

TEST_F(deliveries, batches_are_grouped_by_priority_and_filtered) {
  auto wants_x = std::make_shared<endpoint>(filter_rules{.event_type = "x"});
  auto all = std::make_shared<endpoint>();
  std::vector<std::string> calls;
  const auto names = [](std::span<const notification> batch) {
    std::string out;
    for (const auto& n : batch) out += *n.event_type + ' ';
    return out;
  };
  wants_x->bind_batch(priority::info, [&](std::span<const notification> b) {
    calls.push_back("x: " + names(b));
    return outcome::handled;
  });
  all->bind_batch(priority::info, [&](std::span<const notification> b) {
    calls.push_back("info: " + names(b));
    return outcome::requeue;
  });
  all->bind_batch(priority::error,
                  [&](std::span<const notification> b) { calls.push_back("error: " + names(b)); });
  incoming_batch batch;
  for (const auto& [p, event] : {std::pair{"INFO", "a"},
                                 {"ERROR", "b"},
                                 {"INFO", "x1"},
                                 {"ODD", "c"},
                                 {"info", "x2"},
                                 {"ERROR", "d"}})
    batch.push_back(std::make_unique<plain_message>(body_of(p, event)));
  const auto r = outcome::requeue, h = outcome::handled;
  EXPECT_EQ(make({wants_x, all}, true).dispatch(std::move(batch)),
            (std::vector<outcome>{r, h, r, h, r, h}));
  EXPECT_EQ(calls, (std::vector<std::string>{"x: x1 x2 ", "info: a x1 x2 ", "error: b d "}));
}

TEST_F(deliveries, an_exception_in_one_group_does_not_lose_another) {
  auto e = std::make_shared<endpoint>();
  int handled = 0;
  e->bind_batch(priority::info,
                [](std::span<const notification>) { throw std::runtime_error("broken"); });
  e->bind_batch(priority::error, [&](std::span<const notification>) { ++handled; });
  incoming_batch batch;
  for (const char* p : {"INFO", "ERROR"})
    batch.push_back(std::make_unique<plain_message>(body_of(p)));
  EXPECT_EQ(make({e}, true).dispatch(std::move(batch)),
            (std::vector<outcome>{outcome::requeue, outcome::handled}));
  EXPECT_EQ(handled, 1);
}

/// A turn of the loop, so that a coroutine is not done when it is first suspended.
asio::awaitable<void> a_turn() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

TEST_F(deliveries, coroutines_are_handlers) {
  auto e = std::make_shared<endpoint>();
  auto after = std::make_shared<endpoint>();
  std::string seen;
  e->bind(priority::info, [&](const context& c, const sized_payload& p) -> asio::awaitable<void> {
    co_await a_turn();
    seen += std::string(c.find("user")->as_string()) + p.name;
  });
  e->bind(priority::warn, [&](const notification& n) -> asio::awaitable<outcome> {
    co_await a_turn();
    seen += *n.event_type;
    co_return outcome::requeue;
  });
  e->bind(priority::error, []() -> asio::awaitable<outcome> {
    co_await a_turn();
    throw std::runtime_error("broken");
  });
  e->bind(priority::audit, [](sized_payload) -> asio::awaitable<void> {
    ADD_FAILURE();
    co_return;
  });
  for (const auto p : {priority::info, priority::warn, priority::error, priority::audit})
    after->bind(p, [&] { seen += '+'; });
  auto d = make({e, after});
  EXPECT_EQ(d.dispatch(body_of("INFO"), context{{"user", "bob"}}), outcome::handled);
  EXPECT_EQ(d.dispatch(body_of("WARN")), outcome::requeue);
  EXPECT_EQ(d.dispatch(body_of("ERROR")), outcome::requeue);
  EXPECT_EQ(d.dispatch(body_of("AUDIT", "ev", "5")), outcome::handled);
  EXPECT_EQ(seen, "bobn+ev+");
  EXPECT_EQ(lines.count(log_level::error, "Exception during message handling: broken"), 1);
  EXPECT_EQ(lines.count(log_level::error, "cannot read it: payload: expected"), 1);
}

TEST_F(deliveries, deferred_handlers_answer_when_they_like) {
  auto e = std::make_shared<endpoint>();
  auto after = std::make_shared<endpoint>();
  std::string seen;
  e->bind(priority::info, [&](const notification& n, responder r) {
    std::thread([&seen, &n, r = std::move(r)]() mutable {
      seen += *n.event_type;
      r.answer();
      EXPECT_FALSE(r.pending());
      EXPECT_THROW(r.answer(), messaging_error);
    }).join();
  });
  e->bind(priority::warn, [](responder r) { r.answer(outcome::requeue); });
  e->bind(priority::error, [](responder r) { r.fail(std::runtime_error("broken")); });
  e->bind(priority::critical, [](responder) {});
  e->bind(priority::sample, [](const responder&) { throw std::runtime_error("thrown"); });
  e->bind(priority::debug, [](responder r) {
    r.answer(outcome::requeue);
    throw std::runtime_error("thrown afterwards");
  });
  for (const auto p : all_priorities) after->bind(p, [&] { seen += '+'; });
  auto d = make({e, after});
  EXPECT_EQ(d.dispatch(body_of("INFO")), outcome::handled);
  EXPECT_EQ(d.dispatch(body_of("WARN")), outcome::requeue);
  EXPECT_EQ(d.dispatch(body_of("ERROR")), outcome::requeue);
  EXPECT_EQ(d.dispatch(body_of("CRITICAL")), outcome::requeue);
  EXPECT_EQ(d.dispatch(body_of("SAMPLE")), outcome::requeue);
  EXPECT_EQ(d.dispatch(body_of("DEBUG")), outcome::requeue);
  EXPECT_EQ(seen, "ev+");
  // "thrown" of two, as one begins like the other.
  EXPECT_EQ(lines.count(log_level::error, "Exception during message handling: thrown"), 2);
  for (const char* text :
       {"broken", "The handler dropped the notification without an answer.", "thrown afterwards"})
    EXPECT_EQ(
        lines.count(log_level::error, std::string("Exception during message handling: ") + text),
        1);
}

TEST_F(deliveries, what_a_handler_throws_that_has_taken_its_responder_is_its_error) {
  auto e = std::make_shared<endpoint>();
  auto after = std::make_shared<endpoint>();
  std::optional<responder> kept;
  e->bind(priority::info, [](responder) { throw std::runtime_error("by value"); });
  e->bind(priority::warn, [](responder r) {
    const auto mine = std::move(r);
    throw std::runtime_error("moved");
  });
  e->bind(priority::error, [](responder r) {
    try {
      const auto mine = std::move(r);
      throw std::runtime_error("caught");
    } catch (const std::runtime_error&) {
    }
  });
  e->bind(priority::audit, [](const sized_payload&, responder) {});
  int others = 0;
  for (const auto p : all_priorities)
    after->bind(p, [&](responder r) {
      ++others;
      r.answer();
    });
  auto d = make({e, after});
  const auto error_of = [&](std::string body) {
    incoming_batch one;
    one.push_back(std::make_unique<plain_message>(std::move(body), context()));
    const auto v = d.results(std::move(one));
    return v.at(0).what == outcome::requeue ? v[0].error : "handled";
  };
  EXPECT_EQ(error_of(body_of("INFO")), "by value");
  EXPECT_EQ(error_of(body_of("WARN")), "moved");
  EXPECT_EQ(error_of(body_of("ERROR")), "The handler dropped the notification without an answer.");
  EXPECT_EQ(others, 0);
  EXPECT_EQ(error_of(body_of("AUDIT", "ev", "5")), "handled");
  EXPECT_EQ(others, 1);
  EXPECT_EQ(lines.count(log_level::error, "without an answer"), 1);
  EXPECT_EQ(lines.count(log_level::error, "cannot read it: payload: expected"), 1);
}

TEST_F(deliveries, batches_have_coroutines_and_deferred_handlers_too) {
  auto e = std::make_shared<endpoint>(filter_rules{.event_type = "x"});
  auto after = std::make_shared<endpoint>();
  std::string seen;
  e->bind_batch(priority::info, [&](std::span<const notification> b) -> asio::awaitable<outcome> {
    co_await a_turn();
    for (const auto& n : b) seen += *n.event_type + ' ';
    co_return outcome::handled;
  });
  e->bind_batch(priority::warn,
                [&](responder r, std::span<const typed_notification<sized_payload>> b) {
                  for (const auto& n : b) seen += n.payload.name + ' ';
                  r.answer(outcome::requeue);
                });
  for (const auto p : {priority::info, priority::warn})
    after->bind_batch(
        p, [&](std::span<const notification> b) { seen += std::to_string(b.size()) + ' '; });
  EXPECT_EQ(make({e, after}, true)
                .dispatch(batch_of({body_of("INFO", "x1"), body_of("INFO", "y"),
                                    body_of("WARN", "x2"), body_of("INFO", "x3")})),
            (std::vector<outcome>{outcome::handled, outcome::handled, outcome::requeue,
                                  outcome::handled}));
  EXPECT_EQ(seen, "x1 x3 3 n ");
}

TEST_F(deliveries, say_why_a_message_is_requeued) {
  auto e = std::make_shared<endpoint>();
  e->bind_batch(priority::info, [](std::span<const notification>) { return outcome::requeue; });
  e->bind_batch(priority::warn,
                [](std::span<const notification>) { throw std::runtime_error("broken"); });
  const auto v = make({e}, true).results(batch_of({body_of("INFO"), body_of("WARN")}));
  EXPECT_EQ(v.at(0).error, "The handler asked for it.");
  EXPECT_EQ(v.at(1).error, "broken");
}

TEST_F(deliveries, that_an_executor_never_ran_end_without_a_verdict) {
  struct counting final : handling_owner {
    void run(asio::awaitable<outcome>,
             unique_function<void(std::exception_ptr, outcome)>) override {}
    void resume(unique_function<void()>) override {}
    void done(incoming_batch m, std::vector<handling_result> v) noexcept override {
      messages += m.size();
      results += v.size();
    }
    std::size_t messages = 0, results = 0;
  };
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, []() -> asio::awaitable<void> { co_return; });
  e->bind(priority::warn, [](responder r) { r.answer(); });
  const handler_table rules({e}, nullptr, lines.into(), false);
  const auto owner = std::make_shared<counting>();
  {
    const auto never_begun = std::make_shared<handling>(owner, rules, batch_of({body_of("INFO")}));
  }
  EXPECT_EQ(owner->messages, 1u);
  std::make_shared<handling>(owner, rules, batch_of({body_of("INFO")}))->begin();
  EXPECT_EQ(owner->messages, 2u);
  std::make_shared<handling>(owner, rules, batch_of({body_of("WARN")}))->begin();
  EXPECT_EQ(owner->messages, 3u);
  EXPECT_EQ(owner->results, 0u);
}

class unmarking final : public serializer {
 public:
  value deserialize_entity(const context& c, value v) const override {
    return value{{"was", std::move(v)}, {"by", *c.find("user")}};
  }
  context deserialize_context(const context& c) const override {
    context out = c;
    out.entries()["user"] = "deserialized";
    return out;
  }
};

TEST_F(deliveries, the_serializer_sees_context_and_payload) {
  auto e = std::make_shared<endpoint>();
  std::string seen;
  e->bind(priority::info,
          [&](raw_json p, const context& c) { seen = p.text + to_json(c.entries()); });
  make({e}, false, std::make_shared<unmarking>()).dispatch(body_of("INFO", "e", "5"));
  EXPECT_EQ(seen, R"({"was": 5, "by": "deserialized"}{"user": "deserialized"})");
}

}  // namespace
}  // namespace oslo::messaging::notify
