// Which arguments a method takes, and what a caller gets that gives others.
#include <gtest/gtest.h>

#include <boost/describe/class.hpp>
#include <future>
#include <map>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/rpc.hpp>

#include "support/recording_driver.hpp"

namespace oslo::messaging {
namespace rpc {

struct boot_args {
  std::string name{};
  int ram = 512;
  std::optional<std::string> host{};
};
BOOST_DESCRIBE_STRUCT(boot_args, (), (name, ram, host))

struct port {
  int number = 0;
  std::optional<std::string> name{};
};
BOOST_DESCRIBE_STRUCT(port, (), (number, name))

struct machine {
  std::optional<std::string> host{};
  std::vector<port> ports{};
  std::map<std::string, std::pair<int, port>> named{};
  std::optional<port> console{};
};
BOOST_DESCRIBE_STRUCT(machine, (), (host, ports, named, console))

struct sparse {
  std::optional<int> a{};
};
BOOST_DESCRIBE_STRUCT(sparse, (), (a))

}  // namespace rpc

template <>
inline constexpr bool leaves_out_empty<rpc::sparse> = true;

namespace rpc {
namespace {

using namespace std::chrono_literals;

inline constexpr method<std::string(boot_args)> boot{"boot"};

class arguments : public ::testing::Test {
 protected:
  transport bus = open_transport("fake://");
  std::shared_ptr<endpoint> methods = std::make_shared<endpoint>();
  std::optional<server> running;
  blocking::client client{bus, {.topic = "arguments"}, {.timeout = 20s}};

