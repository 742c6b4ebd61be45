// A driver of an application that throws: each member ends in an error or a line in the log.
#include "support/throwing_driver.hpp"

#include <gtest/gtest.h>

#include <future>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/rpc.hpp>
#include <utility>

#include "support/log_lines.hpp"
#include "testing/manual_loop.hpp"

namespace oslo::messaging::rpc {
namespace {

using namespace std::chrono_literals;
using kind = testing::throw_plan::kind;

class throwing_driver : public ::testing::Test {
 protected:
  ~throwing_driver() override { plan->stop(); }

  const std::shared_ptr<testing::throw_plan> plan = std::make_shared<testing::throw_plan>();
  testing::log_lines lines;
  transport bus = testing::open_throwing(plan, {.log = lines.into()});
  const std::shared_ptr<endpoint> echo = [this] {
    auto e = std::make_shared<endpoint>();
    e->bind("echo", [this] { return ++handled; });
    e->bind("late", [this] { ++handled; }).acknowledge(acknowledge_when::after_success);
    e->bind("fails", [this] {
       ++handled;
       throw std::runtime_error("as it should");
     }).acknowledge(acknowledge_when::after_success);
    return e;
  }();
  std::atomic<int> handled{0};

  blocking::client client(std::chrono::milliseconds timeout = 20s) const {
    return {bus, {.topic = "t"}, {.timeout = timeout}};
  }
  server serve() const { return {bus, {.topic = "t", .server = "s"}, {echo}}; }
  static std::string threw(std::string_view member, std::string_view what = "boom") {
    return "The driver \"third\" threw in " + std::string(member) + ": " + std::string(what);
  }
};

TEST_F(throwing_driver, ends_what_was_to_be_sent) {
  const auto c = client();
  for (const auto& [what, code, text] :
       {std::tuple{kind::standard, errc::outcome_unknown, threw("send")},
        std::tuple{kind::odd, errc::outcome_unknown,
                   threw("send", "an exception that is no std::exception")},
        std::tuple{kind::of_library, errc::rejected, std::string("I refuse.")}}) {
    plan->throw_in("send", what);
    for (const auto& error : {c.try_call("echo", {}).error(), c.try_cast("echo", {}).error()}) {
      EXPECT_EQ(error.code(), code);
      EXPECT_EQ(error.message(), text);
    }
  }
}

TEST_F(throwing_driver, ends_a_call_once_although_it_was_sent) {
  auto s = serve();
  s.start();
  plan->throw_in("send, at its end");
  std::atomic<int> ends{0};
  rpc::client c{bus, {.topic = "t"}};
  rpc::detail::start_call(c, "echo", {}, "{}", {}, [&](result<std::string>) { ++ends; });
  plan->stop();
  EXPECT_EQ(client().try_call("echo", {}).has_value(), true);
  EXPECT_EQ(ends, 1);
}

TEST_F(throwing_driver, fails_a_start) {
  auto s = serve();
  for (const char* member : {"listen", "ready"})
    for (const auto what : {kind::standard, kind::odd}) {
      plan->throw_in(member, what);
      try {
        s.start();
        ADD_FAILURE() << member;
      } catch (const server_listen_error& e) {
        EXPECT_NE(std::string(e.what()).find(threw(member, "")), std::string::npos) << e.what();
      }
    }
  plan->stop();
  s.start();
  EXPECT_TRUE(client().try_call("echo", {}));
}

TEST_F(throwing_driver, serves_without_what_only_watches) {
  plan->throw_in("watch");
  auto s = serve();
  s.start();
  EXPECT_EQ(lines.count(log_level::error, threw("watch")), 1);
  EXPECT_TRUE(client().try_call("echo", {}));
}

TEST_F(throwing_driver, is_asked_for_messages_again_later) {
  const auto loop = std::make_shared<testing::manual_loop>();
  bus = testing::open_throwing(plan, {.log = lines.into(), .loop = loop});
  auto s = serve();
  plan->throw_in("next", kind::standard, 2);
  s.start();
  std::atomic<bool> answered{false};
  rpc::client c{bus, {.topic = "t"}};
  rpc::detail::start_call(c, "echo", {}, "{}", {},
                          [&](result<std::string> r) { answered = r.has_value(); });
  loop->advance(999ms);
  EXPECT_EQ(lines.count(log_level::error, threw("next")), 1);
  loop->advance(1ms);
  EXPECT_EQ(lines.count(log_level::error, threw("next")), 2);
  EXPECT_EQ(handled, 0);
  loop->advance(1s);
  s.stop();
  s.wait(20s);
  loop->settle();
  EXPECT_TRUE(answered);
}

TEST_F(throwing_driver, can_be_left_while_it_gives_no_messages) {
  plan->throw_in("next");
  auto s = serve();
  s.start();
  s.stop(20s);
  s.wait(20s);
}

TEST_F(throwing_driver, can_be_left) {
  for (const char* member : {"stop", "when_gone"}) {
    auto s = serve();
    s.start();
    plan->throw_in(member, kind::odd);
    EXPECT_TRUE(s.drain(20s)) << member;
    EXPECT_EQ(lines.count(log_level::error, threw(member, "an exception that")), 1) << member;
    plan->stop();
  }
}

TEST_F(throwing_driver, gets_no_work_done_that_it_does_not_acknowledge) {
  auto s = serve();
  s.start();
  plan->throw_in("acknowledge", kind::odd, 1);
  // It was not settled, and so comes again.
  EXPECT_TRUE(client().try_call("echo", {}));
  EXPECT_EQ(handled, 1);
  EXPECT_EQ(lines.count(log_level::error, "Skip processing: " + threw("acknowledge", "")), 1);
}

TEST_F(throwing_driver, loses_no_server_by_a_message) {
  auto s = serve();
  s.start();
  for (const auto& [member, method] :
       {std::pair{"acknowledge_later", "late"}, {"acknowledge", "late"}, {"requeue", "fails"}}) {
    plan->throw_in(member);
    EXPECT_TRUE(client().try_cast(method, {})) << member;
    EXPECT_TRUE(lines.wait_for(log_level::error, threw(member))) << member;
    plan->stop();
    EXPECT_TRUE(client().try_call("late", {})) << member;
  }
  for (const char* method : {"echo", "late"}) {
    plan->throw_in("reply", kind::odd, 1);
    EXPECT_EQ(client(50ms).try_call(method, {}).error().code(), errc::timed_out);
  }
  EXPECT_TRUE(lines.wait_for(
      log_level::error, "Can not send reply for message: " + threw("reply", "an exception that")));
  EXPECT_TRUE(s.drain(20s));
}

TEST_F(throwing_driver, says_what_became_of_a_heartbeat) {
  std::promise<std::unique_ptr<incoming_message>> arrived;
  std::shared_ptr<listener> from;
  bus.loop().post([&] {
    from = bus.driver().listen({.topic = "t", .server = "s"}, {});
    from->next(1, [&](incoming_batch b) { arrived.set_value(std::move(b.at(0))); });
  });
  bus.driver().send({.topic = "t"}, {"{}", {}}, {}, [](result<reply>) {});
  auto future = arrived.get_future();
  ASSERT_EQ(future.wait_for(20s), std::future_status::ready);
  const auto m = future.get();
  m->acknowledge();
  const auto verdict_of_heartbeat = [&] {
    std::promise<result<void>> told;
    m->heartbeat([&](result<void> r) { told.set_value(std::move(r)); });
    auto verdict = told.get_future();
    if (verdict.wait_for(20s) != std::future_status::ready) throw std::runtime_error("no verdict");
    return verdict.get();
  };
  EXPECT_TRUE(verdict_of_heartbeat().has_value());
  plan->throw_in("heartbeat");
  EXPECT_EQ(verdict_of_heartbeat().error().message(), threw("heartbeat"));
  EXPECT_THROW(m->heartbeat(), messaging_error) << "there is nobody else to tell";
  from.reset();
}

TEST_F(throwing_driver, says_that_it_cannot_be_probed_watched_or_asked) {
  plan->throw_in("probe");
  try {
    bus.probe(20s);
    ADD_FAILURE();
  } catch (const messaging_error& e) {
    EXPECT_EQ(e.what(), threw("probe"));
  }
  plan->throw_in("health");
  EXPECT_EQ(bus.health(),
            (transport_health{link_state::closed, link_state::closed, {}, threw("health")}));
  plan->throw_in("watch_health");
  bus = testing::open_throwing(plan, {.log = lines.into()});
  EXPECT_EQ(lines.count(log_level::error, threw("watch_health")), 1);
}

TEST_F(throwing_driver, ends_with_its_transport) {
  plan->throw_in("close");
  bus.close();
  EXPECT_EQ(lines.count(log_level::error, threw("close")), 1);
  bus = testing::open_throwing(std::make_shared<testing::throw_plan>());  // ends the other one
  EXPECT_EQ(lines.count(log_level::error, threw("close")), 2);
}

TEST_F(throwing_driver, that_cannot_be_made_is_a_load_failure) {
  for (const auto what : {kind::standard, kind::odd}) {
    plan->throw_in("make", what);
    EXPECT_THROW(testing::open_throwing(plan), driver_load_failure);
  }
  driver_registry registry;
  registry.add("none",
               [](const transport_url&, driver_environment) { return std::unique_ptr<driver>{}; });
  EXPECT_THROW(transport::open("none://", {}, registry), driver_load_failure);
}

}  // namespace
}  // namespace oslo::messaging::rpc
