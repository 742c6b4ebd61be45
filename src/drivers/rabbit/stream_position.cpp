#include "drivers/rabbit/stream_position.hpp"

#include <limits>
#include <type_traits>
#include <utility>
#include <variant>

namespace oslo::messaging::rabbit {

amqp091::field_value stream_position::argument() const {
  if (next_) return static_cast<std::int64_t>(*next_);
  if (!since_) return "next";
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(since_->time_since_epoch()).count();
  return amqp091::timestamp{static_cast<std::uint64_t>(seconds)};
}

std::optional<std::uint64_t> stream_position::offset_in(const amqp091::field_table* headers) {
  const auto* const value = headers == nullptr ? nullptr : headers->find("x-stream-offset");
  if (value == nullptr) return std::nullopt;
  return std::visit(
      [](const auto& n) -> std::optional<std::uint64_t> {
        using number = std::decay_t<decltype(n)>;
        if constexpr (std::is_integral_v<number> && !std::is_same_v<number, bool>)
          // The one behind it has to fit, too.
          if (n >= 0 && std::cmp_less(n, std::numeric_limits<std::int64_t>::max()))
            return static_cast<std::uint64_t>(n);
        return std::nullopt;
      },
      value->data);
}

}  // namespace oslo::messaging::rabbit
