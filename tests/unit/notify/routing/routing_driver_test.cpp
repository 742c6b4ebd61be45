#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify.hpp>

#include "support/log_lines.hpp"
#include "support/recording_driver.hpp"
#include "unit/notify/recording_sink.hpp"

namespace oslo::messaging::notify {
namespace {

using strings = std::vector<std::string>;
using testing::open_recording;

class routing : public ::testing::Test {
 protected:
  ~routing() override { std::remove(file.c_str()); }
  notifier make(const std::string& rules, std::vector<std::string> topics = {"t"}) {
    std::ofstream(file) << rules;
    return notifier(
        open_recording(sent, {.log = lines.into()}),
        {.drivers = {{"routing"}}, .routing_config = file, .topics = std::move(topics)});
  }
  /// "version event" of what was sent.
  strings events() const {
    strings out;
    for (const auto& m : sent->sent())
      out.push_back(std::string(m.format == notification_format::envelope ? "2" : "1") + " " +
                    std::string(parse_json(m.message.body).at("event_type").as_string()));
    return out;
  }

  const std::string file = ::testing::TempDir() + "oslo_routing_driver_test_" +
                           ::testing::UnitTest::GetInstance()->current_test_info()->name();
  testing::log_lines lines;
  std::shared_ptr<testing::recorder> sent = std::make_shared<testing::recorder>();
};

TEST_F(routing, calls_the_drivers_that_any_group_wants) {
  reset_kept_notifications();
  const blocking::notifier n{
      make("one:\n"
           "  messaging: {accepted_events: [compute.*]}\n"
           "  test: {accepted_priorities: [error]}\n"
           "two:\n"
           "  messagingv2: {accepted_events: ['*.end'], accepted_priorities: [info, warn]}\n"
           "  messaging: {accepted_priorities: [sample]}\n")};
  EXPECT_EQ(n.async().drivers(), strings{"routing"});
  EXPECT_TRUE(n.info({}, "compute.create.end", 1).has_value());
  EXPECT_TRUE(n.sample({}, "polling", 1).has_value());
  EXPECT_TRUE(n.error({}, "image.end", 1).has_value());
  EXPECT_TRUE(n.debug({}, "image.end", 1).has_value());
  EXPECT_EQ(events(), (strings{"1 compute.create.end", "2 compute.create.end", "1 polling"}));
  const auto kept = kept_notifications();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].message.at("event_type"), "image.end");
  EXPECT_EQ(kept[0].retry, -1);
  EXPECT_EQ(lines.with("Routing"),
            (strings{"Routing 'compute.create.end' notification to 'messaging' driver",
                     "Routing 'compute.create.end' notification to 'messagingv2' driver",
                     "Routing 'polling' notification to 'messaging' driver",
                     "Routing 'image.end' notification to 'test' driver"}));
}

TEST_F(routing, sends_to_each_topic_and_tells_it_once) {
  const blocking::notifier n{make("g: {messaging: }\n", {"a", "b"})};
  EXPECT_TRUE(n.info({}, "e", 1).has_value());
  EXPECT_EQ(*sent->sent().at(0).to.topic, "a.info");
  EXPECT_EQ(*sent->sent().at(1).to.topic, "b.info");
  EXPECT_EQ(lines.with("Routing").size(), 1u);
}

TEST_F(routing, reports_what_a_driver_could_not_do) {
  sent->answer(failure(errc::rejected, "no"));
  const auto r = blocking::notifier(make("g: {messaging: }\n")).info({}, "e", 1);
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::rejected);
}

TEST_F(routing, leaves_out_itself) {
  const blocking::notifier n{make("g: {routing: , messaging: }\n")};
  EXPECT_TRUE(n.info({}, "e", 1).has_value());
  EXPECT_EQ(events(), (strings{"1 e"}));
  EXPECT_EQ(lines.with("routes to"),
            (strings{file + " routes to \"routing\" itself, which is left out."}));
}

TEST_F(routing, names_the_line_of_a_driver_that_does_not_exist) {
  try {
    make("g:\n  messaging:\n  pigeon: {accepted_priorities: [info]}\n");
    ADD_FAILURE();
  } catch (const configuration_error& e) {
    EXPECT_EQ(e.what(), file +
                            ":3: there is no notification driver \"pigeon\". Known are messaging, "
                            "messagingv2, log, noop, routing, test.");
  }
}

TEST_F(routing, chooses_drivers_of_the_application) {
  const auto own = std::make_shared<recording_sink>();
  std::ofstream(file) << "g: {pigeon: {accepted_priorities: [error]}}\n";
  const blocking::notifier n{
      open_recording(sent),
      {.drivers = {{"routing"}}, .custom_drivers = {{"pigeon", own}}, .routing_config = file}};
  EXPECT_TRUE(n.info({}, "unwanted", 1).has_value()) << "the rules want it nowhere";
  EXPECT_TRUE(n.error({}, "wanted", 1).has_value());
  EXPECT_EQ(own->events(), strings{"wanted"});
}

TEST_F(routing, without_a_file_sends_nothing_and_says_so) {
  const notifier n{open_recording(sent, {.log = lines.into()}), {.drivers = {{"routing"}}}};
  EXPECT_EQ(blocking::notifier(n).info({}, "e", 1).error().code(), errc::not_sent);
  EXPECT_TRUE(sent->sent().empty());
  EXPECT_EQ(lines.count(log_level::warning, "option routing_config is not set"), 1);
}

TEST_F(routing, takes_its_file_from_the_options) {
  std::ofstream(file) << "g: {messaging: }\n";
  for (const std::string& text : {"[oslo_messaging_notifications]\nrouting_config = " + file + "\n",
                                  "[DEFAULT]\nrouting_notifier_config = " + file + "\n"}) {
    const blocking::notifier n{open_recording(sent, {.conf = config::parse(text)}),
                               {.drivers = {{"routing"}}}};
    EXPECT_TRUE(n.info({}, "e", 1).has_value());
  }
  EXPECT_EQ(sent->sent().size(), 2u);
}

TEST_F(routing, with_a_bad_file_makes_no_notifier) {
  try {
    make("g: [\n");
    ADD_FAILURE();
  } catch (const configuration_error& e) {
    EXPECT_EQ(e.what(), file + ":2: end of sequence flow not found.");
  }
}

}  // namespace
}  // namespace oslo::messaging::notify
