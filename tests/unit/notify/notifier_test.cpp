#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/describe/class.hpp>
#include <future>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify.hpp>
#include <regex>

#include "support/log_lines.hpp"
#include "support/odd_code.hpp"
#include "support/recording_driver.hpp"
#include "unit/notify/recording_sink.hpp"

namespace oslo::messaging::notify {

struct instance_payload {
  std::string instance_id;
  int ram = 0;
};
BOOST_DESCRIBE_STRUCT(instance_payload, (), (instance_id, ram))

namespace {

using testing::open_recording;
using testing::recorder;

using strings = std::vector<std::string>;

class notifiers : public ::testing::Test {
 protected:
  transport open(std::string_view conf = {}) {
    return open_recording(sent, {.conf = config::parse(conf), .log = lines.into()});
  }
  testing::log_lines lines;
  std::shared_ptr<recorder> sent = std::make_shared<recorder>();
};

object message_of(const testing::sent_message& m) {
  return parse_json(m.message.body).get_object();
}

TEST_F(notifiers, send_to_each_topic_and_priority_in_the_format_of_the_driver) {
  const auto bus = open();
  for (const bool v2 : {false, true})
    for (const std::vector<std::string>& topics :
         {std::vector<std::string>{}, {"notifications"}, {"one", "two"}})
      for (const priority p : all_priorities)
        for (const int retry : {-1, 0, 5}) {
          const auto before = sent->sent().size();
          const notifier n{bus,
                           {.publisher_id = "compute.h1",
                            .drivers = std::vector<std::string>{v2 ? "messagingv2" : "messaging"},
                            .topics = topics,
                            .retry = retry}};
          EXPECT_EQ(blocking::notifier(n).notify(p, {}, "ev", value{{"x", 1}}).has_value(),
                    !topics.empty());
          const auto all = sent->sent();
          ASSERT_EQ(all.size() - before, topics.size());
          for (std::size_t i = 0; i < topics.size(); ++i) {
            const auto& m = all[before + i];
            target to;
            to.topic = topics[i] + "." + std::string(to_string(p));
            EXPECT_EQ(m.to, to);
            EXPECT_EQ(m.format, v2 ? notification_format::envelope : notification_format::bare);
            EXPECT_EQ(m.options.retry, retry);
            EXPECT_EQ(message_of(m).at("priority").as_string(), wire_name(p));
            EXPECT_EQ(m.message.body, all[before].message.body) << "one message id for all topics";
          }
        }
}

TEST_F(notifiers, need_a_driver_with_notifications_to_send_over_it) {
  sent->caps.notifications = false;
  const auto bus = open();
  for (const char* name : {"messaging", "messagingv2"}) try {
      notifier(bus, {.drivers = strings{name}, .topics = strings{"t"}});
      FAIL() << name;
    } catch (const messaging_error& e) {
      EXPECT_STREQ(e.what(), "The driver of recording:// cannot carry notifications.");
      EXPECT_EQ(e.failure().code(), errc::not_supported);
    }
  EXPECT_NO_THROW(notifier(bus, {.drivers = strings{"log"}, .topics = strings{"t"}}));
}

TEST_F(notifiers, write_the_message_of_oslo) {
  const blocking::notifier n{open(), {.publisher_id = "p", .drivers = {{"messaging"}}}};
  n.info({}, "compute.instance.create.end", instance_payload{"i-1", 512});
  const std::regex shape(
      R"(\{"message_id": "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", )"
      R"("publisher_id": "p", "event_type": "compute\.instance\.create\.end", "priority": "INFO", )"
      R"("payload": \{"instance_id": "i-1", "ram": 512\}, )"
      R"("timestamp": "\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?"\})");
  EXPECT_TRUE(std::regex_match(sent->last().message.body, shape)) << sent->last().message.body;
  EXPECT_EQ(*sent->last().to.topic, "notifications.info");
  n.audit({}, "e", raw_json{R"([1,  2.50])"});
  EXPECT_NE(sent->last().message.body.find(R"("payload": [1,  2.50])"), std::string::npos);
  n.debug({}, "e", nullptr);
  EXPECT_EQ(message_of(sent->last()).at("payload"), nullptr);
}

TEST_F(notifiers, take_what_is_not_given_from_the_options) {
  const auto bus = open(
      "[oslo_messaging_notifications]\ndriver = messaging\ndriver = messagingv2\n"
      "topics = a, b\nretry = 3\n");
  const notifier n{bus};
  EXPECT_EQ(n.drivers(), (std::vector<std::string>{"messaging", "messagingv2"}));
  EXPECT_EQ(n.topics(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(n.retry(), 3);
  EXPECT_EQ(n.publisher_id(), std::nullopt);
  blocking::notifier(n).error({}, "ev", 1);
  EXPECT_EQ(sent->sent().size(), 4u);
  EXPECT_EQ(message_of(sent->last()).at("publisher_id"), nullptr);
  EXPECT_EQ((notifier{bus, {.retry = 5}}.retry()), 5);
}

TEST_F(notifiers, without_a_driver_send_nothing_and_say_so) {
  const auto bus = open();
  const auto report = [&](notifier_options o) {
    return blocking::notifier(bus, std::move(o)).info({}, "ev", 1);
  };
  const notifier none{bus};
  EXPECT_TRUE(none.drivers().empty());
  EXPECT_TRUE(none.is_enabled());
  EXPECT_EQ(
      lines.count(log_level::warning, "The notifier has no driver: it sends its messages nowhere."),
      1);
  EXPECT_EQ(blocking::notifier(none).info({}, "ev", 1).error().code(), errc::not_sent);
  EXPECT_EQ(report({.drivers = strings{}}).error().code(), errc::not_sent);
  EXPECT_EQ(report({.drivers = {{"messaging"}}, .topics = strings{}}).error().code(),
            errc::not_sent);
  EXPECT_EQ(report({.drivers = {{"routing"}}}).error().message(),
            "Nothing was sent: the notifier has no driver that could, or no topic to send to.");
  EXPECT_TRUE(report({.drivers = {{"noop"}}}).has_value());
  EXPECT_TRUE(sent->sent().empty());
  EXPECT_TRUE(lines.with("ev").empty()) << "one line for the notifier, none for a message";
}

TEST_F(notifiers, are_enabled_unless_noop_is_all) {
  const auto bus = open();
  EXPECT_FALSE((notifier{bus, {.drivers = {{"noop"}}}}.is_enabled()));
  EXPECT_TRUE((notifier{bus, {.drivers = {{"noop", "log"}}}}.is_enabled()));
}

TEST_F(notifiers, refuse_drivers_that_do_not_exist) {
  const auto refusal = [&](std::string_view conf, notifier_options o) {
    try {
      notifier(open(conf), std::move(o));
    } catch (const configuration_error& e) {
      return std::string(e.what());
    }
    return std::string("made");
  };
  const auto own = std::make_shared<recording_sink>();
  EXPECT_EQ(
      refusal("", {.drivers = {{"messaging", "mesagingv2"}}}),
      "There is no notification driver \"mesagingv2\". Known are messaging, messagingv2, log, "
      "noop, routing, test.");
  EXPECT_EQ(refusal("[oslo_messaging_notifications]\ndriver =\ndriver = log\ndriver = Log\n",
                    {.custom_drivers = {{"pigeon", own}}}),
            "Option \"driver\" of group [oslo_messaging_notifications] has the value \"Log\" "
            "(<text>:4), which is no notification driver. Known are messaging, messagingv2, log, "
            "noop, routing, test, pigeon.");
  EXPECT_NE(refusal("[DEFAULT]\nnotification_driver = x\n", {}).find("\"x\" (<text>:2), which"),
            std::string::npos);
  EXPECT_EQ(refusal("[oslo_messaging_notifications]\ndriver = x\n", {.drivers = {{"log"}}}),
            "made");
  EXPECT_EQ(refusal("", {.custom_drivers = {{"log", own}}}),
            "The custom notification driver \"log\" has the name of a driver of the library.");
  EXPECT_EQ(refusal("", {.custom_drivers = {{"mine", nullptr}}}),
            "The custom notification driver \"mine\" is null.");
}

TEST_F(notifiers, call_a_driver_once_however_often_it_is_named) {
  const notifier n{open(), {.drivers = {{"messaging", "messaging"}}}};
  EXPECT_EQ(n.drivers(), strings{"messaging"});
}

TEST_F(notifiers, prepare_changes_what_is_given) {
  const notifier n{open(), {.publisher_id = "a", .drivers = {{"messaging"}}, .retry = 1}};
  EXPECT_EQ(n.prepare({.publisher_id = "b"}).publisher_id(), "b");
  EXPECT_EQ(n.prepare({.publisher_id = "b"}).retry(), 1);
  EXPECT_EQ(n.prepare({.retry = 0}).retry(), 0);
  EXPECT_EQ(n.prepare({.retry = 0}).publisher_id(), "a");
  EXPECT_EQ(n.prepare({.publisher_id = std::nullopt}).publisher_id(), std::nullopt);
  const notifier configured{open("[oslo_messaging_notifications]\nretry = 7\n"),
                            {.drivers = {{"messaging"}}, .retry = 1}};
  EXPECT_EQ(configured.prepare({.retry = std::nullopt}).retry(), 7);
  EXPECT_EQ(n.publisher_id(), "a");
  EXPECT_THROW(n.prepare({.retry = -2}), configuration_error);
  EXPECT_THROW((notifier{n.bus(), {.retry = -2}}), configuration_error);
}

TEST_F(notifiers, report_the_first_failure_and_go_on) {
  sent->answer(failure(errc::unreachable, "no broker"));
  sent->answer(reply{});
  const blocking::notifier n{open(), {.drivers = {{"messaging"}}, .topics = {{"lost", "arrived"}}}};
  const auto r = n.info({}, "ev", value{{"password", "s3cret"}});
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::unreachable);
  EXPECT_EQ(sent->sent().size(), 2u);
  EXPECT_EQ(lines.with("Could not send"),
            (std::vector<std::string>{"Could not send notification ev to lost: no broker"}));
}

TEST_F(notifiers, report_a_payload_that_cannot_be_written) {
  const notifier n{open(), {.drivers = {{"messaging"}}}};
  const auto r = blocking::notifier(n).info({}, "ev", instance_payload{"\xff", 0});
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::serialization_failed);
  EXPECT_EQ(lines.count(log_level::error, "Could not write notification ev: "), 1);
  EXPECT_TRUE(sent->sent().empty());
}

TEST_F(notifiers, send_of_the_context_what_the_rule_lets_through) {
  const auto bus = open();
  const context given{{"user_id", "u"}, {"auth_token", "t"}, {"roles", {"admin"}}, {"odd", 1}};
  const std::pair<context_rule, context> table[] = {
      {nullptr, {}},
      {no_context, {}},
      {known_keys, context{{"user_id", "u"}, {"roles", {"admin"}}}},
      {whole_context, given}};
  for (const auto& [rule, expected] : table) {
    blocking::notifier{bus, {.drivers = {{"messaging"}}, .redact = rule}}.info(given, "e", 1);
    EXPECT_EQ(sent->last().message.ctxt, expected);
  }
}

TEST_F(notifiers, know_the_keys_of_contexts_that_oslo_lets_through) {
  const strings known{"user_id",
                      "project_id",
                      "domain_id",
                      "user_domain_id",
                      "project_domain_id",
                      "is_admin",
                      "request_id",
                      "roles",
                      "user_name",
                      "project_name",
                      "domain_name",
                      "user_domain_name",
                      "project_domain_name",
                      "service_user_id",
                      "service_user_domain_id",
                      "service_user_domain_name",
                      "service_project_id",
                      "service_project_name",
                      "service_project_domain_id",
                      "service_project_domain_name",
                      "service_roles",
                      "global_request_id",
                      "system_scope",
                      "user",
                      "domain",
                      "user_domain",
                      "project_domain"};
  context given, expected;
  for (const auto& key : known) given.entries()[key] = expected.entries()[key] = 1;
  for (const char* key : {"auth_token", "service_token", "service_catalog", "password", "User",
                          "tenant", "read_only", "show_deleted", "resource_uuid"})
    given.entries()[key] = 1;
  EXPECT_EQ(known_keys(given), expected);
}

class marking final : public serializer {
 public:
  value serialize_entity(const context& c, value v) const override {
    return value{{"marked", std::move(v)}, {"by", c.find("user") ? *c.find("user") : value()}};
  }
  context serialize_context(const context& c) const override {
    context out = c;
    out.entries()["serialized"] = true;
    return out;
  }
};

TEST_F(notifiers, serializers_see_payload_and_context) {
  reset_kept_notifications();
  const blocking::notifier n{
      open(),
      {.drivers = {{"test"}}, .serializer = std::make_shared<marking>(), .redact = whole_context}};
  n.info(context{{"user", "bob"}}, "ev", value{{"x", 1}});
  const auto kept = kept_notifications();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].ctxt, (context{{"user", "bob"}, {"serialized", true}}));
  EXPECT_EQ(kept[0].message.at("payload"), (value{{"marked", {{"x", 1}}}, {"by", "bob"}}));
  EXPECT_EQ(kept[0].priority, priority::info);
  EXPECT_EQ(kept[0].retry, -1);
  reset_kept_notifications();
  EXPECT_TRUE(kept_notifications().empty());
}

