// What errors of librdkafka mean to those who send and listen.
#pragma once

#include <librdkafka/rdkafka.h>

#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::kafka {

/// By what the caller can do about it. `errc::broker_error` for what is not known here.
errc code_of(rd_kafka_resp_err_t e) noexcept;

/// What may be done about it, as the end of a sentence; empty: not known.
std::string_view advice(rd_kafka_resp_err_t e) noexcept;

/// "Broker: Topic authorization failed (TOPIC_AUTHORIZATION_FAILED)", and what may be done where
/// that is known.
std::string explained(rd_kafka_resp_err_t e);

/// The topic that librdkafka's text about a subscription is about; empty: the text is another.
std::string_view unavailable_topic(std::string_view text) noexcept;

}  // namespace oslo::messaging::kafka
