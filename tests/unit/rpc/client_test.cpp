#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/describe/class.hpp>
#include <future>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/rpc/client.hpp>
#include <thread>

#include "support/odd_code.hpp"
#include "support/recording_driver.hpp"
#include "support/silent_driver.hpp"

namespace oslo::messaging::rpc {

struct add_args {
  int a = 0, b = 0;
};
BOOST_DESCRIBE_STRUCT(add_args, (), (a, b))

struct greet_args {
  std::string name;
  std::optional<std::string> title;
};
BOOST_DESCRIBE_STRUCT(greet_args, (), (name, title))

namespace {

using namespace std::chrono_literals;
using testing::open_recording;
using testing::recorder;
namespace asio = boost::asio;

inline constexpr method<int(add_args)> add{"add", {1, 1}};
inline constexpr method<std::string(greet_args)> greet{"greet"};
inline constexpr method<void()> tick{"tick"};

/// Runs a coroutine on a loop of its own, which is not the transport's.
template <class T>
T run(asio::awaitable<T> work) {
  asio::io_context io;
  auto future = asio::co_spawn(io, std::move(work), asio::use_future);
  io.run();
  return future.get();
}

class client_messages : public ::testing::Test {
 protected:
  std::shared_ptr<recorder> sent = std::make_shared<recorder>();
  transport bus = open_recording(sent);

  client make(target to = topic_only(), client_options o = {}) {
    return client(bus, std::move(to), std::move(o));
  }
  static target topic_only() {
    target t;
    t.topic = "t";
    return t;
  }
  std::string body() const { return sent->last().message.body; }
};

asio::awaitable<void> all_forms(client c) {
  // Braces inside co_await: the form that GCC 12 gets wrong for structs with strings.
  EXPECT_EQ(co_await c.call(add, {}, {.a = 1, .b = 2}), 3);
  const add_args named{.a = 4};
  EXPECT_EQ(co_await c.call(add, {}, named), 3);
  const greet_args who{.name = "J\xc3\xb6rg"};
  const context bob{{"user", "bob"}};
  EXPECT_EQ(co_await c.call(greet, bob, who), "hello");
  co_await c.call(tick, {});
  co_await c.cast(add, {}, {.a = 5});
  const value args{{"x", {1, nullptr}}};
  const value dynamic = co_await c.call("dynamic", {}, args);
  EXPECT_EQ(dynamic, (value{1, 2}));
  co_await c.call("bare", {});
  co_await c.prepare({.server = "s", .fanout = false, .timeout = 1s}).call(tick, {});
  const std::string long_name(100, 'n');
  co_await c.prepare({.namespace_ = long_name + "x"}).cast(tick, {});
  EXPECT_EQ(co_await c.prepare({.topic = long_name, .version = "1.2"}).call("versioned", {}), 7);
}

TEST_F(client_messages, have_exactly_these_bytes) {
  for (const char* r :
       {"3", "3", "\"hello\"", "null", "null", "[1, 2]", "null", "null", "null", "7"})
    sent->answer(reply{r});
  run(all_forms(make()));
  std::vector<std::string> bodies;
  for (const auto& m : sent->sent()) bodies.push_back(m.message.body);
  EXPECT_EQ(bodies, (std::vector<std::string>{
                        R"({"method": "add", "args": {"a": 1, "b": 2}, "version": "1.1"})",
                        R"({"method": "add", "args": {"a": 4, "b": 0}, "version": "1.1"})",
                        R"({"method": "greet", "args": {"name": "J\u00f6rg"}})",
                        R"({"method": "tick", "args": {}})",
                        R"({"method": "add", "args": {"a": 5, "b": 0}, "version": "1.1"})",
                        R"({"method": "dynamic", "args": {"x": [1, null]}})",
                        R"({"method": "bare", "args": {}})",
                        R"({"method": "tick", "args": {}})",
                        R"({"method": "tick", "args": {}, "namespace": ")" + std::string(100, 'n') +
                            R"(x"})",
                        R"({"method": "versioned", "args": {}, "version": "1.2"})",
                    }));
  EXPECT_EQ(sent->sent()[2].message.ctxt, (context{{"user", "bob"}}));
  EXPECT_EQ(sent->sent()[7].to.server, "s");
  EXPECT_EQ(sent->sent()[7].options.timeout, 1s);
  EXPECT_EQ(sent->sent()[9].to.topic, std::string(100, 'n'));
}

