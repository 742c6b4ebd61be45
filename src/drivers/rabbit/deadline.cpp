#include "drivers/rabbit/deadline.hpp"

#include <charconv>
#include <string>

namespace oslo::messaging::rabbit {
namespace {

constexpr std::int64_t longest_expiration = 4'294'967'295;  // 49 days

std::optional<std::int64_t> integer(const amqp091::field_table& table, const char* key) {
  const auto* v = table.find(key);
  if (v == nullptr) return std::nullopt;
  if (const auto* n = std::get_if<std::int64_t>(&v->data)) return *n;
  return std::nullopt;
}

}  // namespace

void set_call_time(amqp091::properties& p, const wire::call_time& t) {
  // RabbitMQ closes the channel over a longer one.
  if (*t.limit_ms <= longest_expiration)
    p.expiration = std::to_string(*t.limit_ms);
  else
    p.expiration.reset();
  if (!p.headers) p.headers.emplace();
  p.headers->set(wire::limit_header, *t.limit_ms);
  p.headers->set(wire::sent_header, *t.sent_ms);
  p.headers->set(wire::sender_header, *t.sender);
}

wire::call_time call_time_of(const amqp091::properties& p) {
  if (p.headers) {
    if (const auto limit = integer(*p.headers, wire::limit_header))
      return {.limit_ms = limit,
              .sent_ms = integer(*p.headers, wire::sent_header),
              .sender = integer(*p.headers, wire::sender_header)};
  }
  if (!p.expiration) return {};
  std::int64_t ms = 0;
  const auto& text = *p.expiration;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (ec != std::errc() || end != text.data() + text.size()) return {};
  return {.limit_ms = ms};
}

}  // namespace oslo::messaging::rabbit
