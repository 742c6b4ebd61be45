#include "drivers/rabbit/deadline.hpp"

#include <charconv>
#include <string>

namespace oslo::messaging::rabbit {
namespace {

// Short enough to need no allocation.
constexpr const char* limit_header = "oslo-timeout-ms";
constexpr const char* sent_header = "oslo-sent-ms";

constexpr std::int64_t longest_expiration = 4'294'967'295;  // 49 days

/// Beyond this a limit is none, and sums stay far from overflow.
constexpr std::int64_t longest = std::int64_t{366} * 24 * 3600 * 1000;

std::optional<std::int64_t> integer(const amqp091::field_table& table, const char* key) {
  const auto* v = table.find(key);
  if (v == nullptr) return std::nullopt;
  if (const auto* n = std::get_if<std::int64_t>(&v->data)) return *n;
  return std::nullopt;
}

std::optional<milliseconds> in_range(std::int64_t ms) {
  if (ms < 0 || ms > longest) return std::nullopt;
  return milliseconds(ms);
}

}  // namespace

void set_time_left(amqp091::properties& p, milliseconds left, wall_time now) {
  // RabbitMQ closes the channel over a longer one.
  if (left.count() <= longest_expiration)
    p.expiration = std::to_string(left.count());
  else
    p.expiration.reset();
  if (!p.headers) p.headers.emplace();
  p.headers->set(limit_header, std::int64_t{left.count()});
  p.headers->set(sent_header, std::int64_t{now.time_since_epoch().count()});
}

std::optional<milliseconds> time_left(const amqp091::properties& p, wall_time now) {
  if (p.headers) {
    if (const auto limit = integer(*p.headers, limit_header)) {
      const auto whole = in_range(*limit);
      const auto sent = integer(*p.headers, sent_header);
      if (!whole || !sent) return whole;
      const auto wall = now.time_since_epoch().count();
      if (*sent < 0 || *sent > wall) return whole;
      const milliseconds queued(wall - *sent);
      return queued > *whole ? *whole : *whole - queued;
    }
  }
  if (!p.expiration) return std::nullopt;
  std::int64_t ms = 0;
  const auto& text = *p.expiration;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return in_range(ms);
}

}  // namespace oslo::messaging::rabbit
