#include "protocol/amqp_failure.hpp"

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
/// What a broker tells of an object stands behind its name, and a name may hold any words.
bool ends_with(const amqp091::close_reason& why, std::string_view words) {
  const std::string_view text = why.text;
  return text.ends_with(words) ||
         (text.ends_with('.') && text.substr(0, text.size() - 1).ends_with(words));
}

/// Of connections, channels (530), queues or exchanges (406): "… limit (10) is reached", or "number
/// of channels … has reached the maximum allowed limit of 10". There may be room in a moment.
bool is_limit(const amqp091::close_reason& why) {
  return (says(why, "limit") && ends_with(why, "is reached")) ||
         says(why, "has reached the maximum allowed ");
}
/// Part of the broker is away, or did not answer in time: it may be there the next time.
bool is_in_trouble(const amqp091::close_reason& why) {
  return ends_with(why, "is down") || says(why, ": connection limit cannot be queried") ||
         ends_with(why, " replica on the local node");
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
      if (ends_with(why, "in exclusive use")) return errc::broker_error;
      return is_about_login(why) ? errc::authentication_failed : errc::access_refused;
    case reply_code::not_allowed:
      if (is_limit(why)) return errc::limit_exceeded;
      if (is_in_trouble(why)) return errc::broker_error;  // the vhost, on this node
      return ends_with(why, "not found") ? errc::vhost_not_found : errc::access_refused;
    case reply_code::precondition_failed:
      if (is_in_trouble(why)) return errc::broker_error;  // a stream
      return is_limit(why) ? errc::limit_exceeded : errc::precondition_failed;
    case reply_code::internal_error:
      // RabbitMQ 4.3 refuses transient non-exclusive queues this way: a setting, not a fault.
      return says(why, "` is deprecated") ? errc::precondition_failed : errc::broker_error;
    default: return errc::broker_error;
  }
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
  // The words of a broker may have lines of their own, which a failure has not.
  if (!why.text.empty()) text += ": " + to_one_line(why.text);
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
