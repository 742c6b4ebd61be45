// The value of a record: oslo's envelope, with the context as one key of the inner message.
#pragma once

#include <oslo/messaging/context.hpp>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>

#include "wire/request.hpp"

namespace oslo::messaging::kafka {

/// Makes a text that somebody else has written one for `write_body`: without the transport's own
/// keys, and with the context that it holds, as keys `_context_K` or as the object `_context`, in
/// `m.ctxt`, whose entries count more. Throws `errc::serialization_failed` for what is no JSON
/// object, and for a bare one that looks like an envelope.
void take_context(outgoing_message& m, notification_format f);

/// Appends the value of a record (docs/wire/kafka.md, KAF-3): `inner` and the context in an
/// envelope. Throws `errc::serialization_failed` when `inner` does not stand in braces, and for
/// text that is not UTF-8.
void write_body(std::string& out, std::string_view inner, const context& ctxt);

/// A notification that arrived.
struct incoming_body {
  wire::incoming_request message;  ///< its fields do not hold the context
  context ctxt;
};

/// The inner message as other buses have it, each entry of the context a key of its own: what a
/// relay may pass on to any of them.
std::string portable_text(const incoming_body& b);

/// Reads the value of a record, enveloped or bare. A context that is missing or null is empty.
/// Fails with `errc::malformed_message` as `wire::read_request` does, and for a context that is
/// anything else than an object.
result<incoming_body> read_body(std::string_view value);

}  // namespace oslo::messaging::kafka
