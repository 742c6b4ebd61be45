#include <algorithm>
#include <oslo/messaging/doctor.hpp>

namespace oslo::messaging {

std::string_view to_string(severity s) noexcept {
  switch (s) {
    case severity::ok: return "ok";
    case severity::note: return "note";
    case severity::warning: return "warning";
    case severity::error: return "error";
  }
  return "error";
}

bool hurts(std::span<const finding> all) noexcept {
  return std::ranges::any_of(all, [](const finding& f) { return f.level >= severity::warning; });
}

}  // namespace oslo::messaging
