// A broker behind TLS that writes down what it hears: every byte on the wire, and every byte that a
// client has entrusted to it.
#pragma once

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/broker_script.hpp"
#include "support/tls_authority.hpp"

namespace tls_files {

struct manner {
  identity shows{};
  std::string asks_for{};  ///< clients' certificates, signed by the authority of this file
  int newest = 0;          ///< version of TLS; 0: any
  std::string blurts{};    ///< what it says to the first bytes of a client, instead of TLS
  std::optional<std::size_t> cut_after{};  ///< so many bytes of its own
  std::optional<std::size_t> damages{};    ///< which of its own bytes
  bool says_one_thing = false;             ///< and then ends the connection
};

struct visit {
  std::string raw;        ///< bytes of the client as they came
  std::string heard;      ///< what was in them, once the handshake was done
  std::string asked_for;  ///< the name that the client wanted (SNI)
  std::string version;
  bool done = false;  ///< the handshake
};

/// One client at a time, on a thread of its own.
class tls_broker {
 public:
  using tcp = boost::asio::ip::tcp;

  explicit tls_broker(manner how)
      : how_(std::move(how)),
        acceptor_(io_, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)),
        port_(acceptor_.local_endpoint().port()),
        thread_([this] { run(); }) {}
  ~tls_broker() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      if (current_ >= 0) ::shutdown(current_, SHUT_RDWR);
    }
    boost::system::error_code ignored;
    tcp::socket(io_).connect({boost::asio::ip::address_v4::loopback(), port_}, ignored);
    thread_.join();
  }
  std::uint16_t port() const noexcept { return port_; }
  /// From the next client on.
  void become(manner how) {
    const std::lock_guard lock(mutex_);
    how_ = std::move(how);
  }
  /// Ends the connection that there is.
  void drop() {
    const std::lock_guard lock(mutex_);
    if (current_ >= 0) ::shutdown(current_, SHUT_RDWR);
  }
  /// As soon as so many clients have gone, or been sent away.
  std::vector<visit> visits(std::size_t least) {
    std::unique_lock lock(mutex_);
    if (!left_.wait_for(lock, std::chrono::seconds(10), [&] { return visits_.size() >= least; }))
      throw std::runtime_error("waited in vain for the end of a visit");
    return visits_;
  }

 private:
  struct conversation {
    tcp::socket& socket;
    const manner& how;
    visit& v;
    std::size_t sent = 0;
    char chunk[16384] = {};

    /// 0 at the end.
    std::size_t receive() {
      boost::system::error_code ec;
      const auto n = socket.read_some(boost::asio::buffer(chunk), ec);
      v.raw.append(chunk, n);
      return n;
    }
    /// False once it is to hang up.
    bool say(std::string bytes) {
      if (how.damages && *how.damages >= sent && *how.damages - sent < bytes.size())
        bytes[*how.damages - sent] = static_cast<char>(bytes[*how.damages - sent] ^ 0xFF);
      const bool last = how.cut_after && sent + bytes.size() >= *how.cut_after;
      if (last) bytes.resize(*how.cut_after - sent);
      sent += bytes.size();
      boost::system::error_code ec;
      boost::asio::write(socket, boost::asio::buffer(bytes), ec);
      return !ec && !last && !how.says_one_thing;
    }
  };

  static std::shared_ptr<SSL> make(const manner& how) {
    const std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> context(
        ::SSL_CTX_new(::TLS_server_method()), &::SSL_CTX_free);
    auto* const c = context.get();
    ::SSL_CTX_use_certificate_chain_file(c, how.shows.certificate.c_str());
    ::SSL_CTX_use_PrivateKey_file(c, how.shows.key.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_set_max_proto_version(c, how.newest);
    if (!how.asks_for.empty()) {
      ::SSL_CTX_load_verify_locations(c, how.asks_for.c_str(), nullptr);
      ::SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
    std::shared_ptr<SSL> made(::SSL_new(c), &::SSL_free);
    ::SSL_set_bio(made.get(), ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));
    ::SSL_set_accept_state(made.get());
    return made;
  }
  static std::string output_of(SSL* ssl) {
    std::string out(::BIO_ctrl_pending(::SSL_get_wbio(ssl)), '\0');
    if (!out.empty()) ::BIO_read(::SSL_get_wbio(ssl), out.data(), static_cast<int>(out.size()));
    return out;
  }

  static void serve(conversation c) {
    if (!c.how.blurts.empty()) {
      if (c.receive() != 0 && c.say(c.how.blurts)) {
        while (c.receive() != 0) {
        }
      }
      return;
    }
    const auto ssl = make(c.how);
    amqp_script::broker_script script;
    while (const auto n = c.receive()) {
      ::BIO_write(::SSL_get_rbio(ssl.get()), c.chunk, static_cast<int>(n));
      if (!c.v.done) c.v.done = ::SSL_do_handshake(ssl.get()) == 1;
      const bool refused = !c.v.done && ::SSL_get_error(ssl.get(), -1) != SSL_ERROR_WANT_READ;
      if (c.v.done) {
        std::string heard(16384, '\0');
        for (int got = 0;
             (got = ::SSL_read(ssl.get(), heard.data(), static_cast<int>(heard.size()))) > 0;) {
          const auto part = heard.substr(0, static_cast<std::size_t>(got));
          c.v.heard += part;
          const auto answer = script.take(part);
          if (!answer.empty())
            ::SSL_write(ssl.get(), answer.data(), static_cast<int>(answer.size()));
        }
      }
      c.v.version = ::SSL_get_version(ssl.get());
      if (const char* name = ::SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name))
        c.v.asked_for = name;
      if (!c.say(output_of(ssl.get())) || refused) return;
    }
  }

  void run() {
    for (;;) {
      tcp::socket socket(io_);
      boost::system::error_code ec;
      acceptor_.accept(socket, ec);
      manner how;
      {
        const std::lock_guard lock(mutex_);
        if (ended_ || ec) return;
        current_ = socket.native_handle();
        how = how_;
      }
      visit v;
      serve({socket, how, v});
      const std::lock_guard lock(mutex_);
      current_ = -1;
      visits_.push_back(std::move(v));
      left_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable left_;
  manner how_;
  std::vector<visit> visits_;
  int current_ = -1;
  bool ended_ = false;
  boost::asio::io_context io_;
  tcp::acceptor acceptor_;
  std::uint16_t port_;
  std::thread thread_;
};

}  // namespace tls_files
