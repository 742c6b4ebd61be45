#include "notify/dispatcher.hpp"

#include <gtest/gtest.h>

#include <boost/describe/class.hpp>
#include <oslo/messaging/json.hpp>

#include "support/log_lines.hpp"

namespace oslo::messaging::notify {

struct sized_payload {
  std::string name;
  int size = 0;
};
BOOST_DESCRIBE_STRUCT(sized_payload, (), (name, size))

namespace {

/// A message without a bus.
class plain_message final : public incoming_message {
 public:
  explicit plain_message(std::string body, context c = {})
      : body_(std::move(body)), ctxt_(std::move(c)) {
    json_reader in(body_);
    in.begin_object();
    std::string key;
    while (in.next_key(key)) {
      keys_.push_back(std::make_unique<std::string>(key));
      fields_.push_back({*keys_.back(), in.skip_value()});
    }
  }
  std::span<const message_field> fields() const noexcept override { return fields_; }
  const context& ctxt() const noexcept override { return ctxt_; }
  std::string_view message_id() const noexcept override { return {}; }
  void acknowledge() override {}
  void requeue() override {}
  void reply(outgoing_reply, unique_function<void(result<void>)>) override {}
  void heartbeat() override {}

 private:
  std::string body_;
  context ctxt_;
  std::vector<std::unique_ptr<std::string>> keys_;
  std::vector<message_field> fields_;
};

std::string body_of(std::string_view priority, std::string_view event = "ev",
                    std::string_view payload = R"({"name": "n", "size": 3})") {
  return R"({"message_id": "m1", "publisher_id": "p1", "event_type": ")" + std::string(event) +
         R"(", "priority": ")" + std::string(priority) + R"(", "payload": )" +
         std::string(payload) + R"(, "timestamp": "t1"})";
}

class notify_dispatcher : public ::testing::Test {
 protected:
  dispatcher make(dispatcher::endpoints all, bool batches = false,
                  std::shared_ptr<const serializer> s = {}) {
    return {std::move(all), std::move(s), lines.into(), batches};
  }
  testing::log_lines lines;
};

TEST_F(notify_dispatcher, gives_each_handler_what_its_parameters_ask_for) {
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
  const auto d = make({e});
  EXPECT_EQ(d.priorities(), (std::vector<priority>{priority::audit, priority::info, priority::error,
                                                   priority::sample}));
  EXPECT_EQ(d.dispatch(plain_message(body_of("INFO"), context{{"user", "bob"}})), outcome::handled);
  EXPECT_EQ(seen, "bob p1 ev m1 t1 n3");
  d.dispatch(plain_message(body_of("error", "ev", "[1, null]")));
  EXPECT_EQ(seen, "[1, null]");
  EXPECT_EQ(d.dispatch(plain_message(body_of("SAMPLE", "ev", "2.50"))), outcome::requeue);
  EXPECT_EQ(seen, "2.50");
  d.dispatch(plain_message(body_of("AUDIT")));
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

TEST_F(notify_dispatcher, members_are_handlers_too) {
  auto e = std::make_shared<member_endpoint>();
  make({e}).dispatch(plain_message(body_of("INFO")));
  EXPECT_EQ(e->got, 3);
  incoming_batch batch;
  batch.push_back(std::make_unique<plain_message>(body_of("WARN")));
  make({e}, true).dispatch(batch);
  EXPECT_EQ(e->got, 4);
  EXPECT_THROW(e->bind(priority::info, [] {}), configuration_error);
}

TEST_F(notify_dispatcher, asks_the_endpoints_in_order_until_one_requeues) {
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
  const plain_message m(body_of("info"));
  EXPECT_EQ(make({}).dispatch(m), outcome::handled);
  EXPECT_EQ(make({a, other, c}).dispatch(m), outcome::handled);
  EXPECT_EQ(order, "ac");
  EXPECT_EQ(make({a, b, c}).dispatch(m), outcome::requeue);
  EXPECT_EQ(order, "acab");
}

TEST_F(notify_dispatcher, an_exception_counts_as_requeue_and_is_logged) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [] { throw std::runtime_error("broken"); });
  e->bind(priority::warn, [] { throw 5; });
  const auto d = make({e});
  EXPECT_EQ(d.dispatch(plain_message(body_of("INFO"))), outcome::requeue);
  EXPECT_EQ(d.dispatch(plain_message(body_of("WARN"))), outcome::requeue);
  EXPECT_EQ(lines.count(log_level::error, "Exception during message handling: broken"), 1);
  EXPECT_EQ(lines.count(log_level::error, "not a std::exception"), 1);
}

