#include "protocol/copy_report.hpp"

#include <utility>

namespace oslo::messaging::protocol {

std::optional<std::string> copy_report::ignored(std::string_view unique_id, instant now) {
  if (now < quiet_until_ || counted_ != 0) {
    ++counted_;
    return std::nullopt;
  }
  quiet_until_ = now + period;
  return "Ignoring duplicate message " + std::string(unique_id) + ".";
}

std::optional<std::string> copy_report::on_tick(instant now) {
  if (now < next_deadline()) return std::nullopt;
  quiet_until_ = now + period;
  const auto more = std::exchange(counted_, 0);
  return "Ignored " + std::to_string(more) + " more duplicate message" + (more == 1 ? "" : "s") +
         " within " + std::to_string(period.count()) + " s.";
}

}  // namespace oslo::messaging::protocol
