// A notification that arrived.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/convert.hpp>
#include <oslo/messaging/notify/priority.hpp>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

/// What a handler says of a notification.
enum class outcome {
  handled,  ///< done with it
  requeue,  ///< deliver it again; only with `listener_options::allow_requeue`
};

/// Names of headers of a dead letter (`listener_options::dead_letters`): what its handler threw,
/// and how many deliveries had ended in a requeue.
inline constexpr std::string_view dead_letter_error = "oslo-dead-letter-error";
inline constexpr std::string_view dead_letter_requeues =
    "oslo-dead-letter-requeues";  ///< see `dead_letter_error`

namespace detail {

/// A payload that is not what the handler reads it as. It never will be, however often it is
/// delivered.
class wrong_payload : public messaging_error {
 public:
  wrong_payload(messaging::failure why, const std::string& payload_json)
      : messaging_error(std::move(why)),
        payload_json_(std::make_shared<const std::string>(payload_json)) {}
  const std::shared_ptr<const std::string>& payload_json() const noexcept { return payload_json_; }

 private:
  std::shared_ptr<const std::string> payload_json_;
};

}  // namespace detail

/// One notification, as handlers see it. A publisher of another program may leave out or misuse any
/// field: none stands for one that is missing, null or not text.
struct notification {
  context ctxt{};                                      ///< of the publisher, deserialized
  notify::priority priority = notify::priority::info;  ///< by the queue that it came from
  std::optional<std::string> publisher_id{};           ///< "compute.host1"
  std::optional<std::string> event_type{};             ///< "instance.create.end"
  std::string payload_json = "null";                   ///< one JSON value
  std::optional<std::string> message_id{};             ///< its identity, for the removal of doubles
  /// as the publisher wrote it: "2026-01-02 03:04:05.678901"
  std::optional<std::string> timestamp{};
  /// Texts that the bus carries beside the message, such as those of a dead letter.
  std::map<std::string, std::string, std::less<>> headers{};

  /// The payload as a C++ type. Throws `messaging_error` (`errc::malformed_message`) with the path
  /// of what does not fit, as in "payload.ram: expected int, got string". A handler that lets this
  /// exception through has handled the message, as if it took its payload as that type.
  template <class P>
  P payload() const {
    auto read = try_from_json<P>(payload_json, "payload");
    if (!read) throw detail::wrong_payload(read.error(), payload_json);
    return *std::move(read);
  }
};

/// A notification of a batch whose payload has been read: what a handler of batches gets when it
/// takes a `std::span<const typed_notification<P>>`. Valid as long as the batch.
template <class P>
struct typed_notification {
  const notification& about;  ///< all but the payload
  P payload;                  ///< read from `about.payload_json`
};

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
