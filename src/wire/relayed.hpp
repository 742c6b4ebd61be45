// Inner messages that somebody else has written, and the keys in them that are the transport's.
#pragma once

#include <oslo/messaging/driver.hpp>
#include <string>

namespace oslo::messaging::wire {

/// Takes the transport's own keys out of an inner message (docs/wire/additions.md, ADD-17); one
/// without any is not touched. Throws `errc::serialization_failed` when it is not one JSON object.
void remove_own_keys(std::string& inner);

/// The same for a notification, which is refused likewise when it would be read as an envelope.
void remove_own_keys(std::string& inner, notification_format f);

}  // namespace oslo::messaging::wire
