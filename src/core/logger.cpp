#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "core/log_line.hpp"
#include "core/utf8.hpp"

namespace oslo::messaging {
namespace {

void write_to_stderr(std::string_view line) noexcept {
  while (!line.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // there is no other place to report this to
    line.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// One character that moves the cursor or worse.
bool terminal_obeys(std::string_view c) noexcept {
  return c != "\t" &&
         is_control_character(utf8_character(c.data(), static_cast<unsigned>(c.size())));
}

void append_hex(std::string& line, std::string_view bytes) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    line += "\\x";
    line += "0123456789abcdef"[byte >> 4];
    line += "0123456789abcdef"[byte & 15];
  }
}

}  // namespace

std::string_view to_string(log_level level) noexcept {
  switch (level) {
    case log_level::trace: return "TRACE";
    case log_level::debug: return "DEBUG";
    case log_level::info: return "INFO";
    case log_level::warning: return "WARNING";
    case log_level::error: return "ERROR";
    case log_level::off: return "OFF";
  }
  return "UNKNOWN";
}

std::string log_line(std::chrono::system_clock::time_point when, log_level level,
                     std::string_view text) {
  using namespace std::chrono;
  const auto day = floor<days>(when);
  const year_month_day date{day};
  const hh_mm_ss time{floor<milliseconds>(when - day)};
  char stamp[40];
  const int length = std::snprintf(
      stamp, sizeof stamp, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
      static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  std::string line(stamp, static_cast<std::size_t>(length));
  line.append(to_string(level)).append(1, ' ');
  while (text.ends_with('\n')) text.remove_suffix(1);
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p != end;) {
    const auto part = next_utf8(p, end, surrogates::refuse);
    const std::string_view c(p, part.length);
    p += part.length;
    if (c == "\n")
      line += "\n    ";
    else if (!part.valid || terminal_obeys(c))
      append_hex(line, c);
    else
      line += c;
  }
  return line += '\n';
}

logger stderr_logger(log_level level) {
  return {level, [](log_level l, std::string_view text) {
            write_to_stderr(log_line(std::chrono::system_clock::now(), l, text));
          }};
}

}  // namespace oslo::messaging
