#include "net/stream.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

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
  set(TCP_USER_TIMEOUT, user_timeout_ms);
}

/// What both kinds share: resolving a name and connecting to one of its addresses under one
/// deadline.
struct connector : std::enable_shared_from_this<connector> {
  connector(const asio::any_io_executor& ex) : resolver(ex), socket(ex), timer(ex) {}

  void start(const endpoint& to, std::chrono::milliseconds limit,
             unique_function<void(result<void>)> on_done) {
    where = to.text();
    done = std::move(on_done);
    timer.expires_after(limit);
    timer.async_wait([self = shared_from_this(), limit](error_code ec) {
      if (!ec)
        self->finish(failure(errc::unreachable, self->where + " did not answer within " +
                                                    std::to_string(limit.count()) + " ms"));
    });
    resolver.async_resolve(
        to.host, std::to_string(to.port),
        [self = shared_from_this()](error_code ec, const tcp::resolver::results_type& found) {
          if (!self->done) return;
          if (ec) return self->finish(self->unreachable(ec));
          self->try_address(found.begin(), asio::error::host_not_found);
        });
  }

  /// Keeps the addresses alive; the default is their end.
  using address_iterator = tcp::resolver::results_type::const_iterator;
  void try_address(address_iterator at, error_code before) {
    if (at == address_iterator()) return finish(unreachable(before));
    error_code ec;
    if (open_socket(at->endpoint().protocol(), ec); ec) return try_address(std::next(at), ec);
    socket.async_connect(*at, [self = shared_from_this(), at](error_code ec2) {
      if (!self->done) return;
      if (ec2) return self->try_address(std::next(at), ec2);
      tune_socket(self->socket);
      self->connected();
    });
  }

  /// Not Asio's: a program that the application starts meanwhile must not keep the connection open.
  void open_socket(const tcp& protocol, error_code& ec) {
    error_code ignored;
    socket.close(ignored);
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

  failure unreachable(error_code ec) const {
    return {errc::unreachable, where + " is unreachable: " + ec.message()};
  }
  void finish(result<void> r) {
    if (!done) return;
    timer.cancel();
    if (r.has_error()) close();
    std::exchange(done, nullptr)(std::move(r));
  }
  void close() noexcept {
    error_code ignored;
    resolver.cancel();
    timer.cancel();
    socket.close(ignored);
  }

  tcp::resolver resolver;
  tcp::socket socket;
  asio::steady_timer timer;
  std::string where;
  unique_function<void(result<void>)> done;
};

class tcp_stream final : public stream {
 public:
  explicit tcp_stream(const asio::any_io_executor& ex) : c_(std::make_shared<connector>(ex)) {}
  ~tcp_stream() override {
    c_->done = nullptr;
    c_->close();
  }

  void connect(const endpoint& to, std::chrono::milliseconds limit,
               unique_function<void(result<void>)> done) override {
    c_->start(to, limit, [c = c_.get(), done = std::move(done)](result<void> r) mutable {
      error_code ec;
      if (r.has_value()) c->socket.non_blocking(true, ec);
      done(std::move(r));
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

  void close() noexcept override { c_->close(); }

 private:
  std::shared_ptr<connector> c_;
};

// ---- TLS ----------------------------------------------------------------------------------------

asio::ssl::context make_context(const tls_options& o) {
  asio::ssl::context ctx(asio::ssl::context::tls_client);
  ctx.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                  asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                  asio::ssl::context::no_tlsv1_1);
  const auto check = [](const error_code& ec, const char* what, const std::string& file) {
    if (ec)
      throw configuration_error({errc::invalid_config, std::string(what) + " " + file +
                                                           " cannot be used: " + ec.message()});
  };
  error_code ec;
  if (!o.ca_file.empty()) {
    ctx.load_verify_file(o.ca_file, ec);
    check(ec, "ssl_ca_file", o.ca_file);
  } else if (o.verify) {
    ctx.set_default_verify_paths(ec);
    check(ec, "the system's certificate store", "");
  }
  if (!o.cert_file.empty()) {
    ctx.use_certificate_chain_file(o.cert_file, ec);
    check(ec, "ssl_cert_file", o.cert_file);
  }
  if (!o.key_file.empty()) {
    ctx.use_private_key_file(o.key_file, asio::ssl::context::pem, ec);
    check(ec, "ssl_key_file", o.key_file);
  }
  ctx.set_verify_mode(o.verify ? asio::ssl::verify_peer : asio::ssl::verify_none);
  return ctx;
}

struct tls_connector final : connector {
  tls_connector(const asio::any_io_executor& ex, const tls_options& o)
      : connector(ex), options(o), context(make_context(o)), secure(socket, context) {}

  void connected() override {
    const auto host = where.substr(0, where.rfind(':'));
    const auto name = host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
    SSL_set_tlsext_host_name(secure.native_handle(), name.c_str());
    if (options.verify) secure.set_verify_callback(asio::ssl::host_name_verification(name));
    secure.async_handshake(
        asio::ssl::stream_base::client,
        [self = std::static_pointer_cast<tls_connector>(shared_from_this())](error_code ec) {
          if (ec)
            self->finish(
                failure(errc::tls_failed, "TLS with " + self->where + " failed: " + ec.message()));
          else
            self->finish({});
        });
  }

  tls_options options;
  asio::ssl::context context;
  asio::ssl::stream<tcp::socket&> secure;
};

class tls_stream final : public stream {
 public:
  tls_stream(const asio::any_io_executor& ex, const tls_options& o)
      : c_(std::make_shared<tls_connector>(ex, o)) {}
  ~tls_stream() override {
    c_->done = nullptr;
    c_->close();
  }

  void connect(const endpoint& to, std::chrono::milliseconds limit,
               unique_function<void(result<void>)> done) override {
    c_->start(to, limit, std::move(done));
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
  /// What a record holds cannot be known.
  bool wake_after(int) noexcept override { return false; }
  void close() noexcept override { c_->close(); }

 private:
  std::shared_ptr<tls_connector> c_;
};

}  // namespace

std::string endpoint::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::unique_ptr<stream> make_stream(boost::asio::any_io_executor ex, const tls_options& tls) {
  if (tls.enabled) return std::make_unique<tls_stream>(ex, tls);
  return std::make_unique<tcp_stream>(ex);
}

}  // namespace oslo::messaging::net
