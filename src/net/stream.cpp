#include "net/stream.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include "net/certificate.hpp"
#include "net/tls_check.hpp"
#include "net/tls_client.hpp"

namespace oslo::messaging::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using error_code = stream::error_code;

constexpr int keepalive_idle_seconds = 60;
constexpr int keepalive_interval_seconds = 10;
constexpr int keepalive_probes = 9;
/// Unacknowledged data older than this ends the connection, long before the kernel's own 15
/// minutes.
constexpr int user_timeout_ms = 20'000;

void set_user_timeout(tcp::socket& s, int milliseconds) noexcept {
  ::setsockopt(s.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds,
               sizeof milliseconds);
}

void tune_socket(tcp::socket& s) {
  error_code ignored;  // each option only makes a dead peer visible sooner
  s.set_option(tcp::no_delay(true), ignored);
  s.set_option(asio::socket_base::keep_alive(true), ignored);
  const auto set = [&](int name, int value) {
    ::setsockopt(s.native_handle(), IPPROTO_TCP, name, &value, sizeof value);
  };
  set(TCP_KEEPIDLE, keepalive_idle_seconds);
  set(TCP_KEEPINTVL, keepalive_interval_seconds);
  set(TCP_KEEPCNT, keepalive_probes);
  set_user_timeout(s, user_timeout_ms);
}

/// What both kinds share: connecting to one address.
struct connector : std::enable_shared_from_this<connector> {
  explicit connector(const asio::any_io_executor& ex) : socket(ex) {}

  void start(const endpoint& address, const endpoint& as,
             unique_function<void(std::optional<dial_failure>)> on_done) {
    host = as;
    done = std::move(on_done);
    error_code ec;
    const tcp::endpoint to(asio::ip::make_address(address.host, ec), address.port);
    if (!ec) open_socket(to.protocol(), ec);
    if (ec) {
      asio::post(socket.get_executor(), [self = shared_from_this(), ec] {
        self->finish(self->unreachable(ec.message(), false));
      });
      return;
    }
    socket.async_connect(to, [self = shared_from_this()](error_code ec2) {
      if (!self->done) return;
      if (ec2) return self->finish(self->unreachable(ec2.message(), false));
      tune_socket(self->socket);
      self->connected();
    });
  }

  /// Not Asio's: a program that the application starts meanwhile must not keep the connection open.
  void open_socket(const tcp& protocol, error_code& ec) {
    const int fd = ::socket(protocol.family(), SOCK_STREAM | SOCK_CLOEXEC, protocol.protocol());
    if (fd < 0) {
      ec.assign(errno, boost::system::system_category());
      return;
    }
    socket.assign(protocol, fd, ec);
    if (ec) ::close(fd);
  }

  virtual void connected() { finish({}); }
  virtual ~connector() = default;

  dial_failure unreachable(const std::string& why, bool answered) const {
    return {{errc::unreachable, host.text() + " is unreachable: " + why}, answered};
  }
  void finish(std::optional<dial_failure> f) {
    if (!done) return;
    if (f) close();
    std::exchange(done, nullptr)(std::move(f));
  }
  void close() noexcept {
    error_code ignored;
    socket.close(ignored);
  }

  tcp::socket socket;
  endpoint host;
  unique_function<void(std::optional<dial_failure>)> done;
};

class tcp_stream final : public stream {
 public:
  explicit tcp_stream(const asio::any_io_executor& ex) : c_(std::make_shared<connector>(ex)) {}
  ~tcp_stream() override {
    c_->done = nullptr;
    c_->close();
  }

  void connect(const endpoint& address, const endpoint& host,
               unique_function<void(std::optional<dial_failure>)> done) override {
    c_->start(address, host,
              [c = c_.get(), done = std::move(done)](std::optional<dial_failure> f) mutable {
                error_code ec;
                if (!f) c->socket.non_blocking(true, ec);
                done(std::move(f));
              });
  }

  void read_some(std::span<char> into,
                 unique_function<void(error_code, std::size_t)> done) override {
    // Asio tries to read at once, which mostly finds nothing; waiting for readiness instead would
    // cost a change of the epoll set, and a wake-up for a socket that can be written.
    c_->socket.async_read_some(
        asio::buffer(into.data(), into.size()),
        [c = c_, done = std::move(done)](error_code ec, std::size_t n) mutable { done(ec, n); });
  }

