#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <oslo/messaging/notify/options.hpp>
#include <oslo/messaging/testing.hpp>

namespace oslo::messaging::testing {
namespace {

std::string error_of(std::initializer_list<setting> settings) {
  try {
    make_config(settings);
  } catch (const configuration_error& e) {
    return e.what();
  }
  return "no error";
}

TEST(make_config, has_the_bus_of_the_process_and_the_defaults) {
  const auto bus = open_transport({}, {.conf = make_config()});
  EXPECT_EQ(bus.url().transport, "fake");
  EXPECT_EQ(bus.defaults().integer("rpc_response_timeout"), 60);
}

TEST(make_config, sets_options_by_group_and_name) {
  const auto conf = make_config({{"DEFAULT", "rpc_response_timeout", "5"},
                                 {"DEFAULT", "transport_url", "rabbit://h/"},
                                 {"oslo_messaging_notifications", "topics", "a,b"}});
  const option_values defaults("DEFAULT", default_options(), conf);
  EXPECT_EQ(defaults.integer("rpc_response_timeout"), 5);
  EXPECT_EQ(defaults.string("transport_url"), "rabbit://h/");
  EXPECT_THAT(notify::read_options(conf).list("topics"), ::testing::ElementsAre("a", "b"));
}

TEST(make_config, accepts_names_as_a_file_may_have_them) {
  const auto conf = make_config({{"Oslo_Messaging_Rabbit", "rabbit_use_ssl", "true"},
                                 {"DEFAULT", "notification_topics", "old"}});
  EXPECT_EQ(conf.find("oslo_messaging_rabbit", "rabbit_use_ssl").size(), 1u);
  EXPECT_THAT(notify::read_options(conf).list("topics"), ::testing::ElementsAre("old"));
}

TEST(make_config, names_what_the_library_does_not_have) {
  EXPECT_EQ(error_of({{"DEFAULT", "rpc_response_timout", "5"}}),
            "There is no option \"rpc_response_timout\" in group [DEFAULT].");
  EXPECT_EQ(error_of({{"default", "rpc_response_timeout", "5"}}),
            "There is no option \"rpc_response_timeout\" in group [default].");
  EXPECT_EQ(error_of({{"DEFAULT", "topics", "a"}}),
            "There is no option \"topics\" in group [DEFAULT].");
}

TEST(make_config, refuses_values_that_cannot_be_used) {
  EXPECT_EQ(error_of({{"DEFAULT", "rpc_response_timeout", "soon"}}),
            "Option \"rpc_response_timeout\" of group [DEFAULT] has the value \"soon\" (set by the "
            "program), which is not an integer.");
  EXPECT_THAT(error_of({{"oslo_messaging_rabbit", "rabbit_login_method", "KERBEROS"}}),
              ::testing::HasSubstr("AMQPLAIN"));
}

}  // namespace
}  // namespace oslo::messaging::testing
