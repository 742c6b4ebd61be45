// What an examination asks of drivers, and what it makes of their answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <oslo/messaging/driver.hpp>
#include <stdexcept>

namespace oslo::messaging {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class doctor_of_all : public ::testing::Test {
 protected:
  doctor_of_all() {
    const auto never = [](const transport_url&, driver_environment) {
      return std::unique_ptr<driver>();
    };
    drivers.add("bus", never, {}, [this](const auto& url, const auto& env, const auto& what) {
      urls.push_back(to_string(url));
      exchange = env.default_exchange;
      asked = what;
      if (raise) raise();
      return answer;
    });
  }
  std::vector<std::string> look(const std::string& url, const std::string& file = "",
                                const checkup& what = {}) {
    std::vector<std::string> lines;
    for (const auto& f : examine(url, config::parse(file, "f.conf"), what, drivers))
      lines.push_back(std::string(to_string(f.level)) + " " + f.subject + ": " + f.text);
    return lines;
  }
  std::vector<std::string> topics() const {
    std::vector<std::string> all;
    for (const auto& t : asked.topics) all.push_back(*t.topic);
    return all;
  }
  std::vector<std::string> queues() const {
    std::vector<std::string> all;
    for (const auto& n : asked.notifications) all.push_back(*n.where.topic + "." + n.priority);
    return all;
  }

  driver_registry drivers;
  std::vector<std::string> urls;
  std::string exchange;
  examination asked;
  std::vector<finding> answer;
  std::function<void()> raise;
};

TEST_F(doctor_of_all, without_topics_the_notifications_of_the_file_are_looked_at) {
  EXPECT_THAT(look("bus://h/",
                   "[DEFAULT]\ncontrol_exchange = x\n"
                   "[oslo_messaging_notifications]\ntopics = a\n"),
              IsEmpty());
  EXPECT_EQ(exchange, "x");
  EXPECT_THAT(topics(), IsEmpty());
  EXPECT_THAT(queues(), ElementsAre("a.info", "a.audit", "a.debug", "a.warn", "a.error",
                                    "a.critical", "a.sample"));
  EXPECT_THAT(asked.roles, ElementsAre(bus_role::client, bus_role::notifier, bus_role::listener));
}

TEST_F(doctor_of_all, topics_are_of_rpc_and_perhaps_of_notifications) {
  look("bus://h/", "", {.topics = {"t"}});
  EXPECT_THAT(topics(), ElementsAre("t"));
  EXPECT_THAT(queues(), Contains("t.info"));
  EXPECT_THAT(asked.roles, ElementsAre(bus_role::client, bus_role::server));
  look("bus://h/", "", {.topics = {"t"}, .roles = {bus_role::listener}});
  EXPECT_THAT(asked.roles, ElementsAre(bus_role::listener));
}

TEST_F(doctor_of_all, notifications_may_have_a_bus_of_their_own) {
  const std::string two =
      "[DEFAULT]\ntransport_url = bus://rpc/\n"
      "[oslo_messaging_notifications]\ntransport_url = bus://notifications/\n";
  look("", two, {.topics = {"t"}});
  EXPECT_THAT(urls, ElementsAre("bus://rpc/", "bus://notifications/"));
  EXPECT_THAT(topics(), IsEmpty()) << "of the second one";
  EXPECT_THAT(asked.roles, IsEmpty());
  urls.clear();
  look("bus://one/", two);
  EXPECT_THAT(urls, ElementsAre("bus://one/"));
}

TEST_F(doctor_of_all, urls_are_those_that_a_transport_opens) {
  look("", "[DEFAULT]\ntransport_url = bus://a,\n  b/\n");
  look("",
       "[DEFAULT]\ntransport_url = bus://rpc/\n"
       "[oslo_messaging_notifications]\ntransport_url = bus://\n  notifications/\n");
  EXPECT_THAT(urls, ElementsAre("bus://a,b/", "bus://rpc/", "bus://notifications/"));
  urls.clear();
  EXPECT_THAT(look("",
                   "[DEFAULT]\ntransport_url = bus://rpc/\n"
                   "[oslo_messaging_notifications]\ntransport_url =\n"),
              IsEmpty());
  EXPECT_THAT(urls, ElementsAre("bus://rpc/"));
}

TEST_F(doctor_of_all, a_former_name_in_the_environment_is_ignored_as_a_program_does) {
  ::setenv("OS_DEFAULT__NOTIFICATION_TOPICS", "a", 1);
  const auto conf = config::load(std::span<const std::string>());
  ::unsetenv("OS_DEFAULT__NOTIFICATION_TOPICS");
  const auto found = examine("bus://h/", conf, {}, drivers);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].text,
            "Option notification_topics of [DEFAULT] (environment variable "
            "OS_DEFAULT__NOTIFICATION_TOPICS) is a former name, which is not looked for in the "
            "environment: it is ignored.");
  EXPECT_EQ(found[0].advice, "Call it topics in [oslo_messaging_notifications].");
  EXPECT_THAT(queues(), Contains("notifications.info"));
}

