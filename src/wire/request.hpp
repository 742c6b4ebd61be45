// Requests and notifications: the inner message, the transport's keys and the flattened context.
#pragma once

#include <chrono>
#include <forward_list>
#include <optional>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging::wire {

/// Begins the keys of the context (docs/wire/rpc.md, RPC-6).
inline constexpr std::string_view context_prefix = "_context_";

/// Sets an entry of the context from its text, with all its digits.
void set_entry(context& out, const message_field& entry);

/// A context of entries that came as text, and of those beside them, which count in their place.
context merged(const std::vector<message_field>& entries, const context& beside);

/// What the transport adds to a request (docs/wire/rpc.md, RPC-1).
struct request_keys {
  std::string_view msg_id{};   ///< names the call; empty for a cast, which has no call keys
  std::string_view reply_q{};  ///< where the reply goes
  /// What the caller accepts between heartbeats, written in seconds; null when absent.
  std::optional<std::chrono::milliseconds> timeout{};
  std::string_view unique_id{};  ///< new for every message, for duplicate detection
};

/// Appends the inner message: the object `inner` with the transport's keys and the context. `inner`
/// is trusted to be JSON without keys of the transport; throws `errc::serialization_failed` when it
/// does not stand in braces, and for text that is not UTF-8. `out` is unspecified after a throw.
void write_inner(std::string& out, std::string_view inner, const context& ctxt,
                 const request_keys& keys);

/// Appends a whole message body: the same in an envelope.
void write_request(std::string& out, std::string_view inner, const context& ctxt,
                   const request_keys& keys);

/// The same for a notification.
void write_notification(std::string& out, std::string_view inner, const context& ctxt,
                        std::string_view unique_id, notification_format f);

/// A request or notification that arrived. All views stay valid for as long as this object or the
/// one it was moved to lives.
struct incoming_request {
  incoming_request() = default;
  incoming_request(incoming_request&&) noexcept = default;
  incoming_request& operator=(incoming_request&&) noexcept = default;

  /// The keys without the transport's own and without the context. Of equal keys the last counts.
  std::vector<message_field> fields;
  /// The context, prefix removed. Equal keys may repeat; the last counts.
  std::vector<message_field> context_fields;
  std::string_view msg_id;     ///< empty: no reply is wanted
  bool msg_id_is_text = true;  ///< else `msg_id` is JSON text of another type
  std::string_view reply_q;    ///< empty: a reply cannot be sent
  std::string_view unique_id;  ///< empty: no duplicate check
  /// Seconds between the heartbeats that the caller asks for.
  std::optional<double> client_timeout;

  /// The context as a tree. Costs a parse; keep it.
  context make_context() const;

  // What the views point into.
  std::string text;  ///< never in the string's own small buffer, so that moving keeps it in place
  std::forward_list<std::string> decoded;
};

/// Reads the body of a request or a notification, enveloped or bare.
///
/// As Python reads them: `_msg_id` is any value; what is false there (null, zero, empty) means
/// none. `_reply_q`: a string, or null or absent for none. `_unique_id`: likewise; of another type
/// its JSON text counts, as every value serves to compare. `_timeout`: a number above zero, also as
/// the text of a whole one; all else means none. Fails with `errc::malformed_message` for another
/// `_reply_q`, for malformed JSON, and as `read_envelope` does.
result<incoming_request> read_request(std::string_view body);

}  // namespace oslo::messaging::wire
