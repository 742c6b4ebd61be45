// Lines of librdkafka's log.
#pragma once

#include <librdkafka/rdkafka.h>

#include <oslo/messaging/logger.hpp>

namespace oslo::messaging::kafka {

/// Writes an event of type RD_KAFKA_EVENT_LOG.
void log_event(const logger& log, rd_kafka_event_t& e);

}  // namespace oslo::messaging::kafka
