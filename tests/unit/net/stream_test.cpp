// The stream to a broker, secured or not, against servers of this process.
#include "net/stream.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <future>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/certificate.hpp"
#include "net/tls_client.hpp"
#include "support/tls_files.hpp"

namespace oslo::messaging::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::AllOf;
using testing::HasSubstr;
using tls_files::certificate;
using namespace std::chrono_literals;

enum class server_kind {
  plain,        ///< sends "hello"
  secure,       ///< the same in TLS
  mutual,       ///< in TLS, and refuses clients without a certificate
  cut_short,    ///< ends the connection after the client's first message
  resets,       ///< the same by a reset
  cut_halfway,  ///< ends it in the middle of its own first message
};

/// Accepts one connection on a thread of its own.
class one_shot_server {
 public:
  explicit one_shot_server(server_kind kind)
      : acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        thread_([this, kind] { serve(kind); }) {}
  ~one_shot_server() {
    // A client that was never meant to come: let the accept return.
    boost::system::error_code ignored;
    tcp::socket(io_).connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }
  endpoint address() const { return {"127.0.0.1", acceptor_.local_endpoint().port()}; }
  /// What a server of kind `secure` has agreed on. Once.
  std::string version() {
    auto v = version_.get_future();
    return v.wait_for(10s) == std::future_status::ready ? v.get() : "no handshake";
  }
  endpoint localhost() const { return {"localhost", acceptor_.local_endpoint().port()}; }

 private:
  void serve(server_kind kind) {
    boost::system::error_code ec;
    tcp::socket socket(io_);
    acceptor_.accept(socket, ec);
    if (ec) return;
    if (kind == server_kind::plain) {
      asio::write(socket, asio::buffer("hello", 5), ec);
      return;
    }
    if (kind >= server_kind::cut_short) {
      char hello[4096];
      socket.read_some(asio::buffer(hello), ec);
      if (kind == server_kind::resets) socket.set_option(asio::socket_base::linger(true, 0), ec);
      // The beginning of a record of 256 bytes with a ServerHello.
      if (kind == server_kind::cut_halfway)
        asio::write(socket, asio::buffer("\x16\x03\x03\x01\x00\x02", 6), ec);
      return;
    }
    asio::ssl::context context(asio::ssl::context::tls_server);
    context.use_certificate_chain_file(certificate().certificate());
    context.use_private_key_file(certificate().key(), asio::ssl::context::pem);
    if (kind == server_kind::mutual)
      context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    asio::ssl::stream<tcp::socket> s(std::move(socket), context);
    s.handshake(asio::ssl::stream_base::server, ec);
    version_.set_value(::SSL_get_version(s.native_handle()));
    if (!ec) asio::write(s, asio::buffer("hello", 5), ec);
  }

  asio::io_context io_;
  tcp::acceptor acceptor_;
  std::promise<std::string> version_;
  std::thread thread_;
};

struct outcome {
  std::optional<dial_failure> error;
  std::string text;
  boost::system::error_code read_error;
  std::optional<std::chrono::sys_seconds> valid_until;
  std::optional<failure> refusal;  ///< that `read_error` stands for
};

outcome connect_and_read(const endpoint& address, const endpoint& host, const tls_options& tls) {
  asio::io_context io;
  tls_client client(tls);
  const auto s = make_stream(io.get_executor(), tls.enabled ? &client : nullptr);
  outcome out;
  char buffer[16];
  s->connect(address, host, [&](std::optional<dial_failure> f) {
    out.error = std::move(f);
    if (out.error) return;
    out.valid_until = s->peer_valid_until();
    s->read_some(buffer, [&](boost::system::error_code ec, std::size_t n) {
      out.read_error = ec;
      out.refusal = s->refusal(ec);
      out.text = std::string(buffer, n);
    });
  });
  io.run_for(10s);
  return out;
}
outcome connect_and_read(const one_shot_server& server, const tls_options& tls) {
  return connect_and_read(server.address(), server.localhost(), tls);
}

