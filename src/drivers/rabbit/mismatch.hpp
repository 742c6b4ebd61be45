// What a user can do about a queue or exchange that exists with other properties (406).
#pragma once

#include <optional>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::rabbit {

/// One property in which a declaration differs from what exists.
struct mismatch {
  std::string kind;      ///< "queue" or "exchange"
  std::string name;      ///< of the object
  std::string argument;  ///< "durable", "auto_delete", "type", "x-max-length", …
  std::string ours;      ///< as the broker writes it: "true", "10", "none"
  std::string theirs;
};

/// Reads RabbitMQ's words: "… inequivalent arg 'durable' for queue 'q' in vhost '/': received
/// 'true' but current is 'false'". None for any other text.
std::optional<mismatch> read_mismatch(std::string_view words);

/// The same failure; one of a mismatch also says which object and which option it is about, and
/// what helps.
failure explained(failure why);

}  // namespace oslo::messaging::rabbit
