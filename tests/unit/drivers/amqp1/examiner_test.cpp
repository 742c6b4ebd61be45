#include "drivers/amqp1/examiner.hpp"

#include <gmock/gmock.h>

#include <oslo/messaging/doctor.hpp>

#include "support/amqp1_broker.hpp"

namespace oslo::messaging::amqp1 {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

class amqp1_examiner : public ::testing::Test {
 protected:
  testing::amqp1_broker broker;

  static std::vector<finding> look(const std::string& url) {
    driver_environment env;
    env.default_exchange = "openstack";
    examination what;
    what.topics = {{.topic = "calc"}};
    what.notifications = {{{.topic = "notes"}, "info"}, {{.topic = "notes"}, "warn"}};
    what.timeout = 20s;
    return examine(transport_url::parse(url), env, what);
  }
  std::string with_user() const {
    auto url = broker.url();
    return url.insert(url.find("//") + 2, "ada:opensesame@");
  }
};

TEST_F(amqp1_examiner, connects_and_names_the_addresses_that_it_leaves_alone) {
  const auto found = look(broker.url() + "?addressing_mode=legacy");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].level, severity::ok);
  EXPECT_THAT(found[0].subject, HasSubstr("host 127.0.0.1:"));
  EXPECT_THAT(found[0].text, HasSubstr("mode legacy"));
  EXPECT_EQ(found[1].level, severity::note);
  EXPECT_EQ(found[1].subject, "addresses unicast.openstack.calc, unicast.openstack.notes.PRIORITY");
  EXPECT_FALSE(hurts(found));
}

TEST_F(amqp1_examiner, a_login_that_is_refused_is_an_error_without_the_password) {
  const auto found = look(with_user());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].level, severity::error);
  EXPECT_THAT(found[0].text, HasSubstr("refused the login"));
  EXPECT_THAT(found[0].text + found[0].advice, Not(HasSubstr("opensesame")));
  EXPECT_THAT(found[0].advice, HasSubstr("sasl_mechanisms"));
}

TEST_F(amqp1_examiner, each_host_is_looked_at) {
  auto url = broker.url();
  url.pop_back();  // the last slash
  const auto found = look(url + ",127.0.0.1:1/");
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].level, severity::ok);
  EXPECT_EQ(found[1].level, severity::error);
  EXPECT_EQ(found[1].subject, "host 127.0.0.1:1");
  EXPECT_EQ(found[2].level, severity::note);
}

}  // namespace
}  // namespace oslo::messaging::amqp1
