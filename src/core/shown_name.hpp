// Names of exchanges, queues and keys in errors and log lines.
#pragma once

#include <string>
#include <string_view>

#include "core/utf8.hpp"

namespace oslo::messaging {

/// The most bytes that a name of AMQP may have.
constexpr std::size_t longest_name = 255;

/// As text on one line. One that no broker takes may be of any length: its beginning, and how long
/// it is.
inline std::string shown_name(std::string_view name) {
  constexpr std::size_t enough = 40;
  if (name.size() <= longest_name) return to_one_line(name);
  auto end = enough;
  while (end > enough - 4 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
  return to_one_line(name.substr(0, end)) + "… (" + std::to_string(name.size()) + " bytes)";
}

}  // namespace oslo::messaging
