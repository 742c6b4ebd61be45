// Notifications: what happened, told to whoever listens.
#pragma once

// IWYU pragma: begin_exports
#include <oslo/messaging/notify/context_rules.hpp>
#include <oslo/messaging/notify/endpoint.hpp>
#include <oslo/messaging/notify/filter.hpp>
#include <oslo/messaging/notify/listener.hpp>
#include <oslo/messaging/notify/log_notifier.hpp>
#include <oslo/messaging/notify/notification.hpp>
#include <oslo/messaging/notify/notification_driver.hpp>
#include <oslo/messaging/notify/notifier.hpp>
#include <oslo/messaging/notify/options.hpp>
#include <oslo/messaging/notify/outbox.hpp>
#include <oslo/messaging/notify/priority.hpp>
#include <oslo/messaging/notify/request_notifier.hpp>
#include <oslo/messaging/notify/responder.hpp>
#include <oslo/messaging/notify/test_driver.hpp>
// IWYU pragma: end_exports
