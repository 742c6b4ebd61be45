// Replies and heartbeats: what goes back to the reply queue of a caller.
#pragma once

#include <optional>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::wire {

/// The caller's name for its call, to be given back as it came.
struct call_id {
  call_id(std::string_view t) : text(t) {}
  call_id(const std::string& t) : text(t) {}
  call_id(const char* t) : text(t) {}
  call_id(std::string_view t, bool is_text_too) : text(t), is_text(is_text_too) {}

  std::string_view text;
  bool is_text = true;  ///< else JSON of another type
};

/// Appends a whole reply body (docs/wire/rpc.md, RPC-16). `reply.result` is trusted to be one JSON
/// value; it is not written (null is) when there is a failure. Throws `errc::serialization_failed`
/// when the result is empty or not UTF-8, and as `write_failure` does. `out` is unspecified after a
/// throw.
void write_reply(std::string& out, const outgoing_reply& reply, call_id msg_id,
                 std::string_view unique_id);

/// Appends the body that says that a call is still worked on (docs/wire/rpc.md, RPC-28).
void write_heartbeat(std::string& out, call_id msg_id, std::string_view unique_id);

struct incoming_reply {
  std::string msg_id;           ///< which call it answers; empty when the peer named none
  std::string unique_id;        ///< empty when the peer sent none
  std::string result = "null";  ///< JSON text
  std::optional<remote_failure> failure;
  /// No further message will come for this call. Peers before 2016 send the result first, without
  /// it, and then a second message with `ending` alone.
  bool ending = false;

  /// Nothing but a sign of life.
  bool is_heartbeat() const noexcept { return !ending && !failure && result == "null"; }
};

/// Reads the body of a reply, enveloped or bare. Keys may be missing. `failure` counts when it is
/// true in Python's sense: a string is read by `read_failure`, an object likewise, anything else
/// becomes the message. `ending` likewise is any true value. An `_msg_id` that is not a string
/// counts as missing. Fails with `errc::malformed_message` for malformed JSON, for a message that
/// is not an object, and as `read_envelope` does.
result<incoming_reply> read_reply(std::string_view body);

}  // namespace oslo::messaging::wire
