// What a peer sees of an exception that a handler threw.
#pragma once

#include <exception>
#include <oslo/messaging/error.hpp>

namespace oslo::messaging::rpc {

/// The table in rpc/remote_exception.hpp. Bytes that are not UTF-8 become U+FFFD.
remote_failure describe(const std::exception_ptr& error) noexcept;

}  // namespace oslo::messaging::rpc
