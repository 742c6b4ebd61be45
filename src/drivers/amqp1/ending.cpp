#include "drivers/amqp1/ending.hpp"

namespace oslo::messaging::amqp1 {
namespace {

errc code_of(const condition& c) {
  if (c.is("amqp:unauthorized-access") || c.is("amqp:not-allowed")) return errc::access_refused;
  if (c.is("amqp:not-found")) return errc::undeliverable;
  if (c.is_redirect()) return errc::unreachable;
  if (c.is("amqp:resource-limit-exceeded") || c.is("amqp:link:message-size-exceeded"))
    return errc::limit_exceeded;
  if (c.is("amqp:precondition-failed") || c.is("amqp:not-implemented"))
    return errc::precondition_failed;
  return errc::broker_error;
}

errc code_of(const ending& e) {
  switch (e.from) {
    case ending::origin::local: return errc::closed;
    case ending::origin::stream: return errc::unreachable;
    case ending::origin::engine:
      if (e.logging_in && e.why.is("amqp:unauthorized-access"))
        return e.for_a_while ? errc::broker_error : errc::authentication_failed;
      // What the engine says of a peer that was silent for too long.
      return e.why.is("amqp:resource-limit-exceeded") ? errc::unreachable : errc::protocol_error;
    case ending::origin::peer: break;
  }
  if (e.why.is("amqp:not-found")) return errc::vhost_not_found;
  // The broker or its operator goes down, or wants us elsewhere.
  if (e.why.name.empty() || e.why.is("amqp:connection:forced")) return errc::unreachable;
  return code_of(e.why);
}

}  // namespace

failure to_failure(const ending& e, std::string_view broker) {
  const auto code = code_of(e);
  std::string text(broker);
  switch (e.from) {
    case ending::origin::local: text += " was closed by this side"; break;
    case ending::origin::stream: text += " closed the connection"; break;
    case ending::origin::peer:
      text += e.why.elsewhere.empty() ? " ended the connection" : " sends us to " + e.why.elsewhere;
      break;
    case ending::origin::engine:
      text += e.logging_in && e.why.is("amqp:unauthorized-access") ? " refused the login"
              : code == errc::unreachable                          ? " was silent for too long"
                                                                   : " broke the AMQP protocol";
  }
  const auto words = e.from == ending::origin::stream ? e.why.description : e.why.text();
  if (!words.empty()) text += ": " + words;
  return {code, std::move(text)};
}

failure to_failure(const condition& c, const std::string& what) {
  const auto words = c.text();
  const auto where = c.elsewhere.empty() ? "" : ", in favour of " + c.elsewhere;
  return {code_of(c), what + where + (words.empty() ? "." : ": " + words)};
}

}  // namespace oslo::messaging::amqp1
