// The erased core under every face of the client: text in, text out. Not part of the API.
#pragma once

#include <optional>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/rpc/method.hpp>
#include <stop_token>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc {

class client;

namespace detail {

/// What differs from call to call.
struct start_options {
  std::optional<method_version> since{};  ///< version of the `method`
  std::stop_token cancel{};  ///< ends the wait with `errc::cancelled`; the handler may still run
};

/// Why there is no loop that could complete anything: in a child of the process that opened the
/// transport (`errc::wrong_process`), and for a client that was moved from.
std::optional<failure> cannot_start(const client& c);

/// Precondition: `args_json` is one JSON value. `done` is called exactly once on the transport's
/// loop, never before this returned; it gets the result as JSON text. Errors come through `done`
/// only, also `errc::invalid_argument` for a value that is no object. What `done` throws is an
/// error line in the log of the loop. Where `cannot_start` says why, `done` gets that before this
/// returns.
void start_call(const client& c, std::string_view method, context&& ctxt,
                std::string_view args_json, start_options o,
                unique_function<void(result<std::string>)> done);
void start_cast(const client& c, std::string_view method, context&& ctxt,
                std::string_view args_json, start_options o,
                unique_function<void(result<void>)> done);

}  // namespace detail
}  // namespace oslo::messaging::rpc

#pragma GCC visibility pop