class failing final : public serializer {
 public:
  value serialize_entity(const context&, value /*unused*/) const override {
    throw std::runtime_error("cannot");
  }
};

TEST_F(notifiers, a_serializer_that_throws_is_an_error_of_that_notification) {
  const blocking::notifier n{
      open(), {.drivers = {{"messaging"}}, .serializer = std::make_shared<failing>()}};
  const auto r = n.info({}, "ev", 1);
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().message(), "The serializer cannot write the notification: cannot");
}

TEST_F(notifiers, no_code_of_the_application_loses_a_report) {
  const auto bus = open();
  for (const auto& [kind, reason] : testing::odd_kinds) {
    const auto expected =
        std::string_view(kind) == "failure" ? errc::malformed_message : errc::serialization_failed;
    const auto check = [&](const result<void>& r, errc code) {
      EXPECT_EQ(r.error().code(), code);
      EXPECT_NE(r.error().message().find(reason), std::string::npos) << r.error().message();
    };
    const testing::odd_value bad{kind};
    const blocking::notifier plain{bus, {.drivers = {{"messaging"}}}};
    check(plain.info({}, "ev", bad), errc::serialization_failed);
    outbox box(plain.async());
    check(box.post(priority::info, {}, "ev", bad), errc::serialization_failed);
    for (const bool of_context : {false, true}) {
      const notifier n{bus,
                       {.drivers = {{"messaging"}},
                        .serializer = std::make_shared<testing::odd_serializer>(
                            of_context ? "" : kind, of_context ? kind : "")}};
      check(blocking::notifier(n).info({}, "ev", 1), expected);
      std::promise<result<void>> posted;
      n.post(priority::info, {}, "ev", 1, [&](result<void> r) { posted.set_value(std::move(r)); });
      check(posted.get_future().get(), expected);
      outbox behind(n);
      check(behind.post(priority::info, {}, "ev", 1), expected);
    }
    const std::string thrown = kind;
    const notifier hiding{bus, {.drivers = {{"messaging"}}, .redact = [thrown](const context& c) {
                                  testing::throw_odd(thrown);
                                  return c;
                                }}};
    check(blocking::notifier(hiding).info({}, "ev", 1), expected);
  }
  EXPECT_TRUE(sent->sent().empty());
}

