#include "protocol/read_patience.hpp"

#include <algorithm>

namespace oslo::messaging::protocol {
namespace {

/// Some 10 and 50 confirms.
struct bulk {
  int bytes;
  std::chrono::milliseconds at_most;
};
constexpr bulk bulks[] = {
    {1, {}}, {210, std::chrono::milliseconds(1)}, {1024, std::chrono::milliseconds(20)}};

}  // namespace

std::optional<int> read_patience::want(patience p, instant now) {
  if (overdue_) p = patience::none;
  if (p == now_ || !enabled_) return std::nullopt;
  now_ = p;
  const auto& [bytes, at_most] = bulks[static_cast<std::size_t>(p)];
  // A wait that ends sooner does as well, and is cheaper than another one.
  if (p != patience::none) until_ = std::min(until_, now + at_most);
  return bytes;
}

std::optional<int> read_patience::on_tick(instant now) {
  if (now < until_) return std::nullopt;
  until_ = instant::max();
  if (now_ == patience::none) return std::nullopt;
  overdue_ = true;
  return want(patience::none, now);
}

void read_patience::disable() noexcept {
  enabled_ = false;
  until_ = instant::max();
}

}  // namespace oslo::messaging::protocol