TEST_F(notify_dispatcher, a_payload_of_another_type_is_dropped_with_its_path) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [](sized_payload) { FAIL(); });
  EXPECT_EQ(make({e}).dispatch(plain_message(body_of("INFO", "ev", R"({"size": "big"})"))),
            outcome::handled);
  EXPECT_EQ(lines.count(log_level::error, "payload.size: expected int, got string"), 1);
}

TEST_F(notify_dispatcher, an_unknown_priority_is_ignored_with_a_warning) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [] { FAIL(); });
  const auto d = make({e});
  for (const char* name : {"what???", "", "warning"})
    EXPECT_EQ(d.dispatch(plain_message(body_of(name))), outcome::handled);
  EXPECT_EQ(d.dispatch(plain_message(R"({"event_type": "ev"})")), outcome::handled);
  EXPECT_EQ(d.dispatch(plain_message(R"({"priority": 5})")), outcome::handled);
  EXPECT_EQ(lines.count(log_level::warning, "Unknown priority \"what???\""), 1);
  EXPECT_EQ(lines.count(log_level::warning, "Unknown priority \"\""), 3);
}

TEST_F(notify_dispatcher, missing_and_odd_fields_are_none) {
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
  const auto d = make({e});
  d.dispatch(plain_message(R"({"priority": "INFO"})"));
  d.dispatch(plain_message(R"({"priority": "INFO", "publisher_id": null, "event_type": 5, )"
                           R"("message_id": [], "timestamp": {}, "payload": null})"));
  EXPECT_EQ(calls, 2);
}

TEST_F(notify_dispatcher, batches_are_grouped_by_priority_and_filtered) {
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
  EXPECT_EQ(make({wants_x, all}, true).dispatch(batch), (std::vector<outcome>{r, h, r, h, r, h}));
  EXPECT_EQ(calls, (std::vector<std::string>{"x: x1 x2 ", "info: a x1 x2 ", "error: b d "}));
}

TEST_F(notify_dispatcher, an_exception_in_one_group_does_not_lose_another) {
  auto e = std::make_shared<endpoint>();
  int handled = 0;
  e->bind_batch(priority::info,
                [](std::span<const notification>) { throw std::runtime_error("broken"); });
  e->bind_batch(priority::error, [&](std::span<const notification>) { ++handled; });
  incoming_batch batch;
  for (const char* p : {"INFO", "ERROR"})
    batch.push_back(std::make_unique<plain_message>(body_of(p)));
  EXPECT_EQ(make({e}, true).dispatch(batch),
            (std::vector<outcome>{outcome::requeue, outcome::handled}));
  EXPECT_EQ(handled, 1);
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

TEST_F(notify_dispatcher, the_serializer_sees_context_and_payload) {
  auto e = std::make_shared<endpoint>();
  std::string seen;
  e->bind(priority::info,
          [&](raw_json p, const context& c) { seen = p.text + to_json(c.entries()); });
  make({e}, false, std::make_shared<unmarking>())
      .dispatch(plain_message(body_of("INFO", "e", "5")));
  EXPECT_EQ(seen, R"({"was": 5, "by": "deserialized"}{"user": "deserialized"})");
}

}  // namespace
}  // namespace oslo::messaging::notify
