// C++ clients with typed and dynamic methods, and a server on Python's oslo.messaging.
#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <map>
#include <optional>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/messaging.hpp>
#include <string>
#include <vector>

#include "support/broker.hpp"

namespace oslo::messaging::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Lt;
using ::testing::Not;
using ::testing::StartsWith;

struct add_args {
  int a = 0;
  int b = 0;
};
BOOST_DESCRIBE_STRUCT(add_args, (), (a, b))

struct fail_args {
  std::string module;
  std::string type;
  std::string message;
};
BOOST_DESCRIBE_STRUCT(fail_args, (), (module, type, message))

struct sleep_args {
  double seconds = 0;
};
BOOST_DESCRIBE_STRUCT(sleep_args, (), (seconds))

BOOST_DEFINE_ENUM_CLASS(power_state, running, paused)

struct flavor {
  std::string name;
  std::int64_t ram = 0;
  std::optional<double> disk;
  std::vector<std::string> tags;
  std::map<std::string, int> quota;
  power_state state = power_state::running;
  bool operator==(const flavor&) const = default;
};
BOOST_DESCRIBE_STRUCT(flavor, (), (name, ram, disk, tags, quota, state))

template <class T>
struct identity_args {
  T value{};
  BOOST_DESCRIBE_CLASS(identity_args, (), (value), (), ())
};

constexpr rpc::method<int(add_args)> add{"add"};
constexpr rpc::method<double(sleep_args)> sleep_for{"sleep"};
constexpr rpc::method<void(fail_args)> fail{"fail"};
constexpr rpc::method<void()> hit{"hit"};
constexpr rpc::method<int()> hits{"hits"};
constexpr rpc::method<value()> seen_context{"context"};
template <class T>
constexpr rpc::method<T(identity_args<T>)> identity{"identity"};
constexpr rpc::method<std::optional<int>(identity_args<value>)> optional_of_any{"identity"};

std::string peer() {
  return environment("OSLO_TEST_PEER_SERVER");
}

class python_server : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    topic_ = new std::string(unique_name("cpp"));
    server_ = new served_program(peer(), rabbit_url(), {*topic_, "--server", "one", "--ping"});
  }
  static void TearDownTestSuite() {
    EXPECT_EQ(server_->stop(), 0);
    delete server_;
    delete topic_;
  }

  static blocking::client client_of(const std::string& topic, rpc::client_options o = {}) {
    if (!o.timeout) o.timeout = 20s;
    return blocking::client{open_transport(rabbit_url()), {.topic = topic}, std::move(o)};
  }

  template <class T>
  void expect_same(const T& v) {
    EXPECT_EQ(client_.call(identity<T>, {}, {.value = v}), v);
  }

  static std::string* topic_;
  static served_program* server_;
  blocking::client client_ = client_of(*topic_);
};

std::string* python_server::topic_ = nullptr;
served_program* python_server::server_ = nullptr;

TEST_F(python_server, typed_call) {
  EXPECT_EQ(client_.call(add, {}, {.a = 2, .b = 3}), 5);
  EXPECT_EQ(client_.call(add, {}, {.a = -7}), -7);
}

TEST_F(python_server, dynamic_call) {
  const value arguments{{"a", "Zo"}, {"b", "ë 😀"}};
  EXPECT_EQ(client_.call("add", {}, arguments), value("Zoë 😀"));
}

TEST_F(python_server, results_of_every_type) {
  expect_same(true);
  expect_same(false);
  expect_same(0);
  expect_same(std::int64_t{INT64_MIN});
  expect_same(std::uint64_t{UINT64_MAX});
  expect_same(0.1);
  expect_same(5e-324);
  expect_same(HUGE_VAL);
  expect_same(std::string("zażółć 日本 😀 \"\\\b\n\x01"));
  expect_same(std::string("with a zero \0 inside", 20));
  expect_same(std::vector<std::optional<int>>{1, std::nullopt, 3});
  EXPECT_EQ(client_.call(optional_of_any, {}, {.value = nullptr}), std::nullopt);
  EXPECT_EQ(client_.call(optional_of_any, {}, {.value = 7}), 7);
  EXPECT_TRUE(std::isnan(client_.call(identity<double>, {}, {.value = std::nan("")})));
}

