// What a TLS stream demands of the broker, and which of it was not met.
#pragma once

#include <boost/asio/ssl/verify_context.hpp>
#include <boost/system/error_code.hpp>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <string>

#include "net/stream.hpp"

namespace oslo::messaging::net {

/// Watches one handshake. Not thread safe.
class tls_check {
 public:
  explicit tls_check(tls_options options) : options_(std::move(options)) {}

  /// Before the handshake with `host`: asks for it by name (SNI) and has OpenSSL check the name.
  /// False: no certificate can be checked for such a name. `ssl` keeps a pointer to this object.
  bool prepare(SSL* ssl, const endpoint& host);
  /// For the stream's verify callback: notes the first thing that is wrong, and passes the verdict
  /// of OpenSSL on.
  bool on_certificate(bool accepted, boost::asio::ssl::verify_context& chain);

  /// The failure, when `ec` is a refusal that only an operator can change: ours of the broker, or
  /// the broker's of us. Nothing for whatever may be otherwise the next time: a connection that was
  /// lost, damaged bytes, a broker in trouble. In TLS 1.3 a refused client certificate shows only
  /// when the client reads.
  std::optional<failure> refusal(SSL* ssl, const boost::system::error_code& ec) const;
  /// What `ec` says, for an error that is no refusal.
  static std::string words(const boost::system::error_code& ec);

 private:
  std::string alert_text(int alert, const std::string& name) const;

  tls_options options_;
  endpoint host_{};
  endpoint wanted_{};                   ///< whom the certificate has to be for
  bool asked_for_certificate_ = false;  ///< by the broker
  std::string wrong_;                   ///< with the certificate; empty: nothing
};

}  // namespace oslo::messaging::net
