// The JSON texts that are the bodies of oslo's messages over AMQP 1.0.
#pragma once

#include <chrono>
#include <optional>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>

#include "wire/request.hpp"

namespace oslo::messaging::amqp1 {

/// Moves entries of the context that stand in the request, as over other buses (keys `_context_K`),
/// to the context; one of that name in `ctxt` counts in their place. `request` is trusted to be one
/// JSON object.
void take_context(std::string& request, context& ctxt);

/// Appends `{"request": …, "context": …}`, and the seconds between heartbeats when they are asked
/// for. `request` is trusted to be one JSON object; throws `errc::serialization_failed` when it is
/// not UTF-8.
void write_request(std::string& out, std::string_view request, const context& ctxt,
                   std::optional<std::chrono::milliseconds> call_monitor_timeout = {});

/// The same for a notification.
void write_notification(std::string& out, std::string_view request, const context& ctxt,
                        notification_format f);

/// Appends `{"response": …}` or `{"failure": "…"}`. Throws `errc::serialization_failed` when the
/// result is empty or not UTF-8, or the failure as JSON is no object.
void write_reply(std::string& out, const outgoing_reply& reply);

/// Reads a request or a notification, its message enveloped or bare. Of the members of
/// `wire::incoming_request` those that AMQP itself carries stay empty. Fails with
/// `errc::malformed_message`.
result<wire::incoming_request> read_request(std::string_view body);

/// Appends the message that was read as it is on other buses: one object with the transport's keys
/// and the context. Throws `errc::serialization_failed`.
void write_whole(std::string& out, const wire::incoming_request& r, const context& ctxt,
                 const wire::request_keys& keys);

/// What a call gets: the JSON text of the result, or `errc::remote_error`. Fails with
/// `errc::malformed_message` for what is no reply.
result<reply> read_reply(std::string_view body);

}  // namespace oslo::messaging::amqp1