TEST_F(python_server, described_structures) {
  const flavor small{.name = "m1.small",
                     .ram = 2048,
                     .disk = 20.5,
                     .tags = {"a", "😀"},
                     .quota = {{"vcpus", 2}},
                     .state = power_state::paused};
  expect_same(small);
  expect_same(flavor{});
  expect_same(std::vector<flavor>{small, {}});
}

TEST_F(python_server, wrong_result_type_names_the_place) {
  constexpr rpc::method<flavor(identity_args<value>)> wrong{"identity"};
  const auto answer = client_.try_call(wrong, {}, {.value = value{{"name", "x"}, {"ram", "much"}}});
  ASSERT_TRUE(answer.has_error());
  EXPECT_EQ(answer.error().code(), errc::malformed_message);
  EXPECT_THAT(answer.error().message(), HasSubstr("ram"));
}

TEST_F(python_server, void_result) {
  const int before = client_.call(hits, {});
  client_.call(hit, {});
  EXPECT_EQ(client_.call(hits, {}), before + 1);
}

TEST_F(python_server, one_mebibyte) {
  std::string text;
  while (text.size() < 1 << 20) text += "0123456789abcdef zażółć 😀\n";
  expect_same(text);
}

TEST_F(python_server, context) {
  const context mine{
      {"user", "bob"}, {"nothing", nullptr}, {"roles", {"a", 1, true}}, {"name", "Zoë 😀"}};
  auto seen = client_.call(seen_context, mine).as_object();
  EXPECT_EQ(seen["client_timeout"], value(nullptr));
  seen.erase("client_timeout");
  EXPECT_EQ(seen, mine.entries());
}

TEST_F(python_server, remote_error_says_everything) {
  try {
    client_.call(fail, {}, {"builtins", "ValueError", "bad: ü 😀"});
    FAIL() << "no error came";
  } catch (const remote_error& e) {
    EXPECT_EQ(e.type(), "ValueError");
    EXPECT_EQ(e.module(), "builtins");
    EXPECT_EQ(e.message(), "bad: ü 😀");
    EXPECT_EQ(e.failure().remote()->args_json, R"(["bad: \u00fc \ud83d\ude00"])");
    EXPECT_EQ(e.failure().remote()->kwargs_json, "{}");
    ASSERT_THAT(e.traceback(), Not(IsEmpty()));
    EXPECT_EQ(e.traceback().front(), "Traceback (most recent call last):\n");
    EXPECT_EQ(e.traceback().back(), "ValueError: bad: ü 😀\n");
    std::string all;
    for (const auto& line : e.traceback()) all += line;
    EXPECT_THAT(all, HasSubstr("peer_server.py"));
    EXPECT_THAT(e.what(), StartsWith("Remote error: ValueError bad: ü 😀"));
  }
}

TEST_F(python_server, remote_error_of_an_application) {
  const auto answer = client_.try_call(fail, {}, {"nova.exception", "InstanceNotFound", "no 7"});
  ASSERT_TRUE(answer.has_error());
  ASSERT_NE(answer.error().remote(), nullptr);
  EXPECT_EQ(answer.error().remote()->type, "InstanceNotFound");
  EXPECT_EQ(answer.error().remote()->module, "nova.exception");
  EXPECT_EQ(answer.error().remote()->message, "no 7");
}

TEST_F(python_server, unknown_method) {
  const auto answer = client_.try_call("nothing_here", {});
  ASSERT_TRUE(answer.has_error());
  ASSERT_NE(answer.error().remote(), nullptr);
  EXPECT_EQ(answer.error().remote()->type, "NoSuchMethod");
  EXPECT_EQ(answer.error().remote()->module, "oslo_messaging.rpc.dispatcher");
  EXPECT_EQ(answer.error().remote()->message, "Endpoint does not support RPC method nothing_here");
}

