#include <gtest/gtest.h>

#include <oslo/messaging/transport.hpp>
#include <stdexcept>
#include <typeindex>
#include <typeinfo>

#include "support/stub_driver.hpp"
#include "testing/manual_loop.hpp"

namespace oslo::messaging {
namespace {

driver_registry::factory remember(std::string& seen, std::string name) {
  return [&seen, name](const transport_url& url, driver_environment env) {
    seen = name + " " + to_string(url) + " " + env.default_exchange;
    return std::make_unique<testing::stub_driver>(env.loop);
  };
}

template <class Exception, class F>
std::string text_of(F&& f) {
  try {
    f();
  } catch (const Exception& e) {
    return e.what();
  }
  return "no error";
}

TEST(driver_registry, chooses_by_the_scheme_before_the_plus) {
  std::string seen;
  driver_registry drivers;
  drivers.add("fake", remember(seen, "F"));
  drivers.add("kombu", remember(seen, "K"));
  driver_environment env;
  env.loop = std::make_shared<testing::manual_loop>();
  env.default_exchange = "nova";
  drivers.make(transport_url::parse("fake://h/v"), env);
  EXPECT_EQ(seen, "F fake://h/v nova");
  drivers.make(transport_url::parse("kombu+memory:"), env);
  EXPECT_EQ(seen, "K kombu+memory:/// nova");
}

TEST(driver_registry, unknown_scheme_lists_the_known) {
  std::string seen;
  driver_registry drivers;
  const auto make = [&] { drivers.make(transport_url::parse("rabit+x://u:hunter2@h"), {}); };
  EXPECT_EQ(text_of<driver_load_failure>(make),
            "Failed to load transport driver \"rabit+x\": There is no driver \"rabit\". Known "
            "drivers: none.");
  drivers.add("rabbit", remember(seen, "R"));
  drivers.add("fake", remember(seen, "F"));
  EXPECT_EQ(text_of<driver_load_failure>(make),
            "Failed to load transport driver \"rabit+x\": There is no driver \"rabit\". Known "
            "drivers: fake, rabbit.");
}

TEST(driver_registry, refuses_names_that_cannot_work) {
  std::string seen;
  driver_registry drivers;
  drivers.add("fake", remember(seen, "F"));
  const auto add = [&](std::string name) {
    return text_of<configuration_error>([&] { drivers.add(name, remember(seen, "X")); });
  };
  EXPECT_EQ(add("fake"), "There is a transport driver for the scheme \"fake\" already.");
  EXPECT_EQ(add(""), "\"\" cannot name a transport driver.");
  EXPECT_EQ(add("a+b"), "\"a+b\" cannot name a transport driver.");
  EXPECT_EQ(text_of<configuration_error>([&] { drivers.add("none", {}); }),
            "Transport driver \"none\" has no factory.");
}

TEST(driver_registry, lets_the_errors_of_a_factory_pass) {
  driver_registry drivers;
  drivers.add("bad", [](const transport_url&, driver_environment) -> std::unique_ptr<driver> {
    throw_failure({errc::invalid_config, "no"});
  });
  EXPECT_EQ(text_of<configuration_error>([&] { drivers.make(transport_url::parse("bad:"), {}); }),
            "no");
}

TEST(driver_registry, says_of_which_driver_a_factory_has_failed) {
  driver_registry drivers;
  drivers.add("none",
              [](const transport_url&, driver_environment) { return std::unique_ptr<driver>(); });
  drivers.add("odd", [](const transport_url&, driver_environment) -> std::unique_ptr<driver> {
    throw std::runtime_error("odd indeed");
  });
  const auto make = [&](std::string_view url) {
    return text_of<driver_load_failure>([&] { drivers.make(transport_url::parse(url), {}); });
  };
  EXPECT_EQ(make("none:"), "Failed to load transport driver \"none\": It is null.");
  EXPECT_EQ(make("odd:"), "Failed to load transport driver \"odd\": odd indeed");
}

/// Those of the library are, also beside one of an application.
TEST(driver_registry, guards_no_driver_that_is_trusted) {
  auto drivers = default_drivers();
  std::string seen;
  drivers.add("mine", remember(seen, "M"));
  drivers.add("careful", remember(seen, "C"), {}, {}, driver_trust::trusted);
  const auto type = [&](std::string_view url) {
    const auto bus = transport::open(url, {}, drivers);
    const auto& d = bus.driver();
    return std::type_index(typeid(d));
  };
  const auto ours = open_transport("fake://");
  const auto& of_ours = ours.driver();
  EXPECT_EQ(type("fake://"), std::type_index(typeid(of_ours)));
  EXPECT_EQ(type("careful://"), std::type_index(typeid(testing::stub_driver)));
  EXPECT_NE(type("mine://"), std::type_index(typeid(testing::stub_driver)));
}

}  // namespace
}  // namespace oslo::messaging
