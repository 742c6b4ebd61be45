// access_policy::authorize: the word of a policy over single requests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <mutex>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/rpc.hpp>

#include "support/log_lines.hpp"

namespace oslo::messaging::rpc {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

/// Lets administrators in, and remembers who asked for what.
class only_admins final : public access_policy {
 public:
  bool is_allowed(std::string_view method, bool) const override { return method != "hidden"; }
  void authorize(const access_request& r) const override {
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(std::string(r.namespace_.value_or("None")) + "." + std::string(r.method));
    }
    const auto* role = r.ctxt.find("role");
    if (role == nullptr || *role != "admin")
      throw remote_exception("nova.exception", "Forbidden", "not for you");
  }
  std::vector<std::string> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::vector<std::string> asked_;
};

class promoting final : public serializer {
 public:
  context deserialize_context(const context& c) const override {
    context out = c;
    if (out.find("token") != nullptr) out.entries()["role"] = "admin";
    return out;
  }
};

class authorization : public ::testing::Test {
 protected:
  authorization() {
    methods->bind("plain", [this] { return ++ran; });
    methods->bind("strict", [this](const std::map<std::string, int>&) { return ++ran; });
    methods->bind("coroutine", [this]() -> boost::asio::awaitable<int> { co_return ++ran; });
    methods->bind("deferred", [this](responder<int> r) { r.reply(++ran); });
    methods->bind("late", [this] { ++ran; }).acknowledge(acknowledge_when::after_success);
  }

  server serve(server_options o = {}) {
    o.access_policy = policy;
    o.executor = thread_pool(1);
    return server(bus, {.topic = "t", .server = "s"}, {methods}, std::move(o));
  }
  result<value> call(std::string_view method, context ctxt, value args = object()) const {
    return blocking::client(bus, {.topic = "t", .namespace_ = "compute"}, {.timeout = 20s})
        .try_call(method, std::move(ctxt), std::move(args));
  }

  testing::log_lines log;
  transport bus = open_transport("fake://", {.log = log.into()});
  std::shared_ptr<const only_admins> policy = std::make_shared<only_admins>();
  std::shared_ptr<endpoint> methods = std::make_shared<endpoint>(target{.namespace_ = "compute"});
  std::atomic<int> ran{0};
};

TEST_F(authorization, refuses_with_what_the_policy_throws_before_any_kind_of_handler) {
  auto s = serve();
  s.start();
  for (const char* method : {"plain", "coroutine", "deferred"}) {
    const auto refused = call(method, {{"role", "user"}});
    ASSERT_TRUE(refused.has_error()) << method;
    ASSERT_NE(refused.error().remote(), nullptr) << method;
    EXPECT_EQ(refused.error().remote()->module, "nova.exception") << method;
    EXPECT_EQ(refused.error().remote()->type, "Forbidden") << method;
    EXPECT_EQ(refused.error().remote()->message, "not for you") << method;
  }
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(log.count(log_level::error, "(plain): Forbidden: not for you"), 1);
  EXPECT_EQ(call("plain", {{"role", "admin"}}).value(), 1);
  EXPECT_EQ(call("coroutine", {{"role", "admin"}}).value(), 2);
  EXPECT_EQ(call("deferred", {{"role", "admin"}}).value(), 3);
  EXPECT_THAT(policy->asked(),
              ElementsAre("compute.plain", "compute.coroutine", "compute.deferred", "compute.plain",
                          "compute.coroutine", "compute.deferred"));
}

TEST_F(authorization, is_not_asked_about_methods_that_callers_may_not_see) {
  auto s = serve();
  s.start();
  EXPECT_EQ(call("hidden", {}).error().remote()->type, "NoSuchMethod");
  EXPECT_EQ(call("missing", {}).error().remote()->type, "NoSuchMethod");
  EXPECT_THAT(policy->asked(), ElementsAre());
}

TEST_F(authorization, comes_before_the_arguments) {
  auto s = serve();
  s.start();
  const value wrong{{"a", "text"}};
  EXPECT_EQ(call("strict", {}, wrong).error().remote()->type, "Forbidden");
  EXPECT_EQ(call("strict", {{"role", "admin"}}, wrong).error().remote()->type, "TypeError");
}

TEST_F(authorization, sees_the_context_of_the_serializer) {
  auto s = serve({.serializer = std::make_shared<promoting>()});
  s.start();
  EXPECT_EQ(call("plain", {{"token", "x"}}).value(), 1);
  EXPECT_EQ(call("plain", {}).error().remote()->type, "Forbidden");
}

TEST_F(authorization, a_refused_cast_counts_as_one_that_failed) {
  auto s = serve();
  s.start();
  const blocking::client casting(bus, {.topic = "t", .namespace_ = "compute"});
  casting.cast("late", {});
  // A handler that fails gets its message once more, and so does this.
  ASSERT_TRUE(log.wait_for(log_level::error, "was delivered before: it is dropped"));
  EXPECT_THAT(policy->asked(), ElementsAre("compute.late", "compute.late"));
  EXPECT_EQ(ran, 0);
}

TEST_F(authorization, is_asked_about_the_ping_too) {
  auto s = serve({.ping = true});
  s.start();
  const blocking::client pinging(bus, {.topic = "t"}, {.timeout = 20s});
  EXPECT_EQ(pinging.try_call("oslo_rpc_server_ping", {}).error().remote()->type, "Forbidden");
  EXPECT_EQ(pinging.call("oslo_rpc_server_ping", {{"role", "admin"}}), "pong");
  EXPECT_THAT(policy->asked(),
              ElementsAre("None.oslo_rpc_server_ping", "None.oslo_rpc_server_ping"));
}

TEST_F(authorization, without_a_policy_that_does_it_every_request_is_accepted) {
  server s(bus, {.topic = "t", .server = "s"}, {methods},
           {.executor = thread_pool(1), .access_policy = legacy_access_policy()});
  s.start();
  EXPECT_EQ(call("plain", {}).value(), 1);
}

}  // namespace
}  // namespace oslo::messaging::rpc