/// Entities travel as {"tagged": entity}.
class tagging final : public serializer {
 public:
  value serialize_entity(const context&, value v) const override {
    return value{{"tagged", std::move(v)}};
  }
  value deserialize_entity(const context&, value v) const override {
    return v.as_object().at("tagged");
  }
  context serialize_context(const context& c) const override {
    context out = c;
    out.entries()["tagged"] = true;
    return out;
  }
};

TEST_F(python_server, serializer_of_the_client) {
  const auto tagged = client_of(*topic_, {.serializer = std::make_shared<tagging>()});
  // The server sees the tag of the argument and gives it back.
  EXPECT_EQ(tagged.call("identity", {}, value{{"value", {1, "x"}}}), (value{1, "x"}));
  EXPECT_EQ(client_.call("identity", {}, value{{"value", {{"tagged", 1}}}}),
            (value{{"tagged", 1}}));
  const auto untagged = tagged.try_call("hits", {});
  ASSERT_TRUE(untagged.has_error());
  EXPECT_EQ(untagged.error().code(), errc::malformed_message);
}

TEST_F(python_server, exception_table) {
  struct value_error : std::runtime_error {
    using std::runtime_error::runtime_error;
  };
  auto table = std::make_shared<rpc::exception_table>();
  table->add<value_error>("builtins", "ValueError");
  table->add_library_errors();
  const auto knowing = client_of(*topic_, {.exceptions = table});
  EXPECT_THROW(knowing.call(fail, {}, {"builtins", "ValueError", "bad"}), value_error);
  EXPECT_THROW(knowing.call(fail, {}, {"builtins", "KeyError", "bad"}), remote_error);
  EXPECT_THROW(knowing.call("nothing_here", {}), no_such_method);
  EXPECT_THROW(knowing.prepare({.version = "7.0"}).call("hits", {}), unsupported_version);
}

TEST_F(python_server, wrong_arguments) {
  const auto answer = client_.try_call("add", {}, value{{"a", 1}, {"wrong", 2}});
  ASSERT_TRUE(answer.has_error());
  ASSERT_NE(answer.error().remote(), nullptr);
  EXPECT_EQ(answer.error().remote()->type, "TypeError");
}

TEST_F(python_server, namespace_and_version) {
  const auto topic = unique_name("versions");
  served_program server{
      peer(), rabbit_url(), {topic, "--server", "one", "--namespace", "math", "--version", "1.2"}};
  constexpr rpc::method<int(add_args)> add_1_1{"add", {1, 1}};
  constexpr rpc::method<int(add_args)> add_1_3{"add", {1, 3}};
  const auto math = client_of(topic).prepare({.namespace_ = "math"});
  EXPECT_EQ(math.call(add, {}, {1, 2}), 3);
  EXPECT_EQ(math.call(add_1_1, {}, {1, 2}), 3);

  const auto expect_unsupported = [](const result<int>& answer, const std::string& version) {
    ASSERT_TRUE(answer.has_error());
    ASSERT_NE(answer.error().remote(), nullptr);
    EXPECT_EQ(answer.error().remote()->type, "UnsupportedVersion");
    EXPECT_EQ(answer.error().remote()->message,
              "Endpoint does not support RPC version " + version + ". Attempted method: add");
  };
  expect_unsupported(math.try_call(add_1_3, {}, {1, 2}), "1.3");
  expect_unsupported(math.prepare({.version = "2.0"}).try_call(add, {}, {1, 2}), "2.0");
  expect_unsupported(client_of(topic).try_call(add, {}, {1, 2}), "1.0");

  const auto capped = math.prepare({.version_cap = "1.2"}).try_call(add_1_3, {}, {1, 2});
  ASSERT_TRUE(capped.has_error());
  EXPECT_EQ(capped.error().code(), errc::version_cap);
}