TEST_F(doctor_of_all, any_time_is_a_time) {
  for (const auto limit : {std::chrono::milliseconds::max(), std::chrono::milliseconds::min(),
                           std::chrono::milliseconds::zero()}) {
    look("",
         "[DEFAULT]\ntransport_url = bus://rpc/\n"
         "[oslo_messaging_notifications]\ntransport_url = bus://notifications/\n",
         {.timeout = limit});
    EXPECT_EQ(asked.timeout > std::chrono::hours(1), limit > std::chrono::hours(1));
  }
}

TEST_F(doctor_of_all, a_topic_has_a_name_and_is_looked_at_once) {
  EXPECT_THAT(look("bus://h/", "", {.topics = {"t", "", "t"}}),
              ElementsAre("error topic: It has no name."));
  EXPECT_THAT(topics(), ElementsAre("t"));
}

TEST_F(doctor_of_all, options_that_end_a_program_of_these_roles_are_errors) {
  const std::string file =
      "[DEFAULT]\nexecutor_thread_pool_size = 0\nrpc_response_timeout = 0\n"
      "[oslo_messaging_notifications]\ndriver = messagingv3\ndriver = log\n";
  const std::string threads =
      "error configuration: Option executor_thread_pool_size must be 1 to 32768, not 0.";
  const std::string timeout =
      "error configuration: Option \"rpc_response_timeout\" of group [DEFAULT] has the value "
      "\"0\" (f.conf:3): calls without a timeout of their own end at once.";
  const std::string driver =
      "warning configuration: Option \"driver\" of group [oslo_messaging_notifications] has the "
      "value \"messagingv3\" (f.conf:5), which is no notification driver. Known are messaging, "
      "messagingv2, log, noop, routing, test.";
  EXPECT_THAT(look("bus://h/", file), ElementsAre(timeout, threads, driver));
  EXPECT_THAT(look("bus://h/", file, {.roles = {bus_role::client}}), ElementsAre(timeout));
  EXPECT_THAT(look("bus://h/", file, {.roles = {bus_role::server}}), ElementsAre(threads));
  EXPECT_THAT(look("bus://h/", file, {.roles = {bus_role::notifier}}), ElementsAre(driver));
}

TEST_F(doctor_of_all, the_rules_of_driver_routing_are_read) {
  const auto with = [&](const std::string& rules) {
    return look("bus://h/", "[oslo_messaging_notifications]\ndriver = routing\n" + rules,
                {.roles = {bus_role::notifier}});
  };
  EXPECT_THAT(with(""), ElementsAre("warning configuration: Driver \"routing\" sends nothing: "
                                    "option routing_config is not set."));
  EXPECT_THAT(with("routing_config = /nowhere/rules.yaml\n"),
              ElementsAre(HasSubstr("error configuration: ")));
  const auto file = ::testing::TempDir() + "doctor_rules.yaml";
  std::ofstream(file) << "g:\n  mesaging:\n    accepted_events: ['*']\n  log: {}\n";
  EXPECT_THAT(with("routing_config = " + file + "\n"),
              ElementsAre("warning configuration: " + file +
                          ":2: there is no notification driver \"mesaging\". Known are messaging, "
                          "messagingv2, log, noop, routing, test."));
  std::remove(file.c_str());
}

