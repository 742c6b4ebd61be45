#include "drivers/kafka/errors.hpp"

#include "core/utf8.hpp"

namespace oslo::messaging::kafka {

errc code_of(rd_kafka_resp_err_t e) noexcept {
  switch (e) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE: return errc::authentication_failed;
    case RD_KAFKA_RESP_ERR__SSL: return errc::tls_failed;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED: return errc::access_refused;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: return errc::undeliverable;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR__QUEUE_FULL: return errc::limit_exceeded;
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT: return errc::timed_out;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN: return errc::unreachable;
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID: return errc::invalid_config;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__INVALID_ARG: return errc::invalid_argument;
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG: return errc::rejected;
    default: return errc::broker_error;
  }
}

std::string_view advice(rd_kafka_resp_err_t e) noexcept {
  switch (e) {
    case RD_KAFKA_RESP_ERR__QUEUE_FULL: return {};
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
      return "; cpp_rdkafka_consumer.session.timeout.ms has to lie between "
             "group.min.session.timeout.ms and group.max.session.timeout.ms of the brokers";
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
      return "; other members of the group use another "
             "cpp_rdkafka_consumer.partition.assignment.strategy";
    default: break;
  }
  switch (code_of(e)) {
    case errc::undeliverable: return "; the topic does not exist, and the broker has not made it";
    case errc::limit_exceeded:
      return "; see cpp_rdkafka_producer.message.max.bytes, and max.message.bytes of the topic";
    default: return {};
  }
}

std::string explained(rd_kafka_resp_err_t e) {
  std::string text = to_valid_utf8(rd_kafka_err2str(e));
  text += " (";
  text += to_valid_utf8(rd_kafka_err2name(e));
  text += ')';
  text += advice(e);
  return text;
}

std::string_view unavailable_topic(std::string_view text) noexcept {
  constexpr std::string_view before = "Subscribed topic not available: ";
  if (!text.starts_with(before)) return {};
  text.remove_prefix(before.size());
  return text.substr(0, text.find(": "));  // no topic holds a colon
}

}  // namespace oslo::messaging::kafka
