#include "drivers/kafka/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <oslo/messaging/error.hpp>

namespace oslo::messaging::kafka {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

options read(const std::string& lines, const char* url = "kafka://h/") {
  return read_options(config::parse("[oslo_messaging_kafka]\n" + lines, "f.conf"),
                      transport_url::parse(url), "me:1:2");
}

std::string error_of(const std::string& lines, const char* url = "kafka://h/") {
  try {
    read(lines, url);
  } catch (const configuration_error& e) {
    return e.what();
  }
  return "no error";
}

/// As librdkafka takes them: of equal names the last counts.
std::map<std::string, std::string> map_of(const std::vector<setting>& settings) {
  std::map<std::string, std::string> all;
  for (const auto& s : settings) all[s.name] = s.value;
  return all;
}

// ---- the URL ------------------------------------------------------------------------------------

TEST(kafka_options, hosts_become_bootstrap_servers) {
  EXPECT_EQ(read("", "kafka://h1:19092,h2,h3:1/").servers, "h1:19092,h2:9092,h3:1");
  EXPECT_EQ(read("", "kafka://[::1]:5,[fe80::1]/").servers, "[::1]:5,[fe80::1]:9092");
  EXPECT_EQ(read("", "kafka://u:p@/").servers, "localhost:9092") << "a host without a name";
  for (const char* url : {"kafka:", "kafka://", "kafka:///"})
    EXPECT_EQ(read("", url).servers, "localhost:9092") << url;
}

TEST(kafka_options, the_virtual_host_is_kept_for_the_names_of_topics) {
  EXPECT_EQ(read("", "kafka://h").vhost, "");
  EXPECT_EQ(read("", "kafka://h/").vhost, "");
  EXPECT_EQ(read("", "kafka://h/prod").vhost, "prod");
}

TEST(kafka_options, the_name_of_the_client_says_nothing_of_the_process) {
  EXPECT_EQ(map_of(read("").producer).at("client.id"), "me");
  EXPECT_EQ(map_of(read("").consumer).at("client.id"), "me");
}

// ---- what oslo sets -----------------------------------------------------------------------------

TEST(kafka_options, a_producer_loses_nothing_and_doubles_nothing_by_default) {
  const auto p = map_of(read("").producer);
  EXPECT_EQ(p.at("enable.idempotence"), "true");
  EXPECT_EQ(p.at("acks"), "all");
  EXPECT_EQ(p.at("linger.ms"), "0");
  EXPECT_EQ(p.at("batch.num.messages"), "16384");
  EXPECT_EQ(p.at("compression.codec"), "none");
  EXPECT_EQ(p.at("security.protocol"), "PLAINTEXT");
  EXPECT_EQ(p.at("queue.buffering.max.messages"), "200000");
  EXPECT_EQ(p.at("queue.buffering.max.kbytes"), "262144");
  EXPECT_FALSE(p.contains("group.id"));
}

TEST(kafka_options, a_consumer_commits_what_it_is_told_to) {
  const auto o = read("");
  const auto c = map_of(o.consumer);
  EXPECT_EQ(c.at("enable.auto.commit"), "false");
  EXPECT_EQ(c.at("enable.auto.offset.store"), "false");
  EXPECT_EQ(c.at("max.partition.fetch.bytes"), "1048576");
  EXPECT_EQ(c.at("auto.offset.reset"), "earliest");
  EXPECT_EQ(c.at("enable.partition.eof"), "false");
  EXPECT_EQ(o.group, "oslo_messaging_consumer");
  EXPECT_EQ(o.most_at_once, 500u);
  EXPECT_EQ(o.commit_interval, std::chrono::milliseconds(100));
  EXPECT_FALSE(o.auto_commit);
  EXPECT_FALSE(o.latest);
}

TEST(kafka_options, every_option_of_oslo_reaches_librdkafka) {
  const auto o = read(
      "kafka_max_fetch_bytes = 2000\nconsumer_group = ceilometer\nproducer_batch_timeout = 0.25\n"
      "producer_batch_size = 7\ncompression_codec = zstd\nenable_auto_commit = true\n"
      "max_poll_records = 9\n");
  const auto p = map_of(o.producer), c = map_of(o.consumer);
  EXPECT_EQ(c.at("max.partition.fetch.bytes"), "2000");
  EXPECT_EQ(o.group, "ceilometer");
  EXPECT_EQ(p.at("linger.ms"), "250");
  EXPECT_EQ(p.at("batch.num.messages"), "7");
  EXPECT_EQ(p.at("compression.codec"), "zstd");
  EXPECT_EQ(c.at("enable.auto.commit"), "true");
  EXPECT_TRUE(o.auto_commit);
  EXPECT_EQ(o.most_at_once, 9u);
}

TEST(kafka_options, a_query_says_the_same) {
  const auto o = read("consumer_group = a\n", "kafka://h/?consumer_group=b&compression_codec=lz4");
  EXPECT_EQ(o.group, "b");
  EXPECT_EQ(map_of(o.producer).at("compression.codec"), "lz4");
  EXPECT_THAT(error_of("", "kafka://h/?nonsense=1"), HasSubstr("nonsense"));
}

TEST(kafka_options, where_a_new_group_begins_may_be_as_in_python) {
  const auto o = read("cpp_auto_offset_reset = latest\n");
  EXPECT_TRUE(o.latest);
  EXPECT_EQ(map_of(o.consumer).at("auto.offset.reset"), "latest");
  EXPECT_EQ(map_of(o.consumer).at("enable.partition.eof"), "true");
}

TEST(kafka_options, what_has_no_meaning_here_is_said) {
  EXPECT_THAT(read("pool_size = 20\nkafka_consumer_timeout = 3\n").without_effect,
              testing::AllOf(HasSubstr("pool_size"), HasSubstr("kafka_consumer_timeout")));
  EXPECT_EQ(read("pool_size = 10\n").without_effect, "");
}

TEST(kafka_options, a_group_needs_a_name) {
  EXPECT_EQ(error_of("consumer_group =\n"),
            "Option \"consumer_group\" of group [oslo_messaging_kafka] has the value \"\" "
            "(f.conf:2), which is empty.");
}

// ---- logging in ---------------------------------------------------------------------------------

TEST(kafka_options, sasl_takes_the_login_of_the_first_host) {
  const auto o = read("security_protocol = SASL_PLAINTEXT\nsasl_mechanism = SCRAM-SHA-512\n",
                      "kafka://ada:se%20cret@h1,ada:se%20cret@h2/");
  for (const auto& s : {map_of(o.producer), map_of(o.consumer)}) {
    EXPECT_EQ(s.at("security.protocol"), "SASL_PLAINTEXT");
    EXPECT_EQ(s.at("sasl.mechanisms"), "SCRAM-SHA-512");
    EXPECT_EQ(s.at("sasl.username"), "ada");
    EXPECT_EQ(s.at("sasl.password"), "se cret");
  }
  EXPECT_THAT(o.warnings, IsEmpty());
}

TEST(kafka_options, different_logins_are_a_warning) {
  const auto o = read("security_protocol = SASL_PLAINTEXT\n", "kafka://ada:x@h1,bob:y@h2/");
  EXPECT_EQ(map_of(o.producer).at("sasl.username"), "ada");
  EXPECT_THAT(o.warnings, ElementsAre("The hosts of kafka://ada:***@h1,bob:***@h2/ have different "
                                      "credentials: those of the first one are used for all."));
}

TEST(kafka_options, a_login_that_is_not_used_is_a_warning) {
  const auto o = read("", "kafka://ada:x@h/");
  EXPECT_FALSE(map_of(o.producer).contains("sasl.username"));
  EXPECT_THAT(o.warnings,
              ElementsAre("The user name in kafka://ada:***@h/ is not used: security_protocol is "
                          "PLAINTEXT, which has no login."));
}

TEST(kafka_options, tls_takes_its_files) {
  const auto o = read(
      "security_protocol = SSL\nssl_cafile = ca.pem\nssl_client_cert_file = c.pem\n"
      "ssl_client_key_file = k.pem\nssl_client_key_password = geheim\n");
  const auto p = map_of(o.producer);
  EXPECT_EQ(p.at("ssl.ca.location"), "ca.pem");
  EXPECT_EQ(p.at("ssl.certificate.location"), "c.pem");
  EXPECT_EQ(p.at("ssl.key.location"), "k.pem");
  EXPECT_EQ(p.at("ssl.key.password"), "geheim");
  EXPECT_FALSE(p.contains("sasl.mechanisms"));
}

TEST(kafka_options, files_of_tls_without_tls_are_a_warning) {
  const auto o = read("ssl_cafile = ca.pem\n");
  EXPECT_FALSE(map_of(o.producer).contains("ssl.ca.location"));
  EXPECT_THAT(o.warnings,
              ElementsAre("Option \"ssl_cafile\" of group [oslo_messaging_kafka] has the value "
                          "\"ca.pem\" (f.conf:2), but security_protocol is PLAINTEXT: nothing is "
                          "encrypted."));
}

// ---- settings of librdkafka ---------------------------------------------------------------------

TEST(kafka_options, any_setting_of_librdkafka_goes_to_both_or_to_one) {
  const auto o =
      read("cpp_rdkafka.socket.timeout.ms = 1234\ncpp_rdkafka_producer.message.timeout.ms = 77\n",
           "kafka://h/?cpp_rdkafka_consumer.session.timeout.ms=6000");
  const auto p = map_of(o.producer), c = map_of(o.consumer);
  EXPECT_EQ(p.at("socket.timeout.ms"), "1234");
  EXPECT_EQ(c.at("socket.timeout.ms"), "1234");
  EXPECT_EQ(p.at("message.timeout.ms"), "77");
  EXPECT_FALSE(c.contains("message.timeout.ms"));
  EXPECT_EQ(c.at("session.timeout.ms"), "6000");
  EXPECT_FALSE(p.contains("session.timeout.ms"));
}

TEST(kafka_options, they_count_more_than_what_the_driver_chose_and_a_query_more_than_a_file) {
  const auto o = read("cpp_rdkafka_producer.acks = 1\ncpp_rdkafka.client.id = file\n",
                      "kafka://h/?cpp_rdkafka.client.id=query");
  EXPECT_EQ(map_of(o.producer).at("acks"), "1");
  EXPECT_EQ(map_of(o.producer).at("client.id"), "query");
}

TEST(kafka_options, of_several_lines_the_last_counts) {
  EXPECT_EQ(map_of(read("cpp_rdkafka.client.id = a\ncpp_rdkafka.client.id = b\n").producer)
                .at("client.id"),
            "b");
}

TEST(kafka_options, what_librdkafka_does_not_know_is_an_error_that_names_the_place) {
  EXPECT_EQ(error_of("cpp_rdkafka.no.such.thing = 1\n"),
            "Option \"cpp_rdkafka.no.such.thing\" of group [oslo_messaging_kafka] has the value "
            "\"1\" (f.conf:2), which librdkafka does not take: No such configuration property: "
            "\"no.such.thing\".");
  EXPECT_THAT(error_of("", "kafka://h/?cpp_rdkafka.socket.timeout.ms=1"),
              testing::AllOf(HasSubstr("in the query of kafka://h/"), HasSubstr("10..300000")));
}

TEST(kafka_options, passwords_are_in_no_error) {
  EXPECT_EQ(error_of("cpp_rdkafka.sasl.password.nonsense = geheim\n").find("geheim"),
            std::string::npos);
}

TEST(kafka_options, what_the_driver_needs_for_itself_is_refused) {
  for (const char* name :
       {"bootstrap.servers", "group.id", "enable.auto.commit", "enable.auto.offset.store",
        "auto.offset.reset", "enable.partition.eof", "log.queue", "transactional.id"})
    EXPECT_THAT(error_of("cpp_rdkafka." + std::string(name) + " = x\n"),
                HasSubstr("\" (f.conf:2), which "))
        << name;
}

}  // namespace
}  // namespace oslo::messaging::kafka