TEST_F(notifiers, the_log_driver_masks_secrets_and_knows_the_levels_of_python) {
  const blocking::notifier n{open(), {.publisher_id = "p", .drivers = {{"log"}}}};
  n.warn({}, "test.notify", value{{"password", "s3cret"}, {"x", 1}});
  ASSERT_TRUE(lines.wait_for(log_level::warning, "oslo.messaging.notification.test.notify {\""));
  EXPECT_EQ(lines.count(log_level::warning, R"("payload": {"password": "***", "x": 1})"), 1);
  n.critical({}, "worse", 1);
  EXPECT_EQ(lines.count(log_level::error, "oslo.messaging.notification.worse"), 1);
  for (const priority p : {priority::sample, priority::audit}) {
    n.notify(p, {}, "unseen", 1);
    EXPECT_EQ(lines.count(log_level::warning,
                          "Unable to log message as notify cannot find a logger with the priority "
                          "specified " +
                              std::string(to_string(p))),
              1);
  }
  EXPECT_TRUE(lines.with("unseen").empty());
}

TEST_F(notifiers, coroutines_get_the_report_on_their_own_executor) {
  const notifier n{open(), {.drivers = {{"messagingv2", "log"}}}};
  boost::asio::io_context io;
  sent->answer(reply{});
  sent->answer(failure(errc::rejected, "no"));
  auto done = boost::asio::co_spawn(
      io,
      [](notifier from, const notifier& raw, bool on_loop) -> boost::asio::awaitable<std::string> {
        const instance_payload payload{"i-1", 1};
        const auto first = co_await from.info({}, "ev", payload);
        const auto second = co_await from.sample({}, "ev", 5);
        on_loop = raw.bus().loop().running_here();
        const auto third = co_await from.info({}, "ev", std::string("\xff"));
        co_return std::string(first ? "sent" : "failed") + ", " + second.error().message() + ", " +
            (on_loop ? "on the loop" : "here") + (third ? "" : ", unwritable");
      }(n, n, true),
      boost::asio::use_future);
  io.run();
  EXPECT_EQ(done.get(), "sent, no, here, unwritable");
}

TEST_F(notifiers, posting_does_not_wait_and_reports_on_the_loop) {
  const notifier n{open(), {.drivers = {{"messaging", "test"}}}};
  std::promise<bool> on_loop;
  n.post(priority::info, {}, "ev", value{{"x", 1}}, [&](result<void> r) {
    on_loop.set_value(r.has_value() && n.bus().loop().running_here());
  });
  EXPECT_TRUE(on_loop.get_future().get());
  n.post(priority::info, {}, "ev", 1);  // nobody cares
  n.post(priority::info, {}, "ev", std::string("\xff"));
  EXPECT_TRUE(lines.wait_for(log_level::error, "Could not write notification ev: "));
}

TEST_F(notifiers, blocking_ones_refuse_to_wait_on_the_loop) {
  const blocking::notifier n{open(), {.drivers = {{"messaging"}}}};
  std::promise<errc> code;
  n.async().bus().loop().post([&] { code.set_value(n.info({}, "ev", 1).error().code()); });
  EXPECT_EQ(code.get_future().get(), errc::would_deadlock);
  EXPECT_TRUE(sent->sent().empty());
}

}  // namespace
}  // namespace oslo::messaging::notify
