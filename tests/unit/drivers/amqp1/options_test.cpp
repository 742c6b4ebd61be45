#include "drivers/amqp1/options.hpp"

#include <gmock/gmock.h>

namespace oslo::messaging::amqp1 {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

options read(const std::string& url, const std::map<std::string, std::string>& values = {}) {
  config conf;
  for (const auto& [name, text] : values) conf.set("oslo_messaging_amqp", name, text);
  return read_options(conf, transport_url::parse(url), "client");
}
std::string why(const std::string& url, const std::map<std::string, std::string>& values = {}) {
  try {
    read(url, values);
    return "";
  } catch (const configuration_error& e) {
    return e.what();
  }
}

TEST(amqp1_options, defaults_are_those_of_upstream) {
  const auto o = read("amqp://");
  ASSERT_EQ(o.link.brokers.size(), 1u);
  EXPECT_EQ(o.link.brokers[0].where.text(), "localhost:5672");
  EXPECT_EQ(o.link.brokers[0].username, "");
  EXPECT_EQ(o.link.connection.mechanisms, "");
  EXPECT_EQ(o.link.connection.hostname, "");
  EXPECT_EQ(o.link.connection.idle_timeout, 0ms);
  EXPECT_THAT(o.link.connection.container_id, StartsWith("openstack.org/om/container/"));
  EXPECT_FALSE(o.link.tls.enabled);
  EXPECT_EQ(o.addresses.mode, addressing::dynamic);
  EXPECT_EQ(o.addresses.virtual_host, "");
  EXPECT_TRUE(o.pre_settled.casts);
  EXPECT_TRUE(o.pre_settled.replies);
  EXPECT_FALSE(o.pre_settled.calls);
  EXPECT_FALSE(o.pre_settled.notifications);
  EXPECT_EQ(o.reply_credit, 200u);
  EXPECT_EQ(o.rpc_credit, 100u);
  EXPECT_THAT(o.warnings, IsEmpty());
  EXPECT_EQ(o.without_effect, "");
}

TEST(amqp1_options, hosts_users_and_realms) {
  const auto o =
      read("amqp://ada:pw@one,bob%40there:pw@two:99,three", {{"sasl_default_realm", "here"}});
  ASSERT_EQ(o.link.brokers.size(), 3u);
  EXPECT_EQ(o.link.brokers[0].username, "ada@here");
  EXPECT_EQ(o.link.brokers[1].username, "bob@there");
  EXPECT_EQ(o.link.brokers[1].where.text(), "two:99");
  EXPECT_EQ(o.link.brokers[2].username, "");
}

TEST(amqp1_options, the_virtual_host_is_in_addresses_or_in_open) {
  EXPECT_EQ(read("amqp://host/vh").addresses.virtual_host, "vh");
  EXPECT_EQ(read("amqp://host/vh").link.connection.hostname, "");
  const auto o = read("amqp://host/vh?pseudo_vhost=false");
  EXPECT_EQ(o.addresses.virtual_host, "");
  EXPECT_EQ(o.link.connection.hostname, "vh");
}

TEST(amqp1_options, tls_by_its_option_or_by_a_file) {
  EXPECT_TRUE(read("amqp://h?ssl=1").link.tls.enabled);
  EXPECT_TRUE(read("amqp://h", {{"ssl_ca_file", "/ca"}}).link.tls.enabled);
  const auto o = read("amqp://h/vh", {{"ssl_cert_file", "/c"},
                                      {"ssl_key_file", "/k"},
                                      {"ssl_key_password", "pw"},
                                      {"ssl_verify_vhost", "true"}});
  EXPECT_EQ(o.link.tls.key_password, "pw");
  EXPECT_EQ(o.link.tls.peer_name, "vh");
  EXPECT_THAT(why("amqp://h", {{"ssl", "1"}, {"ssl_verify_vhost", "1"}}),
              HasSubstr("needs a virtual host"));
}

TEST(amqp1_options, mechanisms_that_there_are) {
  EXPECT_EQ(read("amqp://h?sasl_mechanisms=SCRAM-SHA-1 PLAIN").link.connection.mechanisms, "PLAIN");
  EXPECT_THAT(why("amqp://h", {{"sasl_mechanisms", "GSSAPI"}}), HasSubstr("holds none of"));
  EXPECT_THAT(why("amqp://h", {{"sasl_config_dir", "/etc"}}), HasSubstr("sasl_config_dir"));
}

TEST(amqp1_options, kinds_that_are_settled_when_sent) {
  const auto o = read("amqp://h?pre_settled=notify&pre_settled=RPC-Call&pre_settled=rubbish");
  EXPECT_TRUE(o.pre_settled.notifications);
  EXPECT_TRUE(o.pre_settled.calls);
  EXPECT_FALSE(o.pre_settled.casts);
  EXPECT_THAT(o.warnings, ElementsAre(HasSubstr("unknown and ignored: rubbish.")));
}

TEST(amqp1_options, group_of_older_files) {
  config conf;
  conf.set("amqp1", "broadcast_prefix", "all");
  EXPECT_EQ(read_options(conf, transport_url::parse("amqp://h"), "").addresses.legacy.broadcast,
            "all");
}

TEST(amqp1_options, what_cannot_work_is_refused) {
  const auto refused = [](const std::string& url) {
    try {
      check(read(url).link);
      return std::string();
    } catch (const configuration_error& e) {
      return std::string(e.what());
    }
  };
  EXPECT_THAT(refused("amqp://a%00b:pw@h"), HasSubstr("null byte"));
  EXPECT_THAT(refused("amqp://h?ssl_ca_file=/nowhere.pem"), HasSubstr("/nowhere.pem"));
  EXPECT_EQ(refused("amqp://h"), "");
  EXPECT_THAT(why("amqp://h?addressing_mode=other"), HasSubstr("addressing_mode"));
}

}  // namespace
}  // namespace oslo::messaging::amqp1
