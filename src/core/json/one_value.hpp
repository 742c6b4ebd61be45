// Text that other code has written as JSON.
#pragma once

#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging {

/// Throws `messaging_error` (`errc::serialization_failed`) that begins with `what` when the text is
/// something else than one JSON value: a codec of the application has written it, perhaps.
inline void require_one_value(std::string_view what, std::string_view json) {
  try {
    json_reader in(json);
    in.skip_value();
    in.finish();
  } catch (const messaging_error& e) {
    throw messaging_error(
        {errc::serialization_failed,
         std::string(what) + " is not written as one JSON value: " + e.failure().message()});
  }
}

}  // namespace oslo::messaging
