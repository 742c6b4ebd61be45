#include "drivers/rabbit/blame.hpp"

#include <string>

#include "protocol/amqp091/spec.hpp"

namespace oslo::messaging::rabbit {
namespace {

namespace class_id = amqp091::class_id;
namespace reply_code = amqp091::reply_code;

/// `name` stands right behind the first `before` of the words.
bool first_is(std::string_view words, std::string_view before, const std::string& name) {
  const auto at = words.find(before);
  return at != std::string_view::npos && words.substr(at + before.size()).starts_with(name);
}

}  // namespace

bool forbids_transient_queues(const amqp091::close_reason& why) {
  return why.from == amqp091::close_reason::origin::broker &&
         why.code == reply_code::internal_error && why.class_id != class_id::basic &&
         forbids_transient_queues(why.text);
}
bool forbids_transient_queues(std::string_view words) {
  return words.find("`transient_nonexcl_queues`") != std::string_view::npos;
}

bool finds_no_channel(const amqp091::close_reason& why) {
  return why.from == amqp091::close_reason::origin::broker && why.code == reply_code::not_allowed &&
         why.text.find("number of channels ") != std::string::npos;
}

blamed whom(const amqp091::close_reason& why, bool connection) {
  if (why.from != amqp091::close_reason::origin::broker) return blamed::nobody;
  if (forbids_transient_queues(why)) return blamed::topology;
  if (why.class_id == class_id::exchange || why.class_id == class_id::queue)
    return blamed::topology;
  if (why.class_id == class_id::basic) {
    const bool named = why.text.find("exchange '") != std::string::npos;
    return named && (why.code == reply_code::access_refused || why.code == reply_code::not_found)
               ? blamed::destination
               : blamed::message;
  }
  // Bytes that the broker could not read have no method.
  const bool unreadable =
      (why.code >= reply_code::frame_error && why.code <= reply_code::resource_error) ||
      why.code == reply_code::not_implemented || why.code == reply_code::internal_error;
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
