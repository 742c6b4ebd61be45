#include <gtest/gtest.h>

#include <oslo/messaging/notify/options.hpp>

#include "support/recording_driver.hpp"

namespace oslo::messaging::notify {
namespace {

TEST(notification_options, have_the_defaults_of_oslo) {
  const auto o = read_options({});
  EXPECT_EQ(o.list("driver"), std::vector<std::string>{});
  EXPECT_FALSE(o.is_set("transport_url"));
  EXPECT_EQ(o.list("topics"), std::vector<std::string>{"notifications"});
  EXPECT_EQ(o.integer("retry"), -1);
  EXPECT_EQ(o.string("routing_config"), "");
}

TEST(notification_options, accept_the_names_of_old) {
  const auto o = read_options(
      config::parse("[DEFAULT]\nnotification_driver = messaging\nnotification_driver = log\n"
                    "notification_topics = a,b\n"));
  EXPECT_EQ(o.list("driver"), (std::vector<std::string>{"messaging", "log"}));
  EXPECT_EQ(o.list("topics"), (std::vector<std::string>{"a", "b"}));
}

TEST(notification_transports, take_the_url_that_is_nearest) {
  driver_registry drivers;
  for (const char* scheme : {"general", "own", "given"})
    drivers.add(scheme, [](const transport_url&, driver_environment env) {
      return std::make_unique<testing::recording_driver>(std::make_shared<testing::recorder>(),
                                                         std::move(env));
    });
  const std::string general = "[DEFAULT]\ntransport_url = general://\n";
  const std::string own = general + "[oslo_messaging_notifications]\ntransport_url = own://\n";
  const auto scheme = [&](std::string_view url, const std::string& conf) {
    return open_transport(url, {.conf = config::parse(conf)}, drivers).url().transport;
  };
  EXPECT_EQ(scheme("", general), "general");
  EXPECT_EQ(scheme("", own), "own");
  EXPECT_EQ(scheme("given://", own), "given");
}

}  // namespace
}  // namespace oslo::messaging::notify
