// The envelope around every message: {"oslo.version": "2.0", "oslo.message": "<inner JSON>"}.
#pragma once

#include <initializer_list>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::wire {

/// Appends the envelope around the inner message, which is given in pieces (each cut between
/// characters) and escaped on the way. Throws `errc::serialization_failed` on invalid UTF-8.
void write_envelope(std::string& out, std::initializer_list<std::string_view> inner);

/// The inner message of a body (docs/wire/envelope.md, ENV-4): what `oslo.message` holds when the
/// body has both keys, else the body itself. The result is not parsed further.
///
/// Fails with `errc::malformed_message` when the body is not a JSON object, when `oslo.message` is
/// not a string, or when the version is not 2.0: "Specified RPC envelope version, 2.1, not
/// supported by this endpoint."
result<std::string> read_envelope(std::string_view body);

/// The same for callers that handle `messaging_error` themselves; replaces `inner`.
void open_envelope(std::string_view body, std::string& inner);

}  // namespace oslo::messaging::wire
