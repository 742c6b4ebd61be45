// Messages of AMQP 1.0 as bytes: the sections that oslo's driver writes and reads.
#pragma once

#include <cstdint>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/deadline.hpp"

namespace oslo::messaging::amqp1 {

/// What stands before the body. Empty texts are left out.
struct message_head {
  std::optional<std::uint32_t> ttl_ms{};
  std::string_view message_id{};
  std::string_view to{};
  std::string_view reply_to{};
  /// A value of AMQP as it came (`incoming_sections::message_id`), or empty.
  std::string_view correlation_id{};
  /// Ours; peers in Python ignore them.
  std::span<const message_header> headers{};
  wire::call_time time{};
};

/// Appends the message: one string as its body, or null (a heartbeat) without one. Precondition:
/// every text is UTF-8.
void write_message(std::string& out, const message_head& head,
                   std::optional<std::string_view> body);

/// A text as a value of AMQP, for `message_head::correlation_id`.
std::string encoded_text(std::string_view text);

/// A message that arrived. Views into its bytes.
struct incoming_sections {
  enum class body_kind : std::uint8_t {
    null,   ///< none, or null
    text,   ///< a string, or bytes in one section
    other,  ///< what no peer of oslo sends
  };

  std::optional<std::uint32_t> ttl_ms{};
  std::uint32_t delivery_count = 0;    ///< attempts before this one that failed
  std::string_view message_id{};       ///< the value as it came, to be given back; empty: none
  std::string_view message_id_text{};  ///< the same when it is a string
  std::string_view reply_to{};
  std::string_view correlation_id{};      ///< when it is a string
  std::vector<message_header> headers{};  ///< application properties that are text
  wire::call_time time{};
  body_kind kind = body_kind::null;
  std::string_view body{};
};

/// Fails with `errc::malformed_message`. Sections and properties that are not known are skipped.
/// Reads at most `most_values` values of application properties, `most_depth` levels deep.
result<incoming_sections> read_message(std::string_view bytes);

inline constexpr std::size_t most_values = 16'384;
inline constexpr unsigned most_depth = 32;

}  // namespace oslo::messaging::amqp1
