// A notification that arrived.
#pragma once

#include <optional>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/convert.hpp>
#include <oslo/messaging/notify/priority.hpp>
#include <string>

namespace oslo::messaging::notify {

/// What a handler says of a notification.
enum class outcome {
  handled,  ///< done with it
  requeue,  ///< deliver it again; only with `listener_options::allow_requeue`
};

/// One notification, as handlers see it. A publisher of another program may leave out or misuse any
/// field: none stands for one that is missing, null or not text.
struct notification {
  context ctxt{};
  notify::priority priority = notify::priority::info;
  std::optional<std::string> publisher_id{};
  std::optional<std::string> event_type{};
  std::string payload_json = "null";  ///< one JSON value
  std::optional<std::string> message_id{};
  std::optional<std::string> timestamp{};

  /// The payload as a C++ type. Throws `messaging_error` (`errc::malformed_message`) with the path
  /// of what does not fit, as in "payload.ram: expected int, got string".
  template <class P>
  P payload() const {
    return from_json<P>(payload_json, "payload");
  }
};

/// A notification of a batch whose payload has been read: what a handler of batches gets when it
/// takes a `std::span<const typed_notification<P>>`. Valid as long as the batch.
template <class P>
struct typed_notification {
  const notification& about;
  P payload;
};

}  // namespace oslo::messaging::notify
