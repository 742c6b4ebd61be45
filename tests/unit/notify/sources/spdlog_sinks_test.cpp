#include <gtest/gtest.h>
#include <spdlog/async.h>
#include <spdlog/sinks/ostream_sink.h>

#include <future>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify.hpp>
#include <oslo/messaging/notify/spdlog_sinks.hpp>
#include <sstream>

#include "support/gated_driver.hpp"
#include "support/recording_driver.hpp"

namespace oslo::messaging::notify {
namespace {

using namespace std::chrono_literals;
using strings = std::vector<std::string>;

class spdlog_sinks : public ::testing::Test {
 protected:
  notifier make(logger log = {}) {
    return notifier(testing::open_recording(sent, {.log = std::move(log)}),
                    {.drivers = {{"messagingv2"}}});
  }
  /// "topic text" of what was sent.
  strings texts(const char* key) const {
    strings out;
    for (const auto& m : sent->sent())
      out.push_back(*m.to.topic + " " +
                    parse_json(m.message.body).at("payload").at(key).as_string().c_str());
    return out;
  }
  std::shared_ptr<testing::recorder> sent = std::make_shared<testing::recorder>();
};

struct signalling_sink final : spdlog::sinks::sink {
  void log(const spdlog::details::log_msg&) override { called.set_value(); }
  void flush() override {}
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}
  std::promise<void> called;
};

TEST_F(spdlog_sinks, send_each_record) {
  const auto sink = std::make_shared<notification_sink>(make());
  spdlog::logger app("my.app", sink);
  app.set_level(spdlog::level::trace);
  app.trace("python has none");
  app.debug("d {}", 1);
  app.info("i");
  app.warn("w");
  app.error("e");
  app.log(spdlog::source_loc{"/src/app.cpp", 12, "main"}, spdlog::level::critical, "c");
  ASSERT_TRUE(sink->box().flush(20s).has_value());
  EXPECT_EQ(texts("msg"),
            (strings{"notifications.debug d 1", "notifications.info i", "notifications.warn w",
                     "notifications.error e", "notifications.critical c"}));
  const auto p = parse_json(sent->last().message.body).at("payload").as_object();
  EXPECT_EQ(p.at("name"), "my.app");
  EXPECT_EQ(p.at("pathname"), "/src/app.cpp");
  EXPECT_EQ(p.at("lineno"), 12);
  EXPECT_EQ(p.at("funcName"), "main");
  EXPECT_GT(p.at("thread").as_int64(), 0);
}

TEST_F(spdlog_sinks, send_errors) {
  const auto sink = std::make_shared<error_notification_sink>(make());
  spdlog::logger app("my.app", sink);
  app.warn("w");
  app.error("e {}", 5);
  app.critical("c");
  ASSERT_TRUE(sink->box().flush(20s).has_value());
  EXPECT_EQ(texts("error"), (strings{"notifications.error e 5", "notifications.error c"}));
}

TEST_F(spdlog_sinks, leave_out_what_the_library_logs_itself) {
  auto app = std::make_shared<spdlog::logger>("my.app");
  const auto bus_log = spdlog_logger(app, log_level::debug);
  const auto sink = std::make_shared<notification_sink>(make(bus_log));
  std::ostringstream text;
  app->sinks() = {sink, std::make_shared<spdlog::sinks::ostream_sink_mt>(text)};
  sent->answer(failure(errc::malformed_message, "refused for good"));
  app->error("one");
  ASSERT_TRUE(sink->box().flush(20s).has_value());
  bus_log(log_level::error, "a line of the library");
  ASSERT_TRUE(sink->box().flush(20s).has_value());
  EXPECT_EQ(sent->sent().size(), 1u);
  EXPECT_NE(text.str().find("Could not deliver notification logrecord: refused for good"),
            std::string::npos)
      << text.str();
  EXPECT_NE(text.str().find("a line of the library"), std::string::npos);
  const auto known = std::weak_ptr(app);
  app.reset();
  EXPECT_TRUE(known.expired()) << "its sink's transport keeps it";
}

TEST_F(spdlog_sinks, leave_out_loggers_by_name_on_any_thread) {
  const auto sink = std::make_shared<notification_sink>(make());
  const auto pool = std::make_shared<spdlog::details::thread_pool>(16, 1);
  const auto library = std::make_shared<spdlog::async_logger>("oslo.messaging", sink, pool);
  const auto app = std::make_shared<spdlog::async_logger>("app", sink, pool);
  spdlog_logger(library)(log_level::error, "a line of the library");
  app->info("mine");
  // Another sink of the pool's one thread: when it has a record, those before have been handled.
  const auto last = std::make_shared<signalling_sink>();
  const auto end = std::make_shared<spdlog::async_logger>("end", last, pool);
  end->info("all");
  ASSERT_EQ(last->called.get_future().wait_for(20s), std::future_status::ready);
  ASSERT_TRUE(sink->box().flush(20s).has_value());
  EXPECT_EQ(texts("msg"), (strings{"notifications.info mine"}));
}

TEST_F(spdlog_sinks, never_wait_for_a_bus_that_is_away) {
  const auto gate = std::make_shared<testing::gate_keeper>();
  auto o = log_outbox();
  o.max_messages = 10;
  o.linger = 0ms;
  const auto sink = std::make_shared<notification_sink>(
      notifier(testing::open_gated(gate), {.drivers = {{"messagingv2"}}}), o);
  spdlog::logger app("my.app", sink);
  for (int i = 0; i < 1'000; ++i) app.info("{}", i);
  app.flush();
  const auto counts = sink->box().counts();
  EXPECT_EQ(counts.accepted, 1'000u);
  EXPECT_EQ(counts.held, 10u);
}

}  // namespace
}  // namespace oslo::messaging::notify
