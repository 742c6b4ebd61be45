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

/// Which object and which option the broker's words are about, and what helps; empty: nothing is
/// known. Also for queues that the broker forbids whatever exists (RabbitMQ 4.3).
std::string remedy(std::string_view words);

/// The end of a sentence: what makes every queue durable.
std::string options_of_durable_queues();

/// The same failure, with its remedy.
failure explained(failure why);

}  // namespace oslo::messaging::rabbit
