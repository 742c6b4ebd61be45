// What every driver owes an application that takes messages from one bus and gives them to another.
#include <map>

#include "bus.hpp"

namespace oslo::messaging {
namespace {

using namespace conformance;

class relay_over : public bus_test {
 protected:
  void SetUp() override { OSLO_NEEDS(rpc); }

  target to() const { return {.topic = topic}; }
  std::shared_ptr<listener> listen() {
    return conformance::listen(server_bus, {.topic = topic, .server = "s1"});
  }
  std::unique_ptr<incoming_message> pull_one(listener& from) {
    auto batch = pull(server_bus, from, 1);
    if (batch.size() != 1) throw std::runtime_error("the listener has stopped");
    batch[0]->acknowledge();
    return std::move(batch[0]);
  }
  void cast(std::string body, context ctxt = {}) {
    send_and_wait(client_bus, to(), {std::move(body), std::move(ctxt)}, {.timeout = patience})
        .value();
  }
  errc refusal_of(std::string body) {
    const auto r = send_and_wait(client_bus, to(), {std::move(body), {}}, {.timeout = patience});
    return r ? errc{} : r.error().code();
  }
  static std::string text_of(const std::unique_ptr<incoming_message>& m) {
    return std::string(m->body());
  }
  static object keys_of(const std::unique_ptr<incoming_message>& m) {
    return parse_json(m->body()).as_object();
  }
  static object fields_of(const std::unique_ptr<incoming_message>& m) {
    object all;
    for (const auto& f : m->fields()) all[f.key] = parse_json(f.json);
    return all;
  }
};

TEST_P(relay_over, a_message_shows_its_whole_text) {
  const auto l = listen();
  cast(R"({"method": "m", "args": {"a": 1.10}})", {{"user", "bob"}, {"roles", {"a", "b"}}});
  const auto m = pull_one(*l);
  auto keys = keys_of(m);
  EXPECT_EQ(keys.at("_unique_id").as_string().size(), 32u);
  keys.erase("_unique_id");
  EXPECT_EQ(keys, (object{{"method", "m"},
                          {"args", {{"a", 1.1}}},
                          {"_context_user", "bob"},
                          {"_context_roles", {"a", "b"}}}));
  EXPECT_NE(text_of(m).find(R"("args": {"a": 1.10})"), std::string::npos) << text_of(m);
  EXPECT_EQ(m->body().data(), m->body().data()) << "it stays where it is";

  expected<result<reply>> answer;
  client_bus.driver().send(
      to(), {R"({"method": "m"})", {}},
      {.wait_for_reply = true, .timeout = patience, .call_monitor_timeout = 7'500ms},
      [&](result<reply> r) { answer.set(std::move(r)); });
  const auto call = pull_one(*l);
  keys = keys_of(call);
  EXPECT_EQ(to_json(keys.at("_msg_id")), "\"" + std::string(call->message_id()) + "\"");
  EXPECT_EQ(keys.at("_reply_q").as_string().find("reply_"), 0u);
  EXPECT_EQ(keys.at("_timeout"), value(7.5));
  EXPECT_EQ(keys.size(), 5u) << text_of(call);
  call->reply({"1", std::nullopt});
  EXPECT_TRUE(answer.get().has_value());
}

TEST_P(relay_over, a_call_that_is_passed_on_as_text_is_a_new_message_with_the_same_context) {
  const auto l = listen();
  expected<result<reply>> answer;
  client_bus.driver().send(
      to(),
      {R"({"method": "m", "args": {"a": 1}})", {{"user", "bob"}, {"n", 18446744073709551615u}}},
      {.wait_for_reply = true, .timeout = patience, .call_monitor_timeout = 7s},
      [&](result<reply> r) { answer.set(std::move(r)); });
  const auto call = pull_one(*l);
  cast(text_of(call));
  cast(text_of(call));
  for (int i = 0; i < 2; ++i) {
    const auto passed_on = pull_one(*l);
    EXPECT_EQ(passed_on->message_id(), "");
    EXPECT_EQ(passed_on->client_timeout(), std::nullopt);
    EXPECT_EQ(fields_of(passed_on), fields_of(call));
    EXPECT_EQ(passed_on->ctxt(), call->ctxt());
    EXPECT_NE(keys_of(passed_on).at("_unique_id"), keys_of(call).at("_unique_id"));
    passed_on->reply({"2", std::nullopt});  // of nobody's call
  }
  call->reply({"1", std::nullopt});
  EXPECT_EQ(answer.get().value().result, "1");
}

TEST_P(relay_over, a_call_may_have_a_text_with_keys_of_another_one) {
  const auto l = listen();
  expected<result<reply>> answer;
  client_bus.driver().send(
      to(), {R"({"method": "m", "_msg_id": "theirs", "_reply_q": "theirs", "_timeout": 1})", {}},
      {.wait_for_reply = true, .timeout = patience},
      [&](result<reply> r) { answer.set(std::move(r)); });
  const auto call = pull_one(*l);
  EXPECT_EQ(text_of(call).find("theirs"), std::string::npos) << text_of(call);
  EXPECT_EQ(call->client_timeout(), std::nullopt);
  call->reply({"1", std::nullopt});
  EXPECT_EQ(answer.get().value().result, "1");
}

TEST_P(relay_over, a_context_may_come_in_the_text_beside_it_or_both_ways) {
  const auto l = listen();
  cast(R"({"method": "m", "_context_a": 1, "_context_b": {"x": [123456789012345678901]},
           "_context_a": 2, "\u005fcontext_c": null, "_context_": "", "_contexts": 3})",
       {{"b2", 4}, {"c", 5}});
  const auto m = pull_one(*l);
  context all{{"a", 2}, {"c", 5}, {"", ""}, {"b2", 4}};
  all.set("b", raw_json{R"({"x": [123456789012345678901]})"});
  EXPECT_EQ(m->ctxt(), all);
  EXPECT_EQ(fields_of(m), (object{{"method", "m"}, {"_contexts", 3}}));
  const auto keys = keys_of(m);
  EXPECT_EQ(keys.at("_context_c"), value(5));
  EXPECT_NE(text_of(m).find("123456789012345678901"), std::string::npos);
}

TEST_P(relay_over, a_failure_is_passed_on_as_the_text_that_came) {
  const auto l = listen();
  const auto failure_of_call = [&](remote_failure given) {
    expected<result<reply>> answer;
    client_bus.driver().send(to(), {R"({"method": "m"})", {}},
                             {.wait_for_reply = true, .timeout = patience},
                             [&](result<reply> r) { answer.set(std::move(r)); });
    pull_one(*l)->reply({"null", std::move(given)});
    const auto r = answer.get();
    return r.has_error() && r.error().remote() != nullptr ? *r.error().remote() : remote_failure{};
  };
  const auto first = failure_of_call({.type = "E_Remote", .module = "m_Remote", .message = "a"});
  EXPECT_EQ(first.json,
            R"({"class": "E", "module": "m", "message": "a", "tb": [], "args": [], "kwargs": {}})");
  EXPECT_EQ(first.type, "E");
  const std::string odd = R"({"class":"F", "module" : "exceptions", "more": [1.10, "\u00e9"]})";
  remote_failure given = first;
  given.json = odd;
  const auto second = failure_of_call(given);
  EXPECT_EQ(second.json, odd);
  EXPECT_EQ(second.type, "F");
  EXPECT_EQ(second.module, "builtins");
  EXPECT_EQ(second.message, "");
}

TEST_P(relay_over, a_failure_that_is_no_object_is_refused_and_the_call_can_still_be_answered) {
  const auto l = listen();
  expected<result<reply>> answer;
  client_bus.driver().send(to(), {R"({"method": "m"})", {}},
                           {.wait_for_reply = true, .timeout = patience},
                           [&](result<reply> r) { answer.set(std::move(r)); });
  const auto call = pull_one(*l);
  for (const char* garbage : {"boom", "[]", "{} {}", "{\"a\": \"\xff\"}"}) {
    try {
      call->reply({"null", remote_failure{.json = garbage}});
      ADD_FAILURE() << garbage << " was taken";
    } catch (const messaging_error& e) {
      EXPECT_EQ(e.failure().code(), errc::serialization_failed);
      EXPECT_EQ(e.failure().message().find("The failure to be sent is not a JSON object: "), 0u);
    }
  }
  call->reply({"5", std::nullopt});
  EXPECT_EQ(answer.get().value().result, "5");
}

TEST_P(relay_over, what_is_no_object_is_not_sent) {
  for (const char* body : {"", "[]", "{", "{} {}", R"({"a": 1}, "b": {})"})
    EXPECT_EQ(refusal_of(body), errc::serialization_failed) << body;
}

class relayed_notifications_over : public relay_over {
 protected:
  void SetUp() override { OSLO_NEEDS(notifications); }

