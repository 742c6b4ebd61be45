// The messages of Python's last zmq driver (docs/wire/zmq.md): frames and bodies, without I/O.
#pragma once

#include <oslo/messaging/context.hpp>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging::zmq {

/// The frames of one message, the identity of the sender left out.
using frames = std::vector<std::string>;
using frame_views = std::span<const std::string_view>;

/// The second frame of every message of these peers.
inline constexpr std::string_view old_version = "1.0";

enum class old_type { call = 1, cast = 2, fanout = 3, notification = 4, reply = 5, ack = 6 };

struct old_message {
  old_type type{};
  std::string_view id;
  std::string_view body;  ///< empty: an acknowledgement
};

/// Reads the frames behind the identity: "", version, type, id, body. Fails with
/// `errc::malformed_message`, which names the frame.
result<old_message> read_old_frames(frame_views in);
frames write_old_frames(old_type type, std::string_view id, std::string body);

/// A request or notification as these peers write it: `[context, message]`.
struct old_request {
  old_request() = default;
  old_request(old_request&&) noexcept = default;
  old_request& operator=(old_request&&) noexcept = default;

  std::vector<message_field> fields;  ///< of equal keys the last one
  context ctxt;
  std::string_view message;  ///< the whole object, as text

  // What the views point into; on the heap, so that moving keeps it in place.
  std::unique_ptr<const std::string> text;
  std::vector<std::unique_ptr<const std::string>> decoded;
};

/// Fails with `errc::malformed_message`. A context of null is an empty one.
result<old_request> read_old_request(std::string_view body);

/// Keys `_context_K` of `inner` become entries of the context, where `ctxt` has none of that name.
/// Throws `errc::serialization_failed` when `inner` is not one JSON object.
std::string write_old_request(std::string_view inner, const context& ctxt);

/// `[result, failure]`; a failure is the text of its JSON.
std::string write_old_reply(const outgoing_reply& r);
/// Fails with `errc::malformed_message`, and with the peer's exception.
result<reply> read_old_reply(std::string_view body);

}  // namespace oslo::messaging::zmq
