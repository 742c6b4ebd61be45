#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <oslo/messaging/config.hpp>
#include <set>
#include <string>

#include "core/config/option_lookup.hpp"

namespace oslo::messaging {
namespace {

using testing::ElementsAre;

const option* find(std::string_view group, std::string_view name) {
  for (const auto& g : option_groups())
    for (const auto& o : g.options)
      if (g.name == group && o.name == name) return &o;
  return nullptr;
}

TEST(option_groups, are_those_that_the_library_reads) {
  std::vector<std::string_view> names;
  for (const auto& g : option_groups()) names.push_back(g.name);
  EXPECT_THAT(names, ElementsAre("DEFAULT", "oslo_messaging_notifications", "oslo_messaging_rabbit",
                                 "oslo_messaging_amqp", "oslo_messaging_kafka",
                                 "oslo_messaging_tracing", "oslo_messaging_metrics"));
}

TEST(option_groups, say_what_an_option_is_and_what_becomes_of_it) {
  const auto* retry = find("oslo_messaging_rabbit", "rabbit_retry_interval");
  ASSERT_NE(retry, nullptr);
  EXPECT_EQ(retry->type, option_type::integer);
  EXPECT_EQ(retry->default_value, "1");
  EXPECT_EQ(retry->min, 1);
  EXPECT_EQ(retry->effect, option_effect::works);
  EXPECT_FALSE(retry->help.empty());
  const auto* topics = find("oslo_messaging_notifications", "topics");
  ASSERT_NE(topics, nullptr);
  EXPECT_THAT(topics->deprecated,
              ElementsAre("rpc_notifier2/topics", "DEFAULT/notification_topics"));
  const auto* streams = find("oslo_messaging_rabbit", "rabbit_stream_fanout");
  ASSERT_NE(streams, nullptr);
  EXPECT_EQ(streams->effect, option_effect::works);
  const auto* pool = find("oslo_messaging_rabbit", "rpc_conn_pool_size");
  ASSERT_NE(pool, nullptr);
  EXPECT_EQ(pool->effect, option_effect::none);
  const auto* url = find("DEFAULT", "transport_url");
  ASSERT_NE(url, nullptr);
  EXPECT_TRUE(url->secret);
  EXPECT_EQ(find("DEFAULT", "topics"), nullptr);
}

TEST(option_groups, every_former_name_is_a_line_of_the_log) {
  std::size_t names = 0;
  for (const auto& g : option_groups()) {
    for (const auto& o : g.options) {
      for (const auto old : o.deprecated) {
        ++names;
        const auto slash = old.find('/');
        const std::string group(slash == old.npos ? g.name : old.substr(0, slash));
        const std::string name(slash == old.npos ? old : old.substr(slash + 1));
        config conf;
        conf.set(group, name, "x");
        EXPECT_THAT(former_names_in_use(conf, g.name, g.options),
                    ElementsAre("Deprecated: Option \"" + name + "\" of group [" + group +
                                "] (set by the program) is \"" + std::string(o.name) +
                                "\" of group [" + std::string(g.name) + "] now."));
      }
    }
  }
  EXPECT_GE(names, 20u);
}

TEST(option_groups, explain_every_option_and_name_none_twice) {
  for (const auto& g : option_groups()) {
    std::set<std::string_view> names;
    for (const auto& o : g.options) {
      EXPECT_FALSE(o.help.empty()) << g.name << " " << o.name;
      EXPECT_TRUE(names.insert(o.name).second) << g.name << " " << o.name;
    }
  }
}

TEST(option_groups, have_defaults_that_can_be_read) {
  for (const auto& g : option_groups())
    EXPECT_NO_THROW(option_values(std::string(g.name), g.options, {})) << g.name;
}

}  // namespace
}  // namespace oslo::messaging