TEST_F(doctor_of_all, whatever_is_thrown_is_a_finding) {
  raise = [] { throw std::runtime_error("no reason"); };
  EXPECT_THAT(look("bus://h/"), Contains(HasSubstr("error configuration: ")));
  EXPECT_THAT(look("bus://h/"), Contains(HasSubstr("no reason")));
  EXPECT_THAT(look("nosuch://h/"), Contains(HasSubstr("There is no driver \"nosuch\"")));
  EXPECT_THAT(look("bus://h:port/"), Contains(HasSubstr("error configuration: ")));
  EXPECT_THAT(look("", "[DEFAULT]\nrpc_response_timeout = soon\n"),
              Contains(HasSubstr("f.conf:2")));
}

TEST_F(doctor_of_all, former_names_and_options_without_effect_are_notes) {
  const auto lines = look("bus://h/",
                          "[DEFAULT]\nnotification_topics = a\n"
                          "[oslo_messaging_metrics]\nmetrics_thread_stop_timeout = 1\n");
  EXPECT_THAT(lines, Contains(HasSubstr("note configuration: Option notification_topics of "
                                        "[DEFAULT] (f.conf:2) is a former name.")));
  EXPECT_THAT(lines, Contains(HasSubstr("metrics_thread_stop_timeout (f.conf:4)")));
  EXPECT_EQ(lines.size(), 2u);
}

TEST_F(doctor_of_all, keys_that_nobody_knows_are_notes_in_sections_of_the_library) {
  EXPECT_THAT(look("bus://h/",
                   "[DEFAULT]\nmine = 1\n[oslo_messaging_rabbit]\namqp_durable_queue = true\n"
                   "rabbit_use_ssl = true\nrabbit_quroum_max_memory_length = 4\n"
                   "[oslo_messaging_other]\nx = 1\n"),
              ElementsAre(HasSubstr("rabbit_quroum_max_memory_length"), HasSubstr("rabbit_use_ssl"),
                          "note configuration: There is no option amqp_durable_queue of "
                          "[oslo_messaging_rabbit] (f.conf:4): it is ignored."));
}

TEST_F(doctor_of_all, a_url_may_go_on_over_several_lines) {
  EXPECT_THAT(
      look("",
           "[DEFAULT]\ntransport_url = bus://a:p@one,\n   a:p@two/\n"
           "[oslo_messaging_notifications]\ntransport_url = bus://a:p@three,\n a:p@four/\n"),
      IsEmpty());
  EXPECT_THAT(urls, ElementsAre("bus://a:p@one,a:p@two/", "bus://a:p@three,a:p@four/"));
}

/// An application may leave the limit to whoever waits for it.
TEST_F(doctor_of_all, the_longest_time_is_no_time_in_the_past) {
  look("",
       "[DEFAULT]\ntransport_url = bus://one/\n"
       "[oslo_messaging_notifications]\ntransport_url = bus://two/\n",
       {.timeout = std::chrono::milliseconds::max()});
  ASSERT_EQ(urls.size(), 2u);
  EXPECT_GT(asked.timeout, std::chrono::hours(1)) << "of the second one";
}

TEST_F(doctor_of_all, what_a_broker_says_cannot_pass_for_a_line_or_a_command) {
  // U+009B alone begins a command, too.
  answer = {{severity::ok, "a\nb", "c\x1b[2J\xff",
             "d\te\x7f\xc2\x9b"
             "2J"}};
  const auto found = examine("bus://h/", {}, {}, drivers);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0], (finding{severity::ok, "a b", "c [2J\xef\xbf\xbd", "d e  2J"}));
  // NEL is the end of a line.
  answer = {{severity::ok,
             "a\xc2\x85"
             "b",
             "c\xc2\x9b"
             "2J",
             "\xc3\xa9"}};
  EXPECT_EQ(examine("bus://h/", {}, {}, drivers),
            (std::vector<finding>{{severity::ok, "a b", "c 2J", "\xc3\xa9"}}));
}

TEST_F(doctor_of_all, a_driver_without_an_examiner_says_so) {
  drivers.add("plain",
              [](const transport_url&, driver_environment) { return std::unique_ptr<driver>(); });
  EXPECT_THAT(look("plain://u:s3cret@h/"),
              ElementsAre("note transport plain://u:***@h/: The driver \"plain\" has nothing to "
                          "look at before it is used."));
}

}  // namespace
}  // namespace oslo::messaging
