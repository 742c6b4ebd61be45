// How far a message came before its time ran out.
#pragma once

#include <cstdint>
#include <string_view>

namespace oslo::messaging {

/// The names of `failure_detail::stage`: one list for all drivers.
enum class send_stage : std::uint8_t {
  connecting,  ///< no connection to the bus
  blocked,     ///< the broker takes no messages from this connection
  queued,      ///< in this process, behind others
  sent,        ///< on the wire, not confirmed
  returned,    ///< nobody listens; tried again until the end
  refused,     ///< the bus could not take it; tried again until the end
  confirmed,   ///< the bus has it; no reply came
  waiting,     ///< the same on a bus that confirms nothing
  monitor,     ///< the server's heartbeats have ended
};

constexpr std::string_view to_string(send_stage s) noexcept {
  switch (s) {
    case send_stage::connecting: return "connecting";
    case send_stage::blocked: return "blocked";
    case send_stage::queued: return "queued";
    case send_stage::sent: return "sent";
    case send_stage::returned: return "returned";
    case send_stage::refused: return "refused";
    case send_stage::confirmed: return "confirmed";
    case send_stage::waiting: return "waiting";
    case send_stage::monitor: return "monitor";
  }
  return "unknown";
}

}  // namespace oslo::messaging