  void serve() {
    running.emplace(bus, target{.topic = "arguments", .server = "s"}, std::vector{methods});
    running->start();
  }
  /// The result as text, or class and message of what was raised.
  std::string answer(std::string_view method, value args = object()) {
    const auto r = client.try_call(method, {}, std::move(args));
    if (r) return to_json(*r);
    return r.error().remote() != nullptr
               ? r.error().remote()->type + ": " + r.error().remote()->message
               : r.error().message();
  }
};

std::string on_boot(const boot_args& a) {
  return a.name + "," + std::to_string(a.ram) + "," + a.host.value_or("-");
}

TEST_F(arguments, that_are_unknown_are_a_type_error_as_in_python) {
  methods->bind(boot, &on_boot);
  methods->bind("none", [] {});
  methods->bind("later", [](boot_args, responder<void> r) { r.reply(); });
  serve();
  EXPECT_EQ(answer("boot", {{"name", "n"}, {"cpu", {1, 2}}}),
            "TypeError: args.cpu: boot() takes no argument of that name");
  EXPECT_EQ(answer("later", {{"cpu", 1}}),
            "TypeError: args.cpu: later() takes no argument of that name");
  EXPECT_EQ(answer("none", {{"a", 1}}), "TypeError: args.a: none() takes no argument of that name");
  EXPECT_EQ(answer("none", {{"a b\"", 1}}),
            R"(TypeError: args["a b\""]: none() takes no argument of that name)");
  EXPECT_EQ(answer("none"), "null");
  EXPECT_EQ(answer("boot", {{"name", "n"}}), R"("n,512,-")");
}

TEST_F(arguments, that_are_unknown_may_be_allowed) {
  methods->bind(boot, &on_boot).allow_unknown();
  methods->bind("none", [] {}).allow_unknown();
  methods->bind("strict", [] {});
  methods->bind_any([](std::string_view name) { return std::string(name); });
  serve();
  EXPECT_EQ(answer("boot", {{"name", "n"}, {"cpu", 1}}), R"("n,512,-")");
  EXPECT_EQ(answer("none", {{"a", 1}}), "null");
  EXPECT_EQ(answer("whatever", {{"a", 1}}), R"("whatever")");
  EXPECT_EQ(answer("strict", {{"a", 1}}),
            "TypeError: args.a: strict() takes no argument of that name");
}

TEST_F(arguments, that_are_unknown_may_be_allowed_by_an_endpoint) {
  methods = std::make_shared<endpoint>(target(), endpoint_options{.allow_unknown = true});
  methods->bind("none", [] {});
  methods->bind("strict", [] {}).allow_unknown(false);
  serve();
  EXPECT_EQ(answer("none", {{"a", 1}}), "null");
  EXPECT_EQ(answer("strict", {{"a", 1}}),
            "TypeError: args.a: strict() takes no argument of that name");
}

TEST_F(arguments, that_a_method_declares_and_its_handler_ignores_are_known) {
  methods->bind(boot, [] { return std::string("ignored"); });
  serve();
  EXPECT_EQ(client.call(boot, {}, {.name = "n", .ram = 1}), "ignored");
}

TEST_F(arguments, of_maps_and_values_have_any_name) {
  methods->bind("map", [](const std::map<std::string, int>& m) { return m.size(); });
  methods->bind("value", [](const value& v) { return v; });
  methods->bind("raw", [](const raw_json& v) { return v; });
  serve();
  for (const char* method : {"value", "raw"}) EXPECT_EQ(answer(method, {{"a", 1}}), R"({"a": 1})");
  EXPECT_EQ(answer("map", {{"a", 1}}), "1");
}

TEST_F(arguments, that_are_required_and_missing_are_a_type_error) {
  methods->bind(boot, &on_boot).require("name", std::string("ram"));
  serve();
  EXPECT_EQ(answer("boot"), "TypeError: args.name: boot() requires this argument");
  EXPECT_EQ(answer("boot", {{"name", "n"}, {"host", "h"}}),
            "TypeError: args.ram: boot() requires this argument");
  EXPECT_EQ(answer("boot", {{"ram", 1}, {"name", ""}}), R"(",1,-")");
}

TEST_F(arguments, that_are_required_have_to_be_members_of_the_handlers_struct) {
  const auto error_of = [](auto bind) {
    try {
      bind();
    } catch (const configuration_error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(error_of([&] { methods->bind(boot, &on_boot).require("nmae"); }),
            R"(The handler of method "boot" takes no argument "nmae".)");
  EXPECT_EQ(error_of([&] { methods->bind("none", [] {}).require("name"); }),
            R"(The handler of method "none" takes no argument "name".)");
  EXPECT_EQ(error_of([&] { methods->bind("value", [](const value&) {}).require("name"); }),
            R"(The handler of method "value" takes no argument "name".)");
}

TEST_F(arguments, without_a_value_are_left_out_and_such_members_of_results_are_null) {
  const auto sent = std::make_shared<testing::recorder>();
  const blocking::client recorded{testing::open_recording(sent), {.topic = "t"}};
  recorded.cast(boot, {}, {.name = "n"});
  EXPECT_EQ(sent->last().message.body, R"({"method": "boot", "args": {"name": "n", "ram": 512}})");

  machine m;
  m.ports = {{.number = 1}};
  m.named["k"] = {2, {.number = 3, .name = "x"}};
  methods->bind("plain", [&] { return m; });
  methods->bind("later", [&](responder<machine> r) { r.reply(m); });
  methods->bind("coroutine", [&]() -> boost::asio::awaitable<machine> { co_return m; });
  methods->bind("sparse", [] { return std::vector<sparse>{{}, {.a = 1}}; });
  serve();
  for (const char* method : {"plain", "later", "coroutine"})
    EXPECT_EQ(answer(method),
              R"({"host": null, "ports": [{"number": 1, "name": null}], )"
              R"("named": {"k": [2, {"number": 3, "name": "x"}]}, "console": null})");
  EXPECT_EQ(answer("sparse"), R"([{}, {"a": 1}])");
}

TEST_F(arguments, that_are_no_object_are_refused_before_they_are_sent) {
  const auto sent = std::make_shared<testing::recorder>();
  const rpc::client c(testing::open_recording(sent), {.topic = "t"});
  const blocking::client b(c);
  for (const value& args : {value(5), value("x"), value(array{1}), value(nullptr)}) {
    EXPECT_EQ(b.try_call("m", {}, args).error().code(), errc::invalid_argument);
    EXPECT_EQ(b.try_cast("m", {}, args).error().code(), errc::invalid_argument);
    constexpr method<int(value)> typed{"m"};
    EXPECT_EQ(b.try_call(typed, {}, args).error().message(),
              "Arguments are a JSON object of names and values.");
  }
  constexpr method<int(raw_json)> raw{"m"};
  EXPECT_EQ(b.try_call(raw, {}, {"[1]"}).error().code(), errc::invalid_argument);
  EXPECT_EQ(b.try_call(raw, {}, {"{"}).error().code(), errc::serialization_failed);
  EXPECT_TRUE(sent->sent().empty());
}

/// Gives back what it gets.
class identity final : public serializer {
 public:
  value serialize_entity(const context&, value v) const override { return v; }
  value deserialize_entity(const context&, value v) const override { return v; }
};

TEST_F(arguments, keep_their_digits_through_a_serializer_that_changes_nothing) {
  const auto same = std::make_shared<identity>();
  methods->bind_any([](const raw_json& args) { return args; });
  server s(bus, {.topic = "digits", .server = "s"}, {methods}, {.serializer = same});
  s.start();
  const blocking::client c{bus, {.topic = "digits"}, {.timeout = 20s, .serializer = same}};
  constexpr method<raw_json(raw_json)> echo{"echo"};
  const std::string text = R"({"a": 1180591620717411303424, "b": [1180591620717411303425, 1.5]})";
  EXPECT_EQ(c.call(echo, {}, {text}).text, text);
}

}  // namespace
}  // namespace rpc
}  // namespace oslo::messaging