  std::size_t try_write(std::string_view data, error_code& ec) override {
    const auto n = c_->socket.write_some(asio::buffer(data.data(), data.size()), ec);
    if (ec == asio::error::would_block) ec = {};
    return n;
  }

  void write(std::string_view data, unique_function<void(error_code)> done) override {
    asio::async_write(c_->socket, asio::buffer(data.data(), data.size()),
                      [done = std::move(done)](error_code ec, std::size_t) mutable { done(ec); });
  }

  bool wake_after(int bytes) noexcept override {
    return ::setsockopt(c_->socket.native_handle(), SOL_SOCKET, SO_RCVLOWAT, &bytes,
                        sizeof bytes) == 0;
  }
  void limit_silence(bool on) noexcept override {
    set_user_timeout(c_->socket, on ? user_timeout_ms : 0);
  }

  void close() noexcept override { c_->close(); }

 private:
  std::shared_ptr<connector> c_;
};

// ---- TLS ----------------------------------------------------------------------------------------

struct tls_connector final : connector {
  tls_connector(const asio::any_io_executor& ex, tls_client& tls)
      : connector(ex), check(tls.options()), context(tls.context()), secure(socket, *context) {}

  void connected() override {
    if (!check.prepare(secure.native_handle(), host))
      return finish(dial_failure{
          {errc::tls_failed, "TLS with " + host.text() + " failed: its name cannot be checked"},
          true});
    secure.set_verify_callback([this](bool accepted, asio::ssl::verify_context& chain) {
      return check.on_certificate(accepted, chain);
    });
    secure.async_handshake(
        asio::ssl::stream_base::client,
        [self = std::static_pointer_cast<tls_connector>(shared_from_this())](error_code ec) {
          if (!ec)
            self->finish({});
          else if (auto why = self->refusal(ec))
            self->finish(dial_failure{std::move(*why), true});
          else
            self->finish(
                self->unreachable("the TLS handshake broke off: " + tls_check::words(ec), true));
        });
  }

  std::optional<failure> refusal(error_code ec) {
    return check.refusal(secure.native_handle(), ec);
  }

  tls_check check;
  tls_client::context_ptr context;  ///< outlives the stream
  asio::ssl::stream<tcp::socket&> secure;
};

class tls_stream final : public stream {
 public:
  tls_stream(const asio::any_io_executor& ex, tls_client& tls)
      : c_(std::make_shared<tls_connector>(ex, tls)) {}
  ~tls_stream() override {
    c_->done = nullptr;
    c_->close();
  }

  void connect(const endpoint& address, const endpoint& host,
               unique_function<void(std::optional<dial_failure>)> done) override {
    c_->start(address, host, std::move(done));
  }
  void read_some(std::span<char> into,
                 unique_function<void(error_code, std::size_t)> done) override {
    c_->secure.async_read_some(
        asio::buffer(into.data(), into.size()),
        [c = c_, done = std::move(done)](error_code ec, std::size_t n) mutable { done(ec, n); });
  }
  std::size_t try_write(std::string_view, error_code&) override { return 0; }
  void write(std::string_view data, unique_function<void(error_code)> done) override {
    asio::async_write(
        c_->secure, asio::buffer(data.data(), data.size()),
        [c = c_, done = std::move(done)](error_code ec, std::size_t) mutable { done(ec); });
  }
  std::optional<failure> refusal(const error_code& ec) override { return c_->refusal(ec); }
  /// What a record holds cannot be known.
  bool wake_after(int) noexcept override { return false; }
  void limit_silence(bool on) noexcept override {
    set_user_timeout(c_->socket, on ? user_timeout_ms : 0);
  }
  std::optional<std::chrono::sys_seconds> peer_valid_until() const override {
    const std::unique_ptr<X509, void (*)(X509*)> shown(
        ::SSL_get1_peer_certificate(c_->secure.native_handle()), ::X509_free);
    return shown ? valid_until(*shown) : std::nullopt;
  }
  void close() noexcept override { c_->close(); }

 private:
  std::shared_ptr<tls_connector> c_;
};

}  // namespace

std::unique_ptr<stream> make_stream(boost::asio::any_io_executor ex, tls_client* tls) {
  if (tls != nullptr) return std::make_unique<tls_stream>(ex, *tls);
  return std::make_unique<tcp_stream>(ex);
}

}  // namespace oslo::messaging::net
