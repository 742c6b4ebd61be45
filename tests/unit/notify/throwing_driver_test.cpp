// A driver of an application that throws, under notifiers and listeners.
#include "support/throwing_driver.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/notify/listener.hpp>

#include "support/log_lines.hpp"

namespace oslo::messaging::notify {
namespace {

using namespace std::chrono_literals;
using kind = testing::throw_plan::kind;

class throwing_driver : public ::testing::Test {
 protected:
  ~throwing_driver() override { plan->stop(); }

  const std::shared_ptr<testing::throw_plan> plan = std::make_shared<testing::throw_plan>();
  testing::log_lines lines;
  const transport bus = testing::open_throwing(plan, {.log = lines.into()});
  const blocking::notifier notifier{
      bus, {.publisher_id = "p", .drivers = {{"messagingv2"}}, .topics = {{"t"}}}};
  std::atomic<int> handled{0};

  listener listen() {
    auto e = std::make_shared<endpoint>();
    e->bind(priority::info,
            [this] { return ++handled == 1 ? outcome::requeue : outcome::handled; });
    return {bus, {{.topic = "t"}}, {e}, {.executor = thread_pool(1), .allow_requeue = true}};
  }
  static std::string threw(std::string_view member) {
    return "The driver \"third\" threw in " + std::string(member) + ": ";
  }
};

TEST_F(throwing_driver, ends_a_notification) {
  for (const auto what : {kind::standard, kind::odd}) {
    plan->throw_in("send_notification", what);
    const auto report = notifier.info({}, "ev", 1);
    ASSERT_TRUE(report.has_error());
    EXPECT_EQ(report.error().code(), errc::outcome_unknown);
    EXPECT_NE(report.error().message().find(threw("send_notification")), std::string::npos);
  }
}

TEST_F(throwing_driver, fails_a_start) {
  auto l = listen();
  plan->throw_in("listen_for_notifications", kind::odd);
  try {
    l.start();
    ADD_FAILURE();
  } catch (const server_listen_error& e) {
    EXPECT_NE(std::string(e.what()).find(threw("listen_for_notifications")), std::string::npos);
  }
  plan->stop();
  l.start();
}

TEST_F(throwing_driver, loses_no_listener_by_a_message) {
  for (const char* member : {"acknowledge_later", "acknowledge", "requeue"}) {
    auto l = listen();
    l.start();
    handled = std::string_view(member) == "requeue" ? 0 : 1;
    plan->throw_in(member, kind::odd, 1);
    EXPECT_TRUE(notifier.info({}, "ev", 1)) << member;
    EXPECT_TRUE(lines.wait_for(log_level::error, threw(member))) << member;
    EXPECT_TRUE(l.drain(20s)) << member;
  }
}

}  // namespace
}  // namespace oslo::messaging::notify
