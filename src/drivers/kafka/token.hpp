// Tokens of SASL OAUTHBEARER, which somebody else renews in a file.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::kafka {

struct oauth_token {
  std::string text;          ///< as it is sent
  std::string principal;     ///< claim "sub"; may be empty
  std::int64_t expires = 0;  ///< claim "exp", in milliseconds since 1970
};

/// Reads a JSON Web Token. Its signature is the broker's to verify. Fails with
/// `errc::invalid_config` for what is none, or has no time at which it expires.
result<oauth_token> parse_token(std::string_view text);

/// The token in a file, blanks around it removed; its text is in no error.
result<oauth_token> read_token(const std::string& file);

/// Answers an event of type RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH. Without a file, or with one
/// that cannot be used, librdkafka reports why and asks again ten seconds later.
void give_token(rd_kafka_t* client, const std::string& file);

}  // namespace oslo::messaging::kafka