/// Asks for the hits until there are `expected`; each question is a call and waits for its reply.
int poll_hits(const blocking::client& c, int expected) {
  const auto deadline = std::chrono::steady_clock::now() + 15s;
  int found = c.call(hits, {});
  while (found != expected && std::chrono::steady_clock::now() < deadline) found = c.call(hits, {});
  return found;
}

TEST_F(python_server, cast_fanout_and_server_directed) {
  const auto topic = unique_name("many");
  served_program one{peer(), rabbit_url(), {topic, "--server", "one"}};
  served_program two{peer(), rabbit_url(), {topic, "--server", "two"}};
  const auto client = client_of(topic);
  const auto at_one = client.prepare({.server = "one"});
  const auto at_two = client.prepare({.server = "two"});

  client.prepare({.fanout = true}).cast(hit, {});
  EXPECT_EQ(poll_hits(at_one, 1), 1);
  EXPECT_EQ(poll_hits(at_two, 1), 1);

  at_two.cast(hit, {});
  at_two.call(hit, {});
  EXPECT_EQ(poll_hits(at_two, 3), 3);
  EXPECT_EQ(at_one.call(hits, {}), 1);

  const auto fanout_call = client.prepare({.fanout = true}).try_call(hits, {});
  ASSERT_TRUE(fanout_call.has_error());
  EXPECT_EQ(fanout_call.error().code(), errc::invalid_target);
}

TEST_F(python_server, timeout) {
  const auto started = std::chrono::steady_clock::now();
  const auto answer = client_.prepare({.timeout = 700ms}).try_call(sleep_for, {}, {.seconds = 3});
  const auto elapsed = std::chrono::steady_clock::now() - started;
  ASSERT_TRUE(answer.has_error());
  EXPECT_EQ(answer.error().code(), errc::timed_out);
  EXPECT_THAT(elapsed, AllOf(Gt(690ms), Lt(2s)));
  EXPECT_GE(answer.error().detail().elapsed, 690ms);
  EXPECT_THAT(answer.error().detail().destination, HasSubstr(*topic_));
  // The late reply harms nobody.
  EXPECT_EQ(client_.call(add, {}, {1, 1}), 2);
}

TEST_F(python_server, call_monitor) {
  const auto monitored = client_.prepare({.timeout = 30s, .call_monitor_timeout = 2500ms});
  // More than two intervals, so that heartbeats have to keep coming.
  EXPECT_EQ(monitored.call(sleep_for, {}, {.seconds = 6.5}), 6.5);
}

TEST_F(python_server, call_monitor_notices_silence) {
  const auto topic = unique_name("silent");
  served_program server{peer(), rabbit_url(), {topic, "--server", "one"}};
  const auto client = client_of(topic);
  client.call(hits, {});
  server.process().send_signal(SIGSTOP);
  const auto started = std::chrono::steady_clock::now();
  const auto answer = client.prepare({.timeout = 40s, .call_monitor_timeout = 2s})
                          .try_call(sleep_for, {}, {.seconds = 1});
  server.process().send_signal(SIGCONT);
  ASSERT_TRUE(answer.has_error());
  EXPECT_EQ(answer.error().code(), errc::timed_out);
  EXPECT_THAT(std::chrono::steady_clock::now() - started, AllOf(Gt(1900ms), Lt(8s)));
}

boost::asio::awaitable<void> add_many(const rpc::client& client, int first, int count, int& done) {
  for (int i = first; i < first + count; ++i) {
    const add_args args{.a = i, .b = 1};
    const int sum = co_await client.call(add, {}, args);
    EXPECT_EQ(sum, i + 1);
    ++done;
  }
}

TEST_F(python_server, coroutines_on_a_loop_of_the_application) {
  boost::asio::io_context loop;
  int done = 0;
  for (int i = 0; i < 20; ++i)
    boost::asio::co_spawn(loop, add_many(client_.async(), i * 100, 10, done),
                          [](std::exception_ptr e) {
                            if (e) std::rethrow_exception(e);
                          });
  loop.run_for(60s);
  EXPECT_EQ(done, 200);
}

}  // namespace
}  // namespace oslo::messaging::testing
