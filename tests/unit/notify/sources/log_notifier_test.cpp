#include <gtest/gtest.h>
#include <unistd.h>

#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify.hpp>

#include "support/log_lines.hpp"
#include "support/recording_driver.hpp"

namespace oslo::messaging::notify {
namespace {

using namespace std::chrono_literals;

class log_notifiers : public ::testing::Test {
 protected:
  notifier make(notifier_options o = {}) {
    if (!o.drivers) o.drivers = std::vector<std::string>{"messaging"};
    return notifier(testing::open_recording(sent, {.log = lines.into()}), std::move(o));
  }
  object last() const { return parse_json(sent->last().message.body).get_object(); }

  testing::log_lines lines;
  std::shared_ptr<testing::recorder> sent = std::make_shared<testing::recorder>();
};

TEST_F(log_notifiers, send_records_with_the_keys_of_oslo) {
  const std::pair<record_level, const char*> table[] = {
      {record_level::debug, "10 DEBUG DEBUG debug"},
      {record_level::info, "20 INFO INFO info"},
      {record_level::warning, "30 WARNING WARN warn"},
      {record_level::error, "40 ERROR ERROR error"},
      {record_level::critical, "50 CRITICAL CRITICAL critical"}};
  log_notifier log(make());
  for (const auto& [level, expected] : table) {
    log.emit({.level = level,
              .name = "my.app",
              .text = "something \"bad\"",
              .file = "/src/app.cpp",
              .line = 12,
              .function = "main",
              .thread = 77});
    ASSERT_TRUE(log.box().flush(20s).has_value());
    const auto message = last();
    EXPECT_EQ(message.at("event_type"), "logrecord");
    EXPECT_EQ(message.at("publisher_id"), nullptr);
    const auto& p = message.at("payload").as_object();
    EXPECT_EQ(std::to_string(p.at("levelno").as_int64()) + " " +
                  p.at("levelname").as_string().c_str() + " " +
                  message.at("priority").as_string().c_str() + " " +
                  sent->last().to.topic->substr(14),
              expected);
    auto rest = p;
    rest.erase("levelno");
    rest.erase("levelname");
    EXPECT_EQ(rest, (object{{"name", "my.app"},
                            {"exc_info", nullptr},
                            {"pathname", "/src/app.cpp"},
                            {"lineno", 12},
                            {"msg", "something \"bad\""},
                            {"funcName", "main"},
                            {"thread", 77},
                            {"processName", "MainProcess"},
                            {"process", ::getpid()},
                            {"extra", nullptr}}));
    EXPECT_TRUE(sent->last().message.ctxt.empty());
  }
}

TEST_F(log_notifiers, say_what_python_says_of_an_unknown_place) {
  log_notifier log(make());
  log.emit({});
  ASSERT_TRUE(log.box().flush(20s).has_value());
  const auto p = last().at("payload").as_object();
  EXPECT_EQ(p.at("pathname"), "(unknown file)");
  EXPECT_EQ(p.at("funcName"), "(unknown function)");
  EXPECT_EQ(p.at("lineno"), 0);
}

TEST_F(log_notifiers, replace_what_is_no_utf8) {
  log_notifier log(make());
  log.emit({.text = "a\xff\xc3\xa4\xed\xa0\x80\xe2\x82"});
  ASSERT_TRUE(log.box().flush(20s).has_value());
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(last().at("payload").as_object().at("msg").as_string(),
            "a" + bad + "\xc3\xa4" + bad + bad + bad + bad);
}

TEST_F(log_notifiers, send_errors_as_the_error_publisher) {
  error_notifier errors(make({.publisher_id = "compute.host1"}));
  errors.emit("it broke \xff");
  ASSERT_TRUE(errors.box().flush(20s).has_value());
  const auto message = last();
  EXPECT_EQ(message.at("publisher_id"), "error.publisher");
  EXPECT_EQ(message.at("event_type"), "error_notification");
  EXPECT_EQ(message.at("priority"), "ERROR");
  EXPECT_EQ(message.at("payload"), (value{{"error", "it broke \xef\xbf\xbd"}}));
}

TEST_F(log_notifiers, send_nothing_when_a_driver_would_log_it_again) {
  for (int kind = 0; kind < 2; ++kind) {
    const auto n = make({.drivers = {{"messaging", "log"}}});
    if (kind == 0) {
      log_notifier log(n);
      log.emit({.text = "x"});
    } else {
      error_notifier errors(n);
      errors.emit("x");
    }
    EXPECT_EQ(lines.count(log_level::warning, "has driver \"log\""), kind + 1);
  }
  EXPECT_TRUE(sent->sent().empty());
}

TEST_F(log_notifiers, must_not_wait) {
  outbox_options o;
  o.rule = when_full::wait;
  EXPECT_THROW(log_notifier(make(), o), configuration_error);
  EXPECT_THROW(error_notifier(make(), o), configuration_error);
}

}  // namespace
}  // namespace oslo::messaging::notify
