// How connections and links of AMQP 1.0 end, and what a caller can do about it.
#pragma once

#include <cstdint>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::amqp1 {

/// What the other side says when it ends or refuses something. Its words are one line of UTF-8.
struct condition {
  std::string name;  ///< "amqp:not-found"; empty: it says nothing
  std::string description{};
  std::string elsewhere{};  ///< "host:port" of a redirect

  bool is(std::string_view other) const noexcept { return name == other; }
  /// A link: what is wanted is at another broker.
  bool is_redirect() const noexcept {
    return is("amqp:link:redirect") || is("amqp:connection:redirect");
  }
  std::string text() const {
    return name + (name.empty() || description.empty() ? "" : ": ") + description;
  }
};

struct ending {
  enum class origin : std::uint8_t {
    local,   ///< `connection::close`
    peer,    ///< it has closed the connection or the session
    engine,  ///< it broke the protocol, refused the login, or has been silent for too long
    stream,  ///< the bytes have ended
  };
  origin from = origin::stream;
  condition why{};
  bool logging_in = false;   ///< before the login was accepted
  bool for_a_while = false;  ///< a login that the broker says may work later
};

/// `broker` is "host:port".
failure to_failure(const ending& e, std::string_view broker);

/// Of a link, or of a message; `what` is the beginning of the sentence.
failure to_failure(const condition& c, const std::string& what);

}  // namespace oslo::messaging::amqp1