/// By their names in /proc, "socket:[4711]": a thread of an earlier test may be closing one of the
/// others, whose number is free again then.
std::map<std::string, int> open_sockets() {
  std::map<std::string, int> all;
  for (int fd = 0; fd < 1024; ++fd) {
    std::array<char, 64> name{};
    const auto link = "/proc/self/fd/" + std::to_string(fd);
    const auto size = ::readlink(link.c_str(), name.data(), name.size());
    if (size <= 0) continue;
    const std::string_view text(name.data(), static_cast<std::size_t>(size));
    if (text.starts_with("socket:")) all.emplace(text, fd);
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
  const auto s = make_stream(io.get_executor(), nullptr);
  bool connected = false;
  const endpoint to{"127.0.0.1", address.port()};
  s->connect(to, to, [&](const auto&) { connected = true; });
  std::vector<int> ours;
  while (ours.empty() && !connected) {
    io.run_one();
    for (const auto& [name, fd] : open_sockets())
      if (!before.contains(name)) ours.push_back(fd);
  }
  ASSERT_EQ(ours.size(), 1u);
  EXPECT_EQ(::fcntl(ours[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  s->close();
  io.run();
}

TEST(stream, a_program_that_is_started_meanwhile_does_not_inherit_it) {
  one_shot_server server(server_kind::plain);
  asio::io_context io;
  const auto s = make_stream(io.get_executor(), nullptr);
  bool connected = false;
  s->connect(server.address(), server.address(), [&](const auto& f) { connected = !f; });
  io.run();
  ASSERT_TRUE(connected);
  int ours = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0 ||
        peer.sin_family != AF_INET || ntohs(peer.sin_port) != server.address().port)
      continue;
    ++ours;
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_EQ(ours, 1);
}

TEST(stream, plain) {
  one_shot_server server(server_kind::plain);
  const auto r = connect_and_read(server, {});
  EXPECT_FALSE(r.error);
  EXPECT_EQ(r.text, "hello");
}

TEST(stream, tls_with_the_right_authority) {
  one_shot_server server(server_kind::secure);
  const auto r =
      connect_and_read(server, {.enabled = true, .ca_file = certificate().certificate()});
  EXPECT_FALSE(r.error) << r.error->why.message();
  EXPECT_EQ(r.text, "hello");
  EXPECT_TRUE(r.valid_until);
  EXPECT_EQ(r.valid_until, valid_until(certificate().certificate()));
}

TEST(stream, tls_refuses_an_unknown_authority) {
  one_shot_server server(server_kind::secure);
  const auto r = connect_and_read(server, {.enabled = true});
  ASSERT_TRUE(r.error);
  EXPECT_EQ(r.error->why.code(), errc::tls_failed);
  EXPECT_THAT(r.error->why.message(), AllOf(HasSubstr("localhost:"), HasSubstr("self-signed")));
}

TEST(stream, tls_refuses_a_certificate_for_another_host) {
  one_shot_server server(server_kind::secure);
  const auto r = connect_and_read(server.address(), server.address(),
                                  {.enabled = true, .ca_file = certificate().certificate()});
  ASSERT_TRUE(r.error);
  EXPECT_EQ(r.error->why.code(), errc::tls_failed);
}

TEST(stream, tls_without_the_check_of_the_name_takes_another_host_but_no_stranger) {
  const tls_options trusted{
      .enabled = true, .ca_file = certificate().certificate(), .check = peer_check::chain};
  {
    one_shot_server server(server_kind::secure);
    const auto r = connect_and_read(server.address(), server.address(), trusted);
    EXPECT_FALSE(r.error);
    EXPECT_EQ(r.text, "hello");
  }
  const tls_files::own_certificate unrelated("unrelated");
  for (const std::string& ca_file : {unrelated.certificate(), std::string()}) {
    one_shot_server server(server_kind::secure);
    auto options = trusted;
    options.ca_file = ca_file;
    const auto r = connect_and_read(server, options);
    ASSERT_TRUE(r.error) << ca_file;
    EXPECT_EQ(r.error->why.code(), errc::tls_failed);
    EXPECT_THAT(r.error->why.message(), HasSubstr("self-signed"));
  }
}

TEST(stream, tls_without_verification_has_to_be_asked_for) {
  one_shot_server server(server_kind::secure);
  const auto r = connect_and_read(server.address(), server.address(),
                                  {.enabled = true, .check = peer_check::nothing});
  EXPECT_FALSE(r.error);
  EXPECT_EQ(r.text, "hello");
}

TEST(stream, tls_can_be_held_to_version_1_2) {
  for (const bool only : {false, true}) {
    one_shot_server server(server_kind::secure);
    const auto r = connect_and_read(
        server, {.enabled = true, .ca_file = certificate().certificate(), .only_1_2 = only});
    EXPECT_FALSE(r.error);
    EXPECT_EQ(r.text, "hello");
    EXPECT_EQ(server.version(), only ? "TLSv1.2" : "TLSv1.3");
  }
}

TEST(stream, tls_with_a_plain_server_is_refused) {
  one_shot_server server(server_kind::plain);
  const auto r = connect_and_read(server, {.enabled = true});
  ASSERT_TRUE(r.error);
  EXPECT_EQ(r.error->why.code(), errc::tls_failed);
  EXPECT_TRUE(r.error->answered);
}

TEST(stream, a_tls_handshake_that_is_cut_is_no_verdict) {
  for (const auto kind : {server_kind::cut_short, server_kind::resets, server_kind::cut_halfway}) {
    one_shot_server server(kind);
    const auto r =
        connect_and_read(server, {.enabled = true, .ca_file = certificate().certificate()});
    ASSERT_TRUE(r.error);
    EXPECT_EQ(r.error->why.code(), errc::unreachable) << r.error->why.message();
    EXPECT_TRUE(r.error->answered);
  }
}

TEST(stream, a_client_certificate_that_is_missing_is_a_refusal_even_when_it_comes_late) {
  one_shot_server server(server_kind::mutual);
  const auto r =
      connect_and_read(server, {.enabled = true, .ca_file = certificate().certificate()});
  if (r.error) {
    EXPECT_EQ(r.error->why.code(), errc::tls_failed);  // TLS 1.2
  } else {
    ASSERT_TRUE(r.refusal) << r.read_error.message();
    EXPECT_EQ(r.refusal->code(), errc::tls_failed);
  }
}

TEST(stream, a_certificate_file_that_cannot_be_read_is_named) {
  asio::io_context io;
  tls_client client({.enabled = true, .ca_file = "/no/such/ca.pem"});
  try {
    make_stream(io.get_executor(), &client);
    FAIL();
  } catch (const configuration_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("/no/such/ca.pem"));
  }
}

TEST(stream, nobody_listens) {
  const endpoint nobody{"127.0.0.1", 1};
  const auto r = connect_and_read(nobody, nobody, {});
  ASSERT_TRUE(r.error);
  EXPECT_EQ(r.error->why.code(), errc::unreachable);
  EXPECT_FALSE(r.error->answered);
  EXPECT_EQ(r.error->why.message(), "127.0.0.1:1 is unreachable: Connection refused");
}

TEST(stream, an_address_that_is_none_is_a_failure_and_no_exception) {
  const auto r = connect_and_read({"nonsense", 1}, {"nonsense", 1}, {});
  ASSERT_TRUE(r.error);
  EXPECT_EQ(r.error->why.code(), errc::unreachable);
}

// ---- tls_client ------------------------------------------------------------------------------

TEST(tls_client, one_context_serves_as_long_as_the_files_stay_as_they_are) {
  tls_client client({.enabled = true, .ca_file = certificate().certificate()});
  const auto first = client.context();
  EXPECT_EQ(client.context(), first);
}

TEST(tls_client, files_that_have_changed_are_read_again_and_bad_ones_are_told_once) {
  const auto ca = certificate().file("rotated.pem");
  std::filesystem::copy(certificate().certificate(), ca);
  tls_client client({.enabled = true, .ca_file = ca});
  const auto first = client.context();
  std::filesystem::remove(ca);
  EXPECT_EQ(client.context(), first) << "the last good one";
  const auto complaint = client.take_complaint();
  ASSERT_TRUE(complaint);
  EXPECT_THAT(complaint->message(), HasSubstr(ca));
  EXPECT_EQ(client.context(), first);
  EXPECT_FALSE(client.take_complaint());
  std::filesystem::copy(certificate().certificate(), ca);
  EXPECT_NE(client.context(), first);
  EXPECT_FALSE(client.take_complaint());
}

}  // namespace
}  // namespace oslo::messaging::net
