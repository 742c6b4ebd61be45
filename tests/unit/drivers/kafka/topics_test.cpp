#include "drivers/kafka/topics.hpp"

#include <gtest/gtest.h>

#include <string>

namespace oslo::messaging::kafka {
namespace {

TEST(kafka_topics, the_virtual_host_is_the_end_of_a_name) {
  EXPECT_EQ(topic_name("notifications.info", ""), "notifications.info");
  EXPECT_EQ(topic_name("notifications.info", "prod"), "notifications.info.prod");
}

TEST(kafka_topics, names_that_brokers_take) {
  for (const std::string& name :
       {std::string("a"), std::string("notifications.info"), std::string("A-b_c.9"),
        std::string(249, 'x'), std::string("...")})
    EXPECT_TRUE(check_topic(name).has_value()) << name;
}

TEST(kafka_topics, names_that_they_do_not_take) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string(250, 'x'),
        std::string("a b"), std::string("a/b"), std::string("a:b"), std::string("\xc3\xa4"),
        std::string("a\0b", 3)}) {
    const auto r = check_topic(name);
    ASSERT_TRUE(r.has_error()) << name;
    EXPECT_EQ(r.error().code(), errc::invalid_argument);
  }
  EXPECT_EQ(check_topic("a b").error().message(),
            "A topic of Kafka has 1 to 249 letters, digits, dots, underscores and hyphens; this "
            "one has not: a b");
}

}  // namespace
}  // namespace oslo::messaging::kafka
