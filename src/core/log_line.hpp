// The form of a line of `stderr_logger`.
#pragma once

#include <chrono>
#include <oslo/messaging/logger.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging {

/// "2026-01-02T03:04:05.006Z WARNING text\n". A line break inside `text` is followed by four spaces
/// and other control characters become \xXX, so that no text can pass for a line of its own.
std::string log_line(std::chrono::system_clock::time_point when, log_level level,
                     std::string_view text);

}  // namespace oslo::messaging
