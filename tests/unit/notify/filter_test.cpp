#include <gtest/gtest.h>

#include <oslo/messaging/error.hpp>
#include <oslo/messaging/notify/filter.hpp>

namespace oslo::messaging::notify {
namespace {

notification sample() {
  notification n;
  n.ctxt = context{{"user", "bob"}, {"count", 5}};
  n.publisher_id = "compute.host1";
  n.event_type = "compute.start";
  n.payload_json = R"({"state": "active", "size": 5, "none": null})";
  n.message_id = "abc-123";
  n.timestamp = "2026-01-02 03:04:05";
  return n;
}

TEST(filters, follow_the_rules_of_oslo) {
  const std::pair<filter_rules, bool> table[] = {
      {{}, true},
      {{.publisher_id = "^compute.*"}, true},
      {{.publisher_id = "^network.*"}, false},
      {{.event_type = "compute\\.start$"}, true},
      {{.event_type = "compute"}, true},  // the start is enough
      {{.event_type = "start"}, false},   // but it has to be the start
      {{.event_type = "x|compute"}, true},
      {{.event_type = ""}, true},
      {{.context = {{"user", "^b"}}}, true},
      {{.context = {{"user", "^a"}}}, false},
      {{.context = {{"project", ".*"}}}, false},  // missing
      {{.context = {{"count", ".*"}}}, false},    // not text
      {{.metadata = {{"message_id", "^abc"}}}, true},
      {{.metadata = {{"timestamp", "^2027"}}}, false},
      {{.metadata = {{"other", ".*"}}}, false},
      {{.payload = {{"state", "^act"}}}, true},
      {{.payload = {{"state", "^stop"}}}, false},
      {{.payload = {{"size", ".*"}}}, false},
      {{.payload = {{"none", ".*"}}}, false},
      {{.context = {{"user", "b"}},
        .publisher_id = "c",
        .event_type = "c",
        .payload = {{"state", "a"}}},
       true},
      {{.context = {{"user", "b"}}, .publisher_id = "c", .event_type = "x"}, false},
  };
  for (const auto& [rules, expected] : table)
    EXPECT_EQ(filter(rules).matches(sample()), expected) << &rules - &table[0].first;
}

TEST(filters, reject_what_is_missing_or_of_another_shape) {
  notification n = sample();
  n.publisher_id.reset();
  n.event_type.reset();
  n.message_id.reset();
  n.payload_json = "[1]";
  EXPECT_FALSE(filter({.publisher_id = ".*"}).matches(n));
  EXPECT_FALSE(filter({.event_type = ".*"}).matches(n));
  EXPECT_FALSE(filter({.metadata = {{"message_id", ".*"}}}).matches(n));
  EXPECT_FALSE(filter({.payload = {{"state", ".*"}}}).matches(n));
  EXPECT_TRUE(filter().matches(n));
}

TEST(filters, take_linear_time_whatever_a_publisher_writes) {
  notification n = sample();
  n.event_type = std::string(1'000'000, 'a') + "!";
  EXPECT_FALSE(filter({.event_type = "(a+)+$"}).matches(n));  // exponential elsewhere
}

TEST(filters, name_the_place_of_an_expression_that_is_none) {
  const auto message = [](const filter_rules& r) {
    try {
      filter f(r);
    } catch (const configuration_error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(message({.event_type = "("}),
            "The filter of event_type is no regular expression: missing ): (.");
  EXPECT_EQ(message({.payload = {{"state", "(?=x)"}}}),
            "The filter of payload key state is no regular expression: invalid perl operator: "
            "(?=.");
}

}  // namespace
}  // namespace oslo::messaging::notify
