// What oslo-msg doctor finds on the cluster that librdkafka plays, and on none.
#include <gmock/gmock.h>

#include <oslo/messaging/doctor.hpp>

#include "kafka_bus.hpp"

namespace oslo::messaging::kafka {
namespace {

using oslo::messaging::testing::kafka_mock_cluster;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

std::string line_of(const finding& f) {
  return std::string(to_string(f.level)) + " " + f.subject + ": " + f.text;
}

std::vector<std::string> look(const std::string& url, checkup what, const config& conf = {}) {
  std::vector<std::string> all;
  for (const auto& f : examine(url, conf, what)) all.push_back(line_of(f));
  return all;
}

const checkup listener_of_t{.topics = {"t"}, .roles = {bus_role::listener}};
const checkup notifier_of_t{.topics = {"t"}, .roles = {bus_role::notifier}};

TEST(kafka_doctor, says_what_is_there_and_what_is_not) {
  kafka_mock_cluster cluster;
  cluster.create_topic("t.info", 2);
  const auto host = cluster.url().substr(8, cluster.url().size() - 9);
  const auto found = look(cluster.url(), listener_of_t);
  EXPECT_THAT(found, IsSupersetOf({"ok host " + host + ": It answers, and knows of 1 broker.",
                                   std::string("ok topic t.info: It has 2 partitions.")}));
  EXPECT_THAT(found, Contains("note topic t.error: It does not exist, or this user may not see it. "
                              "A listener waits for it."));
}

TEST(kafka_doctor, makes_no_topic) {
  kafka_mock_cluster cluster;
  for (int i = 0; i < 2; ++i)
    EXPECT_THAT(look(cluster.url(), notifier_of_t),
                Contains(HasSubstr("note topic t.info: It does not exist")));
}

/// This cluster does not tell of members; kafka/security_test.py has a real one.
TEST(kafka_doctor, counts_what_waits_for_the_group) {
  kafka_mock_cluster cluster;
  cluster.create_topic("t.info", 1);
  kafka_bus k(cluster.url());
  for (int i = 0; i < 3; ++i) k.send("t.info", "e", {.timeout = patience}).value();
  EXPECT_THAT(look(cluster.url() + "?consumer_group=g", notifier_of_t),
              Contains("ok group g: 3 messages wait for it, which has never acknowledged one."));
}

TEST(kafka_doctor, says_why_a_host_cannot_be_used) {
  kafka_mock_cluster cluster;
  const auto host = cluster.url().substr(8, cluster.url().size() - 9);
  EXPECT_THAT(look("kafka://127.0.0.1:1/", notifier_of_t),
              Contains(HasSubstr("error host 127.0.0.1:1: It cannot be used: ")));
  EXPECT_THAT(look("kafka://127.0.0.1:1," + host + "/", notifier_of_t),
              Contains(HasSubstr("warning host 127.0.0.1:1: It cannot be used: ")));
}

TEST(kafka_doctor, tells_rpc_to_go_elsewhere) {
  kafka_mock_cluster cluster;
  EXPECT_THAT(look(cluster.url(), {.topics = {"t"}, .roles = {bus_role::server}}),
              Contains("error kafka://: It carries notifications only: clients and servers are "
                       "refused."));
  EXPECT_THAT(look(cluster.url(), notifier_of_t), Not(Contains(HasSubstr("notifications only"))));
}

TEST(kafka_doctor, reads_the_options) {
  kafka_mock_cluster cluster;
  EXPECT_THAT(look(cluster.url() + "?ssl_cafile=/nowhere", notifier_of_t),
              Contains(HasSubstr("security_protocol is PLAINTEXT: nothing is encrypted.")));
  EXPECT_THAT(look(cluster.url() + "?cpp_rdkafka.no.such=1", notifier_of_t),
              Contains(HasSubstr("which librdkafka does not take: No such configuration "
                                 "property: \"no.such\"")));
}

}  // namespace
}  // namespace oslo::messaging::kafka
