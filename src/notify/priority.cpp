#include <algorithm>
#include <oslo/messaging/notify/priority.hpp>

#include "core/text.hpp"

namespace oslo::messaging::notify {
namespace {

constexpr std::array<std::string_view, 7> names{"audit", "debug",    "info",  "warn",
                                                "error", "critical", "sample"};
constexpr std::array<std::string_view, 7> wire_names{"AUDIT", "DEBUG",    "INFO",  "WARN",
                                                     "ERROR", "CRITICAL", "SAMPLE"};

}  // namespace

std::string_view to_string(priority p) noexcept {
  return names[static_cast<std::size_t>(p)];
}

std::string_view wire_name(priority p) noexcept {
  return wire_names[static_cast<std::size_t>(p)];
}

std::optional<priority> parse_priority(std::string_view text) noexcept {
  for (const priority p : all_priorities) {
    const auto name = to_string(p);
    if (std::equal(text.begin(), text.end(), name.begin(), name.end(),
                   [](char a, char b) { return ascii_lower(a) == b; }))
      return p;
  }
  return std::nullopt;
}

}  // namespace oslo::messaging::notify
