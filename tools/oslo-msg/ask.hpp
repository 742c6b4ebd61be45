// One call or cast, text in and text out, waited for.
#pragma once

#include <oslo/messaging/rpc/client.hpp>
#include <string>

namespace oslo::messaging::cli {

// The library ends each call, and each cast with a timeout, at its own deadline.
result<std::string> call_text(const rpc::client& client, const std::string& method, context ctxt,
                              const std::string& args_json);
result<void> cast_text(const rpc::client& client, const std::string& method, context ctxt,
                       const std::string& args_json);

}  // namespace oslo::messaging::cli
