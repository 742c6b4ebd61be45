// What of a request's context may travel with a notification.
#pragma once

#include <functional>
#include <oslo/messaging/context.hpp>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

/// Makes the context that is sent from the one that is given. Listeners may be services that must
/// not see a user's tokens. Called from any thread.
using context_rule = std::function<context(const context&)>;

/// Sends no context: what the newest oslo.messaging does with a plain dict.
context no_context(const context& given);

/// Sends only the keys that oslo.messaging 14.0.3 lets through: user, project, domain, roles,
/// request id and their kin; never a token.
context known_keys(const context& given);

/// Sends everything. For contexts that never hold a secret.
context whole_context(const context& given);

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
