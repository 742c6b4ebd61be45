// The stream to a broker, secured or not, against servers of this process.
#include "net/stream.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <set>
#include <thread>

namespace oslo::messaging::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

/// A certificate for "localhost" that signs itself, made for this run.
class own_certificate {
 public:
  own_certificate() {
    folder_ = std::filesystem::temp_directory_path() / ("oslo-tls-" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder_);
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout " +
        key() + " -out " + certificate() + " 2>/dev/null";
    if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl failed: " + command);
  }
  ~own_certificate() { std::filesystem::remove_all(folder_); }
  std::string key() const { return folder_ / "key.pem"; }
  std::string certificate() const { return folder_ / "cert.pem"; }

 private:
  std::filesystem::path folder_;
};

const own_certificate& certificate() {
  static const own_certificate one;
  return one;
}

/// Accepts one connection on a thread of its own, with or without TLS, and sends "hello".
class one_shot_server {
 public:
  explicit one_shot_server(bool secure)
      : acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        thread_([this, secure] { serve(secure); }) {}
  ~one_shot_server() {
    // A client that was never meant to come: let the accept return.
    boost::system::error_code ignored;
    tcp::socket(io_).connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  void serve(bool secure) {
    boost::system::error_code ec;
    tcp::socket socket(io_);
    acceptor_.accept(socket, ec);
    if (ec) return;
    if (!secure) {
      asio::write(socket, asio::buffer("hello", 5), ec);
      return;
    }
    asio::ssl::context context(asio::ssl::context::tls_server);
    context.use_certificate_chain_file(certificate().certificate());
    context.use_private_key_file(certificate().key(), asio::ssl::context::pem);
    asio::ssl::stream<tcp::socket> s(std::move(socket), context);
    s.handshake(asio::ssl::stream_base::server, ec);
    if (!ec) asio::write(s, asio::buffer("hello", 5), ec);
  }

  asio::io_context io_;
  tcp::acceptor acceptor_;
  std::thread thread_;
};

struct outcome {
  std::optional<failure> error;
  std::string text;
};

outcome connect_and_read(const endpoint& to, const tls_options& tls) {
  asio::io_context io;
  const auto s = make_stream(io.get_executor(), tls);
  outcome out;
  char buffer[16];
  s->connect(to, 5s, [&](result<void> r) {
    if (r.has_error()) {
      out.error = r.error();
      return;
    }
    s->read_some(buffer, [&](boost::system::error_code ec, std::size_t n) {
      out.text = ec ? ec.message() : std::string(buffer, n);
    });
  });
  io.run_for(10s);
  return out;
}

std::set<int> open_sockets() {
  std::set<int> all;
  for (int fd = 0; fd < 1024; ++fd) {
    struct stat what {};
    if (::fstat(fd, &what) == 0 && S_ISSOCK(what.st_mode)) all.insert(fd);
  }
  return all;
}

TEST(stream, a_program_that_is_started_while_it_connects_does_not_inherit_it) {
  // Nobody accepts, and the backlog is full: connecting takes long.
  asio::io_context io;
  tcp::acceptor busy(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  busy.listen(0);
  const auto address = busy.local_endpoint();
  tcp::socket first(io, tcp::v4()), second(io, tcp::v4());
  for (auto* waiting : {&first, &second}) {
    waiting->native_non_blocking(true);
    ::connect(waiting->native_handle(), address.data(), static_cast<socklen_t>(address.size()));
  }
  const auto before = open_sockets();
  const auto s = make_stream(io.get_executor(), {});
  std::optional<result<void>> connected;
  s->connect({"127.0.0.1", address.port()}, 5s, [&](result<void> r) { connected = std::move(r); });
  std::set<int> ours;
  while (ours.empty() && !connected) {
    io.run_one();
    std::ranges::set_difference(open_sockets(), before, std::inserter(ours, ours.end()));
  }
  ASSERT_EQ(ours.size(), 1u);
  EXPECT_EQ(::fcntl(*ours.begin(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  s->close();
  io.run();
}

TEST(stream, a_program_that_is_started_meanwhile_does_not_inherit_it) {
  one_shot_server server(false);
  asio::io_context io;
  const auto s = make_stream(io.get_executor(), {});
  std::optional<result<void>> connected;
  s->connect({"127.0.0.1", server.port()}, 5s, [&](result<void> r) { connected = std::move(r); });
  io.run();
  ASSERT_TRUE(connected && connected->has_value());
  int ours = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 ||
        peer.sin_family != AF_INET || ntohs(peer.sin_port) != server.port())
      continue;
    ++ours;
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_EQ(ours, 1);
}

TEST(stream, plain) {
  one_shot_server server(false);
  const auto r = connect_and_read({"localhost", server.port()}, {});
  EXPECT_FALSE(r.error);
  EXPECT_EQ(r.text, "hello");
}

TEST(stream, tls_with_the_right_authority) {
  one_shot_server server(true);
  const auto r = connect_and_read({"localhost", server.port()},
                                  {.enabled = true, .ca_file = certificate().certificate()});
  EXPECT_FALSE(r.error) << r.error->message();
  EXPECT_EQ(r.text, "hello");
}

TEST(stream, tls_refuses_an_unknown_authority) {
  one_shot_server server(true);
  const auto r = connect_and_read({"localhost", server.port()}, {.enabled = true});
  ASSERT_TRUE(r.error);
  EXPECT_EQ(r.error->code(), errc::tls_failed);
  EXPECT_NE(r.error->message().find("localhost:"), std::string::npos) << r.error->message();
}

TEST(stream, tls_refuses_a_certificate_for_another_host) {
  one_shot_server server(true);
  const auto r = connect_and_read({"127.0.0.1", server.port()},
                                  {.enabled = true, .ca_file = certificate().certificate()});
  ASSERT_TRUE(r.error);
  EXPECT_EQ(r.error->code(), errc::tls_failed);
}

TEST(stream, tls_without_verification_has_to_be_asked_for) {
  one_shot_server server(true);
  const auto r = connect_and_read({"127.0.0.1", server.port()}, {.enabled = true, .verify = false});
  EXPECT_FALSE(r.error);
  EXPECT_EQ(r.text, "hello");
}

TEST(stream, tls_with_a_plain_server_fails) {
  one_shot_server server(false);
  const auto r = connect_and_read({"localhost", server.port()}, {.enabled = true});
  ASSERT_TRUE(r.error);
  EXPECT_EQ(r.error->code(), errc::tls_failed);
}

TEST(stream, a_certificate_file_that_cannot_be_read_is_named) {
  asio::io_context io;
  try {
    make_stream(io.get_executor(), {.enabled = true, .ca_file = "/no/such/ca.pem"});
    FAIL();
  } catch (const configuration_error& e) {
    EXPECT_NE(std::string(e.what()).find("/no/such/ca.pem"), std::string::npos) << e.what();
  }
}

TEST(stream, nobody_listens) {
  const auto r = connect_and_read({"127.0.0.1", 1}, {});
  ASSERT_TRUE(r.error);
  EXPECT_EQ(r.error->code(), errc::unreachable);
  EXPECT_EQ(r.error->message(), "127.0.0.1:1 is unreachable: Connection refused");
}

}  // namespace
}  // namespace oslo::messaging::net
