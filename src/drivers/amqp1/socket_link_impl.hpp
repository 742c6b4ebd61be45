// Inside of socket_link. One class; its members live in one file for each concern.
#pragma once

#include <boost/asio/post.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/amqp1/socket_link.hpp"

namespace oslo::messaging::amqp1 {

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

struct socket_link::session {
  std::string peer;
  std::unique_ptr<net::stream> wire;
  std::unique_ptr<connection> machine;
  std::optional<failure> ended{};  ///< until it is acted on; nothing more is told to the user
  std::vector<char> input = std::vector<char>(128 * 1024);
  std::string output{};
  bool writing = false;
  bool in_machine = false;  ///< events are being delivered; a flush follows them
};

/// Every way in from the loop and from the owner: nothing may leave the link without a next step.
template <class Work>
void socket_link::enter(Work work) noexcept {
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
void socket_link::tell_user(Call call) noexcept {
  try {
    call();
    return;
  } catch (const std::exception& e) {
    log_(log_level::error, std::string("The user of a link threw: ") + e.what());
  } catch (...) {
    log_(log_level::error, "The user of a link threw an unknown exception.");
  }
  if (!session_ || session_->ended) return;
  session_->ended = failure(errc::unreachable, broker_name() + " was left after an exception");
  boost::asio::post(executor_, [self = shared_from_this(), s = session_] {
    self->enter([&] {
      if (s == self->session_) self->after_machine();
    });
  });
}

}  // namespace oslo::messaging::amqp1
