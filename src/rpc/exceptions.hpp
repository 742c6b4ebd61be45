// What a peer sees of an exception that a handler threw.
#pragma once

#include <exception>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/rpc/exception_table.hpp>
#include <oslo/messaging/rpc/remote_exception.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::rpc {

/// A Python exception made from its message alone, as most are. Bytes that are not UTF-8 become
/// U+FFFD.
remote_failure make_failure(std::string_view module, std::string_view type,
                            std::string_view message);

/// The name of oslo's class for a failure of this library: "MessagingTimeout".
std::string_view class_name(errc code) noexcept;

/// What rpc/remote_exception.hpp says. `table` may be null. A traceback is there only when the
/// exception brought one from a peer.
remote_failure describe(const std::exception_ptr& error,
                        const exception_table* table = nullptr) noexcept;

/// Gives `f`, the description of `error`, the traceback of that length. `place` says where the
/// exception was thrown, for full ones: `method "add" of <Target topic=calc, server=host1>`.
void add_traceback(remote_failure& f, const std::exception_ptr& error, tracebacks length,
                   const exception_table* table, std::string_view place) noexcept;

}  // namespace oslo::messaging::rpc
