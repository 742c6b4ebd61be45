// A byte stream to one broker: TCP, or TLS over it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <span>
#include <string>
#include <string_view>

#include "protocol/link_action.hpp"

namespace oslo::messaging::net {

using protocol::endpoint;

/// What the certificate of a broker has to show.
enum class peer_check : std::uint8_t {
  chain_and_name,  ///< somebody who is trusted has signed it, and for this host
  chain,           ///< somebody who is trusted has signed it, for whatever host
  nothing,         ///< anybody can pose as the broker
};

/// How to secure a stream. Empty strings are "not given".
struct tls_options {
  bool enabled = false;
  std::string ca_file{};    ///< empty: the system's certificates
  std::string cert_file{};  ///< client certificate, PEM
  std::string key_file{};
  std::string key_password{};  ///< of the key file, when it is encrypted
  peer_check check = peer_check::chain_and_name;
  bool only_1_2 = false;    ///< TLS 1.2 and nothing newer
  std::string peer_name{};  ///< what the certificate has to be for; empty: the host
};

struct dial_failure {
  failure why;            ///< `errc::unreachable` or `errc::tls_failed`
  bool answered = false;  ///< somebody was there
};

/// Non-blocking stream on one executor. Completions run on that executor, never inside the call.
/// Not thread safe. Destroying a stream aborts what is pending.
class stream {
 public:
  using error_code = boost::system::error_code;

  virtual ~stream() = default;
  /// Connects to an address, sets socket options and does the TLS handshake with `host`, who is
  /// named in failures. No time limit of its own.
  virtual void connect(const endpoint& address, const endpoint& host,
                       unique_function<void(std::optional<dial_failure>)> done) = 0;
  /// Reads at least one byte.
  virtual void read_some(std::span<char> into,
                         unique_function<void(error_code, std::size_t)> done) = 0;
  /// Writes what the socket takes right now; 0 when it takes nothing, or when only `write` can.
  virtual std::size_t try_write(std::string_view data, error_code& ec) = 0;
  /// Writes all of `data`, which must stay until `done`.
  virtual void write(std::string_view data, unique_function<void(error_code)> done) = 0;
  /// When an error of `read_some` or `write` is TLS that was refused for good: why. A broker's
  /// refusal of our certificate can come that late.
  virtual std::optional<failure> refusal(const error_code&) { return std::nullopt; }
  /// `read_some` need not complete before that many bytes have arrived or the stream has ended; it
  /// still may. A smaller number counts at once for a `read_some` that waits (since Linux 4.17). 1
  /// at first. False when the stream cannot do it.
  virtual bool wake_after(int bytes) noexcept = 0;
  /// Whether output that is not acknowledged for 20 s ends the stream; at first it does. Off: only
  /// a peer that does not even say that its buffer is full is taken for dead.
  virtual void limit_silence(bool on) noexcept = 0;
  /// Something that was written is not acknowledged yet, and it has become less since the last
  /// call.
  virtual bool output_moves() noexcept = 0;
  /// When the certificate of the peer expires; none of a plain stream.
  virtual std::optional<std::chrono::sys_seconds> peer_valid_until() const { return std::nullopt; }
  virtual void close() noexcept = 0;
};

class tls_client;

/// `tls`: null for a plain stream. Throws `configuration_error` when a certificate file cannot be
/// used; its text names the file.
std::unique_ptr<stream> make_stream(boost::asio::any_io_executor ex, tls_client* tls);

}  // namespace oslo::messaging::net
