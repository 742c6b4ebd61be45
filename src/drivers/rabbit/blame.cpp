#include "drivers/rabbit/blame.hpp"

#include <string>

namespace oslo::messaging::rabbit {
namespace {

constexpr std::uint16_t class_exchange = 40, class_queue = 50, class_basic = 60;
constexpr std::uint16_t not_found = 404, access_refused = 403;
/// Reply codes with which a broker answers bytes that it cannot take.
constexpr std::uint16_t frame_error = 501, last_hard_error = 506, not_implemented = 540,
                        internal_error = 541;

/// `name` stands right behind the first `before` of the words.
bool first_is(std::string_view words, std::string_view before, const std::string& name) {
  const auto at = words.find(before);
  return at != std::string_view::npos && words.substr(at + before.size()).starts_with(name);
}

}  // namespace

blamed whom(const amqp091::close_reason& why, bool connection) {
  if (why.from != amqp091::close_reason::origin::broker) return blamed::nobody;
  if (why.class_id == class_exchange || why.class_id == class_queue) return blamed::topology;
  if (why.class_id == class_basic) {
    const bool named = why.text.find("exchange '") != std::string::npos;
    return named && (why.code == access_refused || why.code == not_found) ? blamed::destination
                                                                          : blamed::message;
  }
  // Bytes that the broker could not read have no method.
  const bool unreadable = (why.code >= frame_error && why.code <= last_hard_error) ||
                          why.code == not_implemented || why.code == internal_error;
  return connection && why.class_id == 0 && unreadable ? blamed::message : blamed::nobody;
}

bool means(const amqp091::close_reason& why, const destination& to) {
  if (to.to.name.empty()) return false;
  const std::string_view words = why.text;
  if (words.find("topic '") == std::string_view::npos)
    return first_is(words, "exchange '", to.to.name + "'");
  return first_is(words, "topic '", to.routing_key + "' in exchange '" + to.to.name + "'");
}

}  // namespace oslo::messaging::rabbit
