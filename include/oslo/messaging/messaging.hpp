// The whole library.
#pragma once

// IWYU pragma: begin_exports
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/doctor.hpp>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/executor.hpp>
#include <oslo/messaging/fibers.hpp>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/logger.hpp>
#include <oslo/messaging/metrics.hpp>
#include <oslo/messaging/notify.hpp>
#include <oslo/messaging/rpc.hpp>
#include <oslo/messaging/scheduler.hpp>
#include <oslo/messaging/serializer.hpp>
#include <oslo/messaging/target.hpp>
#include <oslo/messaging/this_task.hpp>
#include <oslo/messaging/tracing.hpp>
#include <oslo/messaging/transport.hpp>
#include <oslo/messaging/transport_url.hpp>
#include <oslo/messaging/value.hpp>
#include <oslo/messaging/version.hpp>
// IWYU pragma: end_exports
