// The form of a line of `stderr_logger`.
#pragma once

#include <chrono>
#include <oslo/messaging/logger.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging {

/// "2026-01-02T03:04:05.006Z WARNING text\n". A line break inside `text` is followed by four spaces
/// and the bytes of other control characters, and those that are not UTF-8, become \xXX, so that no
/// text can pass for a line of its own, or for a command to a terminal.
std::string log_line(std::chrono::system_clock::time_point when, log_level level,
                     std::string_view text);

}  // namespace oslo::messaging