TEST_F(client_messages, need_a_driver_that_carries_them) {
  const auto without = std::make_shared<recorder>();
  without->caps = {.rpc = false};
  try {
    client(open_recording(without), topic_only());
    FAIL();
  } catch (const messaging_error& e) {
    EXPECT_EQ(e.failure().code(), errc::not_supported);
    EXPECT_STREQ(e.what(), "The driver of recording:// cannot carry RPC.");
  }
  without->caps = {.fanout = false};
  const client c(open_recording(without), topic_only());
  const auto refused = run(c.prepare({.fanout = true}).try_cast(tick, {}));
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code(), errc::not_supported);
  EXPECT_EQ(refused.error().message(),
            "The driver of recording:// cannot send to all servers of a topic.");
  EXPECT_TRUE(without->sent().empty());
  EXPECT_TRUE(run(c.try_cast(tick, {})).has_value());
}

TEST_F(client_messages, the_version_comes_from_prepare_then_the_method_then_the_target) {
  target to = topic_only();
  to.version = "1.0";
  const auto c = make(to);
  run(c.cast(tick, {}));
  EXPECT_EQ(body(), R"({"method": "tick", "args": {}, "version": "1.0"})");
  run(c.cast(add, {}, add_args{}));
  EXPECT_EQ(body(), R"({"method": "add", "args": {"a": 0, "b": 0}, "version": "1.1"})");
  run(c.prepare({.version = "1.7"}).cast(add, {}, add_args{}));
  EXPECT_EQ(body(), R"({"method": "add", "args": {"a": 0, "b": 0}, "version": "1.7"})");
  run(c.prepare({.version = std::nullopt}).cast(add, {}, add_args{}));
  EXPECT_EQ(body(), R"({"method": "add", "args": {"a": 0, "b": 0}})");
}

TEST_F(client_messages, prepare_tells_unset_null_and_value_apart) {
  target to = topic_only();
  to.exchange = "x";
  to.namespace_ = "n";
  to.server = "s";
  const auto c = make(to);
  const auto same = c.prepare({});
  EXPECT_EQ(same.where(), to);
  const auto changed =
      c.prepare({.exchange = "y", .namespace_ = std::nullopt, .server = std::nullopt});
  EXPECT_EQ(changed.where().exchange, "y");
  EXPECT_EQ(changed.where().namespace_, std::nullopt);
  EXPECT_EQ(changed.where().server, std::nullopt);
  EXPECT_EQ(changed.where().topic, "t");
  const std::optional<std::string> none;
  const std::optional<std::string> some = "z";
  EXPECT_EQ(changed.prepare({.topic = some, .server = none}).where().topic, "z");
  EXPECT_TRUE(c.prepare({.fanout = true}).where().fanout);
  EXPECT_EQ(c.where(), to);
}

TEST_F(client_messages, the_timeout_comes_from_prepare_then_the_client_then_the_config) {
  run(make().call(tick, {}));
  EXPECT_EQ(sent->last().options.timeout, 60s);
  EXPECT_TRUE(sent->last().options.wait_for_reply);
  EXPECT_EQ(sent->last().options.retry, -1);
  const auto c =
      make(topic_only(),
           {.timeout = 0ms, .retry = 2, .call_monitor_timeout = 5s, .at_least_once = true});
  run(c.call(tick, {}));
  EXPECT_EQ(sent->last().options.timeout, 0ms);
  EXPECT_EQ(sent->last().options.call_monitor_timeout, 5s);
  EXPECT_EQ(sent->last().options.retry, 2);
  EXPECT_TRUE(sent->last().options.at_least_once);
  run(c.prepare({.timeout = 1500ms, .retry = 0}).call(tick, {}));
  EXPECT_EQ(sent->last().options.timeout, 1500ms);
  EXPECT_EQ(sent->last().options.retry, 0);
  run(c.prepare({.timeout = std::nullopt, .retry = std::nullopt}).call(tick, {}));
  EXPECT_EQ(sent->last().options.timeout, 60s);
  EXPECT_EQ(sent->last().options.retry, -1);
}

TEST_F(client_messages, the_config_sets_the_default_timeout) {
  const auto slow =
      open_recording(sent, {.conf = config::parse("[DEFAULT]\nrpc_response_timeout = 7\n")});
  run(client(slow, topic_only()).call(tick, {}));
  EXPECT_EQ(sent->last().options.timeout, 7s);
}

TEST_F(client_messages, a_cast_waits_for_no_reply) {
  run(make(topic_only(), {.timeout = 5s, .call_monitor_timeout = 5s}).cast(tick, {}));
  EXPECT_FALSE(sent->last().options.wait_for_reply);
  EXPECT_EQ(sent->last().options.call_monitor_timeout, std::nullopt);
}

TEST_F(client_messages, a_timeout_bounds_a_cast_only_when_it_was_given) {
  run(make().cast(tick, {}));
  EXPECT_EQ(sent->last().options.timeout, std::nullopt);
  const auto c = make(topic_only(), {.timeout = 5s});
  run(c.cast(tick, {}));
  EXPECT_EQ(sent->last().options.timeout, 5s);
  run(c.prepare({.timeout = 0ms}).cast(tick, {}));
  EXPECT_EQ(sent->last().options.timeout, 0ms);
  run(c.prepare({.timeout = std::nullopt}).cast(tick, {}));
  EXPECT_EQ(sent->last().options.timeout, std::nullopt);
  run(make().prepare({.timeout = 2s}).cast(tick, {}));
  EXPECT_EQ(sent->last().options.timeout, 2s);
}

