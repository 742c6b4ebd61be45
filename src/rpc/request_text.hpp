// The inner message of a request (docs/wire/rpc.md, RPC-1).
#pragma once

#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/value.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::rpc {

/// {"method": …, "args": …, "namespace": …, "version": …}; the last two only when given.
/// `args_json` is taken as it is. Throws `messaging_error` (`errc::serialization_failed`) when a
/// name is not UTF-8.
std::string request_text(std::string_view method, std::string_view args_json,
                         const std::optional<std::string>& namespace_,
                         const std::optional<std::string>& version);

/// Why a JSON value is no arguments: they are an object. None when it is one.
std::optional<failure> not_arguments(std::string_view args_json);

/// What a serializer makes of a JSON text. One that it gives back unchanged stays as it was, so
/// that integers beyond 64 bits, which a `value` cannot hold, keep their digits.
std::string translate(std::string_view json, unique_function<value(value)> by);

/// The object `args_json` with the value of each argument replaced by what `each` makes of it,
/// which is how a serializer sees them. Throws `messaging_error` when it is not one object.
std::string translate_arguments(std::string_view args_json, unique_function<value(value)> each);

}  // namespace oslo::messaging::rpc
