// Where each value of a message comes from: the constructor, prepare, or prepare twice.
#include <gtest/gtest.h>

#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/rpc.hpp>
#include <tuple>

#include "support/recording_driver.hpp"

namespace oslo::messaging::rpc {
namespace {

using namespace std::chrono_literals;
using text = std::optional<std::string>;

class client_prepare : public ::testing::Test {
 protected:
  std::shared_ptr<testing::recorder> sent = std::make_shared<testing::recorder>();
  transport bus = testing::open_recording(sent);

  target last_target() const { return sent->last().to; }
  std::string last_body() const { return sent->last().message.body; }
};

/// How a value is given, and which one counts in the end.
struct way {
  const char* what;
  text constructed;
  std::vector<patch<std::string>> prepared;
  text expected;
};

const way ways[] = {
    {"never", {}, {}, {}},
    {"constructor", "1.5", {}, "1.5"},
    {"prepare", {}, {"1.6"}, "1.6"},
    {"both", "1.5", {"1.6"}, "1.6"},
    {"prepare says nothing", "1.5", {{}}, "1.5"},
    {"prepare says null", "1.5", {std::nullopt}, {}},
    {"prepared twice", "1.5", {"1.6", "1.7"}, "1.7"},
    {"prepared, then nothing", "1.5", {"1.6", {}}, "1.6"},
    {"prepared, then null", "1.5", {"1.6", std::nullopt}, {}},
    {"null, then prepared", "1.5", {std::nullopt, "1.7"}, "1.7"},
};

TEST_F(client_prepare, each_text_comes_from_where_it_was_given_last) {
  struct field {
    const char* name;
    text target::*of_target;
    patch<std::string> prepare_options::*of_prepare;
  };
  const field fields[] = {
      {"exchange", &target::exchange, &prepare_options::exchange},
      {"topic", &target::topic, &prepare_options::topic},
      {"namespace", &target::namespace_, &prepare_options::namespace_},
      {"version", &target::version, &prepare_options::version},
      {"server", &target::server, &prepare_options::server},
  };
  for (const auto& f : fields) {
    for (const auto& w : ways) {
      SCOPED_TRACE(std::string(f.name) + ", " + w.what);
      target to{.topic = "t"};
      if (w.constructed) to.*f.of_target = w.constructed;
      blocking::client c{bus, to};
      for (const auto& p : w.prepared) {
        prepare_options changes;
        changes.*f.of_prepare = p;
        c = c.prepare(changes);
      }
      text expected = w.expected;
      if (std::string_view(f.name) == "topic") {
        if (w.constructed || !w.prepared.empty() || expected) {
          if (!expected) {
            EXPECT_THROW(c.cast("foo", {}), invalid_target);  // null really sets null
            continue;
          }
        } else {
          expected = "t";
        }
      }
      c.cast("foo", {}, value{{"bar", "blaa"}});
      EXPECT_EQ(last_target().*f.of_target, expected);
      // In the message only when set, and in this order.
      std::string body = R"({"method": "foo", "args": {"bar": "blaa"})";
      const std::string_view name = f.name;
      if (expected && (name == "namespace" || name == "version"))
        body += ", \"" + std::string(name) + "\": \"" + *expected + '"';
      EXPECT_EQ(last_body(), body + '}');
    }
  }
}

TEST_F(client_prepare, fanout_comes_from_where_it_was_given_last) {
  const struct {
    const char* what;
    bool constructed;
    std::vector<patch<bool>> prepared;
    bool expected;
  } rows[] = {
      {"never", false, {}, false},
      {"constructor", true, {}, true},
      {"prepare", false, {true}, true},
      {"prepare says no", true, {false}, false},
      {"prepare says nothing", true, {{}}, true},
      {"prepare says null", true, {std::nullopt}, false},
      {"prepared twice", false, {true, false}, false},
      {"prepared, then nothing", false, {true, {}}, true},
  };
  for (const auto& r : rows) {
    blocking::client c{bus, {.topic = "t", .fanout = r.constructed}};
    for (const auto& p : r.prepared) c = c.prepare({.fanout = p});
    c.cast("foo", {});
    EXPECT_EQ(last_target().fanout, r.expected) << r.what;
  }
}

/// Servers would send no sign of life, and every longer call would fail.
TEST_F(client_prepare, a_call_monitor_needs_two_seconds) {
  EXPECT_THROW(client(bus, {.topic = "t"}, {.call_monitor_timeout = 1s}), configuration_error);
  const auto refused = [&](std::chrono::milliseconds timeout) -> std::string {
    try {
      client(bus, {.topic = "t"}, {.call_monitor_timeout = timeout});
    } catch (const configuration_error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(refused(1999ms), "A call_monitor_timeout must be at least 2 s, not 1.999 s.");
  EXPECT_EQ(refused(-1s), "A call_monitor_timeout must be at least 2 s, not -1 s.");
  EXPECT_EQ(refused(2001ms), "no error");
  const client c(bus, {.topic = "t"}, {.call_monitor_timeout = 2s});
  EXPECT_THROW(c.prepare({.call_monitor_timeout = 0s}), configuration_error);
  EXPECT_FALSE(c.prepare({.call_monitor_timeout = std::nullopt}).options().call_monitor_timeout);
}

TEST(call_monitors, may_have_a_timeout_beyond_the_end_of_time) {
  const auto in_process = open_transport("fake://");
  auto methods = std::make_shared<endpoint>();
  methods->bind("one", [] { return 1; });
  server s(in_process, {.topic = "monitored", .server = "s"}, {methods});
  s.start();
  const blocking::client c(
      in_process, {.topic = "monitored"},
      {.timeout = 20s, .call_monitor_timeout = std::chrono::milliseconds::max()});
  EXPECT_EQ(c.call("one", {}), 1);
}

TEST_F(client_prepare, the_options_of_a_call_come_from_where_they_were_given_last) {
  const blocking::client c{
      bus,
      {.topic = "t"},
      {.timeout = 5s, .retry = 3, .call_monitor_timeout = 4s, .at_least_once = true}};
  const auto options_of = [&](const blocking::client& of) {
    of.call("foo", {});
    return sent->last().options;
  };
  auto o = options_of(c.prepare({}));
  EXPECT_EQ(o.timeout, 5s);
  EXPECT_EQ(o.retry, 3);
  EXPECT_EQ(o.call_monitor_timeout, 4s);
  EXPECT_TRUE(o.at_least_once);
  EXPECT_EQ(options_of(c.prepare({.call_monitor_timeout = 2500ms})).call_monitor_timeout, 2500ms);
  const auto nothing = c.prepare({.timeout = std::nullopt,
                                  .retry = std::nullopt,
                                  .call_monitor_timeout = std::nullopt,
                                  .at_least_once = std::nullopt});
  o = options_of(nothing);
  EXPECT_EQ(o.timeout, 60s);  // rpc_response_timeout
  EXPECT_EQ(o.retry, -1);
  EXPECT_EQ(o.call_monitor_timeout, std::nullopt);
  EXPECT_FALSE(o.at_least_once);
  o = options_of(nothing.prepare(
      {.timeout = 0ms, .retry = 0, .call_monitor_timeout = 2s, .at_least_once = true}));
  EXPECT_EQ(o.timeout, 0ms);
  EXPECT_EQ(o.retry, 0);
  EXPECT_EQ(o.call_monitor_timeout, 2s);
  EXPECT_TRUE(o.at_least_once);
  EXPECT_EQ(options_of(c.prepare({.timeout = 2100ms})).timeout, 2100ms);
}

TEST_F(client_prepare, what_is_changed_outlives_the_text_it_was_given) {
  prepare_options changes;
  {
    const std::string gone(100, 'n');
    changes.namespace_ = gone;
    changes.topic = gone + "x";
  }
  blocking::client{bus, {.topic = "t"}}.prepare(changes).cast("foo", {});
  EXPECT_EQ(last_target().namespace_, std::string(100, 'n'));
  EXPECT_EQ(last_target().topic, std::string(100, 'n') + "x");
}

TEST_F(client_prepare, a_call_with_fanout_is_refused_wherever_it_came_from) {
  for (const auto& [constructed, prepared] :
       {std::tuple{true, patch<bool>()}, std::tuple{false, patch<bool>(true)},
        std::tuple{true, patch<bool>(true)}}) {
    const auto c =
        blocking::client{bus, {.topic = "t", .fanout = constructed}}.prepare({.fanout = prepared});
    EXPECT_THROW(c.call("foo", {}), invalid_target);
  }
  EXPECT_TRUE(sent->sent().empty());
}

TEST_F(client_prepare, a_message_without_a_topic_is_refused) {
  const blocking::client c{bus, {}};
  EXPECT_THROW(c.call("foo", {}), invalid_target);
  EXPECT_THROW(c.cast("foo", {}), invalid_target);
  EXPECT_TRUE(sent->sent().empty());
}

TEST_F(client_prepare, the_version_cap_decides_over_calls_and_casts) {
  struct row {
    text version, cap;
    patch<std::string> prepared_version, prepared_cap;
    bool allowed;
  };
  const row rows[] = {
      {{}, {}, {}, {}, true},
      {"1.1", {}, {}, {}, true},
      {{}, "1.1", {}, {}, false},  // no version is not "any version"
      {"1.1", "1.1", {}, {}, true},
      {"1.0", "1.1", {}, {}, true},
      {"1.2", "1.1", {}, {}, false},
      {"2.0", "1.1", {}, {}, false},
      {"0.9", "1.1", {}, {}, false},
      {"1.1", "1.1", "1.2", {}, false},
      {"1.2", "1.1", "1.1", {}, true},
      {"1.1", "1.1", {}, "1.0", false},
      {"1.2", "1.1", {}, "1.2", true},
      {"1.2", "1.1", {}, std::nullopt, true},
      {"1.1", "1.1", std::nullopt, {}, false},
      {"1.1", "1.1.1", {}, {}, true},
      {"1.1.2", "1.1.1", {}, {}, false},
  };
  for (const auto& r : rows) {
    target to{.topic = "t", .version = r.version};
    const auto c = blocking::client{bus, to, {.version_cap = r.cap}}.prepare(
        {.version = r.prepared_version, .version_cap = r.prepared_cap});
    SCOPED_TRACE(r.version.value_or("null") + " under " + r.cap.value_or("null"));
    EXPECT_EQ(c.async().can_send_version(), r.allowed);
    if (r.allowed) {
      c.call("foo", {});
      c.cast("foo", {});
    } else {
      EXPECT_THROW(c.call("foo", {}), rpc_version_cap_error);
      EXPECT_THROW(c.cast("foo", {}), rpc_version_cap_error);
    }
  }
}

TEST_F(client_prepare, can_send_version_asks_the_cap_of_client_and_context) {
  const client open(bus, {.topic = "t", .version = "1.1"});
  EXPECT_TRUE(open.can_send_version());
  EXPECT_TRUE(open.can_send_version("9.9"));
  const client capped(bus, {.topic = "t", .version = "1.1"}, {.version_cap = "1.5"});
  EXPECT_TRUE(capped.can_send_version());
  EXPECT_TRUE(capped.can_send_version("1.5"));
  EXPECT_FALSE(capped.can_send_version("1.6"));
  EXPECT_FALSE(capped.can_send_version("2.0"));
  EXPECT_FALSE(capped.can_send_version(std::nullopt));  // null is a value, too
  EXPECT_TRUE(capped.prepare({.version_cap = "1.6"}).can_send_version("1.6"));
  EXPECT_FALSE(capped.prepare({.version = "1.6"}).can_send_version());
  EXPECT_TRUE(capped.prepare({.version = "1.6"}).can_send_version("1.4"));
  EXPECT_TRUE(capped.prepare({.version_cap = std::nullopt}).can_send_version("7.0"));
}

}  // namespace
}  // namespace oslo::messaging::rpc