TEST_F(client_messages, mistakes_are_found_before_anything_is_sent) {
  const auto code_of = [](const result<void>& r) { return r ? errc{} : r.error().code(); };
  const auto no_topic = run(client(bus, {}).try_cast(tick, {}));
  EXPECT_EQ(code_of(no_topic), errc::invalid_target);
  EXPECT_EQ(no_topic.error().message(), "A topic is required to send:<Target >");
  const auto fanout = run(make().prepare({.fanout = true}).try_call(tick, {}));
  EXPECT_EQ(code_of(fanout), errc::invalid_target);
  EXPECT_EQ(fanout.error().message(),
            "A call cannot be used with fanout:<Target topic=t, fanout=True>");
  const auto capped = run(make(topic_only(), {.version_cap = "1.0"}).try_cast(add, {}, add_args{}));
  EXPECT_EQ(code_of(capped), errc::version_cap);
  EXPECT_EQ(capped.error().message(),
            "Requested message version, 1.1 is incompatible.  It needs to be equal in major "
            "version and less than or equal in minor version as the specified version cap 1.0.");
  try {
    run(make().prepare({.fanout = true}).call(tick, {}));
    FAIL();
  } catch (const invalid_target& e) {
    ASSERT_NE(e.target(), nullptr);
    EXPECT_EQ(*e.target(), (target{.topic = "t", .fanout = true}));
  }
  try {
    run(make({.topic = "t", .version = "1.7"}, {.version_cap = "1.6"}).call(tick, {}));
    FAIL();
  } catch (const rpc_version_cap_error& e) {
    EXPECT_EQ(e.version(), "1.7");
    EXPECT_EQ(e.version_cap(), "1.6");
  }
  const greet_args not_utf8{.name = "\xff"};
  const auto bad = run(make().try_call(greet, {}, not_utf8));
  ASSERT_TRUE(bad.has_error());
  EXPECT_EQ(bad.error().code(), errc::serialization_failed);
  EXPECT_TRUE(sent->sent().empty());
  for (const char* version : {"5", "5.a", "5.5.a", ""}) {
    try {
      make().prepare({.version = version});
      ADD_FAILURE() << version;
    } catch (const messaging_error& e) {
      EXPECT_EQ(e.what(),
                "Version must contain a major and minor integer. Got " + std::string(version));
    }
  }
}

TEST_F(client_messages, can_send_version_follows_the_cap) {
  const auto c = make(topic_only(), {.version_cap = "1.5"});
  EXPECT_TRUE(c.can_send_version("1.5"));
  EXPECT_TRUE(c.can_send_version("1.0"));
  EXPECT_FALSE(c.can_send_version("1.6"));
  EXPECT_FALSE(c.can_send_version("2.0"));
  EXPECT_FALSE(c.can_send_version());  // no version
  EXPECT_TRUE(make().can_send_version("9.9"));
}

TEST_F(client_messages, a_result_of_another_type_names_its_place) {
  sent->answer(reply{R"({"no": "number"})"});
  const auto r = run(make().try_call(add, {}, add_args{}));
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::malformed_message);
  EXPECT_EQ(r.error().message(), "result: expected int, got object");
  sent->answer(reply{"[1"});
  EXPECT_EQ(run(make().try_call("x", {})).error().code(), errc::malformed_message);
  // Nobody asked what a method without a result returns.
  sent->answer(reply{"[1, 2, 3]"});
  run(make().call(tick, {}));
}

TEST_F(client_messages, a_remote_failure_keeps_its_class) {
  remote_failure f;
  f.type = "ValueError";
  f.module = "builtins";
  f.message = "bad";
  sent->answer(failure(f));
  try {
    run(make().call(tick, {}));
    FAIL();
  } catch (const remote_error& e) {
    EXPECT_EQ(e.type(), "ValueError");
    EXPECT_EQ(e.message(), "bad");
  }
}

class marking final : public serializer {
 public:
  value serialize_entity(const context& c, value v) const override {
    return value{{"s", std::move(v)}, {"for", c.find("user") ? *c.find("user") : value()}};
  }
  value deserialize_entity(const context& c, value v) const override {
    return value{{"d", std::move(v)}, {"for", c.find("user") ? *c.find("user") : value()}};
  }
  context serialize_context(const context& c) const override {
    context out = c;
    out.entries()["serialized"] = true;
    return out;
  }
};

