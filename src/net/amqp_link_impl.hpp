// Inside of net::amqp_link. One class; its members live in one file for each concern.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/amqp_link.hpp"

namespace oslo::messaging::net {

/// Of the exception that is being handled.
inline failure failure_now() {
  try {
    throw;
  } catch (const messaging_error& e) {
    return e.failure();
  } catch (const std::exception& e) {
    return {errc::unreachable, std::string("Connecting failed: ") + e.what()};
  } catch (...) {
    return {errc::unreachable, "Connecting failed for an unknown reason."};
  }
}

struct amqp_link::session {
  std::string peer;
  std::unique_ptr<stream> wire;
  std::unique_ptr<amqp091::connection> machine;
  /// The end of the connection, until it is acted on. Nothing more is told to the user.
  std::optional<amqp091::close_reason> closed;
  std::optional<failure> broken;  ///< an end that the protocol has no words for
  protocol::read_patience patience;
  std::vector<char> input = std::vector<char>(128 * 1024);
  std::string output;
  bool writing = false;
  bool in_machine = false;  ///< events are being delivered; a flush follows them

  bool has_ended() const noexcept { return closed || broken; }
};

/// Every way in from the loop and from the owner: nothing may leave the link without a next step.
template <class Work>
void amqp_link::enter(Work work) noexcept {
  try {
    work();
  } catch (...) {
    try {
      fault(failure_now());
    } catch (...) {
      log_(log_level::error, "A link to a broker could not handle a failure; it tries again.");
    }
  }
  try {
    arm();
  } catch (...) {
    log_(log_level::error, "A link to a broker has no timer.");
  }
}

/// The user should not throw. When it does, nobody knows what it has missed: it is set up anew on a
/// new connection.
template <class Call>
void amqp_link::tell_user(Call call) noexcept {
  try {
    call();
    return;
  } catch (const std::exception& e) {
    log_(log_level::error, std::string("The user of a link threw: ") + e.what());
  } catch (...) {
    log_(log_level::error, "The user of a link threw an unknown exception.");
  }
  try {
    renew(failure(errc::unreachable, broker_name() + " was left after an exception"));
  } catch (...) {
    log_(log_level::error, "A link could not be closed.");
  }
}

}  // namespace oslo::messaging::net
