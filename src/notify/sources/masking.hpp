// Hides secrets in what goes to a log.
#pragma once

#include <oslo/messaging/value.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::notify {

/// True for names such as "admin_password", "auth_token", "adminPass", "secret_uuid".
bool names_a_secret(std::string_view key);

/// "***" for every value whose key names a secret, and for what follows "password=", "'token': "
/// and the like inside strings.
value masked(const value& v);

/// The same for one string.
std::string masked_text(std::string_view text);

}  // namespace oslo::messaging::notify
