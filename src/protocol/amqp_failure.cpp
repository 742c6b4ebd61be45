#include "protocol/amqp_failure.hpp"

#include <algorithm>

#include "core/utf8.hpp"
#include "protocol/amqp091/spec.hpp"

namespace oslo::messaging::protocol {
namespace {

namespace reply_code = amqp091::reply_code;
using amqp091::method;

/// The broker does not offer our login mechanism: it broke nothing, and an operator has to act.
bool cannot_log_in(const amqp091::close_reason& why) {
  return why.from == amqp091::close_reason::origin::protocol &&
         why.code == reply_code::access_refused;
}

/// A login that is refused is the connection's, or that of the two methods that carry it.
bool is_about_login(const amqp091::close_reason& why) {
  return why.class_id == amqp091::class_id::connection || why.class_id == 0 ||
         why.method_id == method_of(method::connection_start_ok) ||
         why.method_id == method_of(method::connection_secure_ok);
}

bool says(const amqp091::close_reason& why, std::string_view words) {
  return why.text.find(words) != std::string::npos;
}

/// Of connections (530) or queues (406): "… limit (10) is reached". There may be room in a moment.
bool is_limit(const amqp091::close_reason& why) {
  return says(why, "limit") && says(why, "is reached");
}

errc classify(const amqp091::close_reason& why) {
  switch (why.from) {
    case amqp091::close_reason::origin::local: return errc::closed;
    case amqp091::close_reason::origin::transport:
    case amqp091::close_reason::origin::heartbeat:
    case amqp091::close_reason::origin::deaf:
    case amqp091::close_reason::origin::timeout: return errc::unreachable;
    case amqp091::close_reason::origin::protocol:
      return cannot_log_in(why) ? errc::authentication_failed : errc::protocol_error;
    case amqp091::close_reason::origin::broker: break;
  }
  switch (why.code) {
    case reply_code::connection_forced:  // the broker or its operator goes down, as a lost link
      return errc::unreachable;
    case reply_code::access_refused:
      // Another consumer has the queue for itself, as long as it lives.
      if (says(why, "in exclusive use")) return errc::broker_error;
      return is_about_login(why) ? errc::authentication_failed : errc::access_refused;
    case reply_code::not_allowed:
      if (is_limit(why)) return errc::limit_exceeded;
      if (says(why, "is down")) return errc::broker_error;  // the vhost, on this node
      return says(why, "not found") ? errc::vhost_not_found : errc::access_refused;
    case reply_code::precondition_failed:
      return is_limit(why) ? errc::limit_exceeded : errc::precondition_failed;
    case reply_code::internal_error:
      // RabbitMQ 4.3 refuses transient non-exclusive queues this way: a setting, not a fault.
      return says(why, "transient_nonexcl_queues") || says(why, "eprecated")
                 ? errc::precondition_failed
                 : errc::broker_error;
    default: return errc::broker_error;
  }
}

/// The words of a broker may have lines of their own, which a failure has not.
std::string one_line(std::string_view words) {
  auto text = to_valid_utf8(words);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text;
}

}  // namespace

failure to_failure(const amqp091::close_reason& why, std::string_view broker) {
  std::string text(broker);
  switch (why.from) {
    case amqp091::close_reason::origin::local: text += " was closed by this side"; break;
    case amqp091::close_reason::origin::transport: text += " closed the connection"; break;
    case amqp091::close_reason::origin::heartbeat: text += " sent no heartbeat in time"; break;
    case amqp091::close_reason::origin::deaf:
    case amqp091::close_reason::origin::timeout: text += " did not answer in time"; break;
    case amqp091::close_reason::origin::protocol:
      text += cannot_log_in(why) ? " cannot be logged in to" : " broke the AMQP protocol";
      break;
    case amqp091::close_reason::origin::broker:
      text += " refused with code " + std::to_string(why.code);
      break;
  }
  if (!why.text.empty()) text += ": " + one_line(why.text);
  return {classify(why), std::move(text)};
}

bool is_verdict(errc e) noexcept {
  switch (e) {
    case errc::authentication_failed:
    case errc::access_refused:
    case errc::vhost_not_found:
    case errc::precondition_failed:
    case errc::tls_failed: return true;
    default: return false;
  }
}

}  // namespace oslo::messaging::protocol
