// The inner message of a request (spec section 3.3).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace oslo::messaging::rpc {

/// {"method": …, "args": …, "namespace": …, "version": …}; the last two only when given.
/// `args_json` is taken as it is. Throws `messaging_error` (`errc::serialization_failed`) when a
/// name is not UTF-8.
std::string request_text(std::string_view method, std::string_view args_json,
                         const std::optional<std::string>& namespace_,
                         const std::optional<std::string>& version);

}  // namespace oslo::messaging::rpc
