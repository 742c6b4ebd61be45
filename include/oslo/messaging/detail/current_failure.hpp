// Exceptions of the application's code as failures. Not part of the API.
#pragma once

#include <oslo/messaging/error.hpp>
#include <string_view>

#pragma GCC visibility push(default)

namespace oslo::messaging::detail {

/// The exception that is being handled: the failure of a `messaging_error`, or else `code` with
/// `what` (may be empty) and what the exception says. Precondition: called in a `catch` block.
failure current_failure(errc code, std::string_view what);

}  // namespace oslo::messaging::detail

#pragma GCC visibility pop