TEST_F(client_messages, the_serializer_sees_each_argument_the_context_and_the_result) {
  const auto c = make(topic_only(), {.serializer = std::make_shared<marking>()});
  sent->answer(reply{"7"});
  const value args{{"x", 1}, {"y", "z"}};
  EXPECT_EQ(run(c.call("m", {{"user", "bob"}}, args)), (value{{"d", 7}, {"for", "bob"}}));
  EXPECT_EQ(body(), R"({"method": "m", "args": {"x": {"s": 1, "for": "bob"}, )"
                    R"("y": {"s": "z", "for": "bob"}}})");
  EXPECT_EQ(sent->last().message.ctxt, (context{{"user", "bob"}, {"serialized", true}}));
}

class picky final : public serializer {
 public:
  value serialize_entity(const context&, value v) const override {
    if (v.is_null()) throw std::invalid_argument("null");
    return v;
  }
  value deserialize_entity(const context&, value v) const override {
    return v.as_object().at("tag");  // an exception of Boost for anything else
  }
};

TEST_F(client_messages, a_serializer_that_throws_is_an_error_of_that_call) {
  const auto c = make(topic_only(), {.serializer = std::make_shared<picky>()});
  const value null_inside{{"x", nullptr}};
  const auto unsent = run(c.try_call("m", {}, null_inside));
  ASSERT_TRUE(unsent.has_error());
  EXPECT_EQ(unsent.error().code(), errc::serialization_failed);
  EXPECT_EQ(unsent.error().message(), "The serializer cannot write the message: null");
  EXPECT_TRUE(sent->sent().empty());
  sent->answer(reply{"7"});
  const auto unread = run(c.try_call("m", {}));
  ASSERT_TRUE(unread.has_error());
  EXPECT_EQ(unread.error().code(), errc::malformed_message);
  EXPECT_EQ(unread.error().message().rfind("The serializer cannot read the result: ", 0), 0u);
}

TEST_F(client_messages, no_code_of_the_application_loses_the_end_of_a_call) {
  for (const auto& [kind, reason] : testing::odd_kinds) {
    const method<int(testing::odd_value)> taking{"m"};
    const method<testing::odd_value()> giving{"m"};
    const testing::odd_value bad{kind};
    // A failure of the library that a serializer throws is told as it is.
    const auto is = [&](errc usual) {
      return std::string_view(kind) == "failure" ? errc::malformed_message : usual;
    };
    EXPECT_EQ(run(make().try_call(taking, {}, bad)).error().code(), errc::serialization_failed);
    EXPECT_EQ(run(make().try_cast(taking, {}, bad)).error().code(), errc::serialization_failed);
    sent->answer(reply{"\"" + std::string(kind) + "\""});
    EXPECT_EQ(run(make().try_call(giving, {})).error().code(), errc::malformed_message);
    for (const bool of_context : {false, true}) {
      const auto c = make(topic_only(), {.serializer = std::make_shared<testing::odd_serializer>(
                                             of_context ? "" : kind, of_context ? kind : "")});
      const value one{{"x", 1}};
      const auto called = run(c.try_call("m", {}, one));
      EXPECT_EQ(called.error().code(), is(errc::serialization_failed));
      EXPECT_NE(called.error().message().find(reason), std::string::npos);
      EXPECT_EQ(run(c.try_cast("m", {}, one)).error().code(), is(errc::serialization_failed));
    }
    // Without arguments it only sees the result.
    const auto c =
        make(topic_only(), {.serializer = std::make_shared<testing::odd_serializer>(kind, "")});
    EXPECT_EQ(run(c.try_call("m", {})).error().code(), errc::malformed_message);
  }
}

TEST(client_cancellation, ends_a_coroutine_that_waits) {
  const auto bus = testing::open_silent();
  target to;
  to.topic = "t";
  const client c(bus, to);
  asio::io_context io;
  asio::cancellation_signal stop;
  std::exception_ptr error;
  asio::co_spawn(
      io, c.call(tick, {}),
      asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr e) { error = e; }));
  io.poll();
  EXPECT_EQ(error, nullptr);
  stop.emit(asio::cancellation_type::terminal);
  io.run_for(20s);
  ASSERT_NE(error, nullptr);
  try {
    std::rethrow_exception(error);
  } catch (const messaging_error& e) {
    EXPECT_EQ(e.failure().code(), errc::cancelled);
  }
}

TEST_F(client_messages, a_coroutine_resumes_on_its_own_executor) {
  asio::io_context io;
  std::thread::id resumed;
  const auto c = make();
  asio::co_spawn(
      io,
      [](client cl, std::thread::id& on) -> asio::awaitable<void> {
        co_await cl.call(tick, {});
        on = std::this_thread::get_id();
      }(c, resumed),
      [](std::exception_ptr) {});
  io.run();
  EXPECT_TRUE(resumed == std::this_thread::get_id());
}

}  // namespace
}  // namespace oslo::messaging::rpc
