#include <oslo/messaging/health.hpp>

namespace oslo::messaging {

std::string_view to_string(link_state s) noexcept {
  switch (s) {
    case link_state::idle: return "idle";
    case link_state::connecting: return "connecting";
    case link_state::connected: return "connected";
    case link_state::blocked: return "blocked";
    case link_state::refused: return "refused";
    case link_state::closed: return "closed";
  }
  return "unknown";
}

}  // namespace oslo::messaging