  std::shared_ptr<listener> listen_for_infos() {
    expected<result<void>> verdict;
    auto l = on_loop(server_bus, [&] {
      auto made = server_bus.driver().listen_for_notifications({{to(), "info"}}, {}, {});
      made->ready([&](result<void> r) { verdict.set(std::move(r)); });
      return made;
    });
    verdict.get().value();
    return l;
  }
  result<reply> notify(std::string body, notification_format f, context ctxt = {}) {
    expected<result<reply>> done;
    client_bus.driver().send_notification(
        {.topic = topic + ".info"}, {std::move(body), std::move(ctxt)}, f, {.timeout = patience},
        [&](result<reply> r) { done.set(std::move(r)); });
    return done.get();
  }
};

TEST_P(relayed_notifications_over, may_be_any_object) {
  const auto l = listen_for_infos();
  for (const auto f : {notification_format::bare, notification_format::envelope}) {
    for (const char* body : {"{}", R"({"x": 1})", R"({"payload": 5, "priority": [], "": {}})",
                             R"({"method": "m", "event_type": null, "_x": "\ud83d\ude00"})"}) {
      notify(body, f).value();
      const auto m = pull_one(*l);
      EXPECT_EQ(fields_of(m), parse_json(body).as_object());
      EXPECT_EQ(m->ctxt(), context());
      auto keys = keys_of(m);
      keys.erase("_unique_id");
      EXPECT_EQ(keys, fields_of(m));
    }
  }
}

TEST_P(relayed_notifications_over, keep_the_context_in_their_text_and_no_key_of_the_transport) {
  const auto l = listen_for_infos();
  for (const auto f : {notification_format::bare, notification_format::envelope}) {
    notify(R"({"x": 1, "_context_user": "bob", "_msg_id": "theirs", "_reply_q": "theirs",
               "_timeout": 7, "_unique_id": "theirs"})",
           f, {{"n", 1}})
        .value();
    const auto m = pull_one(*l);
    EXPECT_EQ(m->ctxt(), (context{{"user", "bob"}, {"n", 1}}));
    EXPECT_EQ(m->message_id(), "");
    EXPECT_EQ(m->client_timeout(), std::nullopt);
    EXPECT_EQ(text_of(m).find("theirs"), std::string::npos) << text_of(m);
  }
}

TEST_P(relayed_notifications_over, that_look_like_an_envelope_are_sent_in_one_only) {
  const auto l = listen_for_infos();
  const std::string odd = R"({"oslo.version": "2.0", "oslo.message": "{\"_msg_id\": \"theirs\"}"})";
  EXPECT_EQ(notify(odd, notification_format::bare).error().code(), errc::serialization_failed);
  EXPECT_EQ(notify("{", notification_format::bare).error().code(), errc::serialization_failed);
  notify(odd, notification_format::envelope).value();
  const auto m = pull_one(*l);
  EXPECT_EQ(fields_of(m), parse_json(odd).as_object());
}

OSLO_CONFORMANCE_SUITE(relay_over);
OSLO_CONFORMANCE_SUITE(relayed_notifications_over);

}  // namespace
}  // namespace oslo::messaging
