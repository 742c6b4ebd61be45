#include "drivers/kafka/client_state.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "drivers/kafka/errors.hpp"

namespace oslo::messaging::kafka {
namespace {

using namespace std::chrono_literals;

constexpr auto refused_password = "sasl_plaintext://h1:9093/bootstrap: SASL authentication error";
constexpr auto refused_dial = "127.0.0.1:9092/1: Connect to ipv4#127.0.0.1:9092 failed";
constexpr auto all_down = "1/1 brokers are down";

TEST(kafka_client_state, it_connects_until_a_broker_answers) {
  client_state s;
  EXPECT_EQ(s.state(), link_state::connecting);
  EXPECT_FALSE(s.is_down());
  EXPECT_TRUE(s.alive());
  EXPECT_EQ(s.state(), link_state::connected);
  EXPECT_FALSE(s.alive()) << "nothing new";
}

TEST(kafka_client_state, one_broker_that_fails_takes_nothing_down) {
  client_state s;
  s.alive();
  EXPECT_TRUE(s.on_error(RD_KAFKA_RESP_ERR__TRANSPORT, refused_dial));
  EXPECT_EQ(s.state(), link_state::connected);
  EXPECT_FALSE(s.is_down());
  EXPECT_EQ(s.broker(), "127.0.0.1:9092");
}

TEST(kafka_client_state, all_brokers_down_keeps_the_reason) {
  client_state s;
  s.alive();
  s.on_error(RD_KAFKA_RESP_ERR__TRANSPORT, refused_dial);
  EXPECT_TRUE(s.on_error(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, all_down));
  EXPECT_EQ(s.state(), link_state::connecting);
  EXPECT_TRUE(s.is_down());
  EXPECT_EQ(s.reason(), refused_dial);
  EXPECT_FALSE(s.verdict().has_value());
  EXPECT_FALSE(s.on_error(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, all_down)) << "nothing new";
  EXPECT_TRUE(s.alive());
  EXPECT_EQ(s.state(), link_state::connected);
  EXPECT_EQ(s.reason(), "");
  EXPECT_FALSE(s.is_down());
}

TEST(kafka_client_state, a_verdict_counts_once_all_brokers_are_down) {
  client_state s;
  s.on_error(RD_KAFKA_RESP_ERR__AUTHENTICATION, refused_password);
  EXPECT_FALSE(s.verdict().has_value()) << "another broker may take it";
  s.on_error(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, all_down);
  ASSERT_TRUE(s.verdict().has_value());
  EXPECT_EQ(s.verdict()->code(), errc::authentication_failed);
  EXPECT_EQ(s.verdict()->message(), refused_password);
  EXPECT_EQ(s.state(), link_state::refused);
  EXPECT_EQ(s.broker(), "h1:9093");
}

TEST(kafka_client_state, a_verdict_ends_with_another_error_and_with_an_answer) {
  client_state s;
  s.on_error(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, all_down);
  s.on_error(RD_KAFKA_RESP_ERR__SSL, refused_password);
  EXPECT_EQ(s.verdict().value().code(), errc::tls_failed);
  s.on_error(RD_KAFKA_RESP_ERR__TRANSPORT, refused_dial);
  EXPECT_FALSE(s.verdict().has_value());
  EXPECT_EQ(s.state(), link_state::connecting);
  s.on_error(RD_KAFKA_RESP_ERR__AUTHENTICATION, refused_password);
  EXPECT_TRUE(s.verdict().has_value());
  s.alive();
  EXPECT_FALSE(s.verdict().has_value());
}

TEST(kafka_client_state, without_a_token_no_broker_is_asked) {
  client_state s;
  s.on_error(RD_KAFKA_RESP_ERR__AUTHENTICATION, "Failed to acquire SASL OAUTHBEARER token: why");
  ASSERT_TRUE(s.verdict());
  EXPECT_EQ(s.verdict()->code(), errc::authentication_failed);
  s.alive();
  s.on_error(RD_KAFKA_RESP_ERR__AUTHENTICATION, "Failed to acquire SASL OAUTHBEARER token: why");
  EXPECT_FALSE(s.verdict()) << "what is connected goes on";
}

TEST(kafka_client_state, an_old_librdkafka_may_be_why_scram_fails) {
  client_state s;
  s.on_error(RD_KAFKA_RESP_ERR__AUTHENTICATION, "h:1/bootstrap: invalid credentials with SCRAM-X");
  EXPECT_EQ(s.reason().find("librdkafka 2.6.1 can") != std::string::npos,
            rd_kafka_version() < 0x020601ff);
  s.on_error(RD_KAFKA_RESP_ERR__AUTHENTICATION, refused_password);
  EXPECT_EQ(s.reason(), refused_password);
}

TEST(kafka_client_state, the_broker_is_what_the_text_begins_with) {
  EXPECT_EQ(broker_of("ssl://[::1]:9093/bootstrap: x"), "[::1]:9093");
  EXPECT_EQ(broker_of("h:1/2: x"), "h:1");
  EXPECT_EQ(broker_of("1/1 brokers are down"), "");
  EXPECT_EQ(broker_of("something else: a/b"), "");
  EXPECT_EQ(broker_of(""), "");
}

TEST(kafka_client_state, statistics_say_whether_a_broker_is_up) {
  EXPECT_TRUE(shows_broker_up(R"({"brokers":{"h:1/1":{"name":"h:1/1","state":"UP"}}})"));
  EXPECT_FALSE(shows_broker_up(R"({"brokers":{"h:1/1":{"state":"DOWN"}},"cgrp":{"state":"up"}})"));
  EXPECT_FALSE(shows_broker_up(""));
}

TEST(kafka_client_state, attempts_take_twice_as_long_each_up_to_ten_seconds) {
  EXPECT_EQ(time_for_attempts(0), 0ms);
  EXPECT_EQ(time_for_attempts(-5), 0ms);
  EXPECT_EQ(time_for_attempts(1), 100ms);
  EXPECT_EQ(time_for_attempts(3), 700ms);
  EXPECT_EQ(time_for_attempts(7), 12'700ms);
  EXPECT_EQ(time_for_attempts(8), 22'700ms);
  EXPECT_GT(time_for_attempts(std::numeric_limits<int>::max()), 1h);
}

// ---- errors -------------------------------------------------------------------------------------

TEST(kafka_errors, codes_say_what_the_caller_can_do) {
  EXPECT_EQ(code_of(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), errc::access_refused);
  EXPECT_EQ(code_of(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC), errc::undeliverable);
  EXPECT_EQ(code_of(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), errc::limit_exceeded);
  EXPECT_EQ(code_of(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS), errc::rejected);
  EXPECT_EQ(code_of(RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT), errc::invalid_config);
  EXPECT_EQ(code_of(RD_KAFKA_RESP_ERR_UNKNOWN), errc::broker_error);
}

TEST(kafka_errors, the_text_says_what_may_be_done) {
  EXPECT_EQ(explained(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART),
            "Broker: Unknown topic or partition (UNKNOWN_TOPIC_OR_PART); the topic does not exist, "
            "and the broker has not made it");
  EXPECT_EQ(explained(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE),
            "Broker: Message size too large (MSG_SIZE_TOO_LARGE); see "
            "cpp_rdkafka_producer.message.max.bytes, and max.message.bytes of the topic");
}

TEST(kafka_errors, advice_names_the_setting) {
  EXPECT_THAT(advice(RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT),
              testing::HasSubstr("cpp_rdkafka_consumer.session.timeout.ms"));
  EXPECT_THAT(advice(RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL),
              testing::HasSubstr("cpp_rdkafka_consumer.partition.assignment.strategy"));
  EXPECT_EQ(advice(RD_KAFKA_RESP_ERR__QUEUE_FULL), "");
  EXPECT_EQ(advice(RD_KAFKA_RESP_ERR_UNKNOWN), "");
}

TEST(kafka_errors, a_topic_that_does_not_exist_is_found_in_the_text) {
  EXPECT_EQ(unavailable_topic("Subscribed topic not available: a.info: Broker: Unknown topic or "
                              "partition"),
            "a.info");
  EXPECT_EQ(unavailable_topic("another text: a: b"), "");
}

}  // namespace
}  // namespace oslo::messaging::kafka
