// The seven priorities of notifications.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

/// How important a notification is, and which queue it goes to (docs/wire/notifications.md, NTF-7).
enum class priority : std::uint8_t { audit, debug, info, warn, error, critical, sample };

/// In the order of the enumerators.
inline constexpr std::array<priority, 7> all_priorities{
    priority::audit, priority::debug,    priority::info,  priority::warn,
    priority::error, priority::critical, priority::sample};

/// "info": as in names of queues and of handlers.
std::string_view to_string(priority p) noexcept;
/// "INFO": as in the message itself.
std::string_view wire_name(priority p) noexcept;
/// Reads either form, in any case ("INFO", "info"); none for anything else.
std::optional<priority> parse_priority(std::string_view text) noexcept;

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
