// Which check failed is what an operator learns; nothing is entrusted to a broker that failed one.
#include "net/tls_check.hpp"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <cstdlib>

#include "net/tls_client.hpp"
#include "support/tls_peers.hpp"

namespace oslo::messaging::net {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using namespace tls_files;

/// What became of one handshake.
std::optional<dial_failure> shake_hands(tls_broker& with, const std::string& host,
                                        const tls_options& tls) {
  boost::asio::io_context io;
  tls_client client(tls);
  const auto s = make_stream(io.get_executor(), &client);
  std::optional<std::optional<dial_failure>> outcome;
  s->connect({"127.0.0.1", with.port()}, {host, with.port()},
             [&](std::optional<dial_failure> f) { outcome = std::move(f); });
  while (!outcome && io.run_one_for(10s) != 0) {
  }
  if (!outcome) throw std::runtime_error("no outcome");
  return *outcome;
}

/// Of a refusal, what follows "TLS with HOST:PORT failed: ".
std::string refusal(manner how, const std::string& host = "localhost",
                    const tls_options& tls = trusting()) {
  tls_broker broker(std::move(how));
  const auto f = shake_hands(broker, host, tls);
  if (!f) return "none";
  EXPECT_TRUE(f->answered);
  const auto start = "TLS with " + endpoint{host, broker.port()}.text() + " failed: ";
  EXPECT_EQ(f->why.code(), errc::tls_failed) << f->why.message();
  EXPECT_TRUE(f->why.message().starts_with(start)) << f->why.message();
  return f->why.message().substr(std::min(start.size(), f->why.message().size()));
}

TEST(tls_check, the_name_that_was_wanted_and_those_in_the_certificate) {
  const auto one =
      showing(trusted().sign({.name = "x", .hosts = "DNS:localhost,IP:127.0.0.2,IP:::1"}));
  EXPECT_EQ(refusal(one), "none");
  EXPECT_EQ(refusal(one, "127.0.0.2"), "none");
  EXPECT_EQ(refusal(one, "::1"), "none");
  EXPECT_EQ(refusal(one, "bus.example"),
            "the certificate is not for bus.example, but for localhost, 127.0.0.2, ::1");
  EXPECT_EQ(refusal(one, "127.0.0.1"),
            "the certificate is not for 127.0.0.1, but for localhost, 127.0.0.2, ::1");
  EXPECT_EQ(refusal(one, "::2"),
            "the certificate is not for ::2, but for localhost, 127.0.0.2, ::1");
}

TEST(tls_check, another_name_than_that_of_the_host_may_be_wanted) {
  const auto one = showing(trusted().sign({.name = "x", .hosts = "DNS:virtual.host"}));
  auto tls = trusting();
  tls.peer_name = "virtual.host";
  EXPECT_EQ(refusal(one, "localhost", tls), "none");
  tls.peer_name = "localhost";
  EXPECT_EQ(refusal(one, "virtual.host", tls),
            "the certificate is not for localhost, but for virtual.host");
}

TEST(tls_check, a_certificate_without_host_names_is_for_its_common_name) {
  const auto one = showing(trusted().sign({.name = "localhost"}));
  EXPECT_EQ(refusal(one), "none");
  EXPECT_EQ(refusal(one, "other"), "the certificate is not for other, but for CN=localhost");
}

TEST(tls_check, one_level_of_names_may_be_left_open) {
  const auto one =
      showing(trusted().sign({.name = "x", .hosts = "DNS:*.bus.test,DNS:b*.example.test"}));
  EXPECT_EQ(refusal(one, "one.bus.test"), "none");
  EXPECT_THAT(refusal(one, "a.one.bus.test"), HasSubstr("not for a.one.bus.test"));
  EXPECT_THAT(refusal(one, "bus.example.test"), HasSubstr("not for bus.example.test"))
      << "as in Python";
}

TEST(tls_check, names_of_a_hostile_certificate_stay_short_and_printable) {
  std::string many = "DNS:" + std::string(250, 'a');
  for (int i = 0; i < 99; ++i) many += ",DNS:host" + std::to_string(i);
  const auto text = refusal(showing(trusted().sign({.name = "x", .hosts = many})));
  EXPECT_THAT(text, AllOf(HasSubstr(std::string(200, 'a') + "..., host0"),
                          EndsWith(", host6 and 92 more")));
  const auto odd = trusted().sign({.name = "two\nlines\x1b[1m", .hosts = "DNS:two\nlines"});
  EXPECT_EQ(refusal(showing(odd)), "the certificate is not for localhost, but for two?lines");
  EXPECT_THAT(refusal(showing(stranger().sign({.name = "two\nlines\x1b[1m"}))),
              AllOf(HasSubstr("two"), Not(HasSubstr("\n")), Not(HasSubstr("\x1b"))));
}

TEST(tls_check, the_day_on_which_it_expired) {
  EXPECT_THAT(
      refusal(showing(trusted().sign(
          {.name = "old", .hosts = "DNS:localhost", .from_seconds = -7200, .until_seconds = -60}))),
      MatchesRegex("the certificate of CN=old has expired on "
                   "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} UTC, and today is [0-9-]{10}"));
}

TEST(tls_check, the_day_on_which_it_becomes_valid) {
  EXPECT_THAT(
      refusal(showing(trusted().sign(
          {.name = "new", .hosts = "DNS:localhost", .from_seconds = 600, .until_seconds = 7200}))),
      MatchesRegex("the certificate of CN=new is not valid before "
                   "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} UTC, and today is [0-9-]{10}"));
}

TEST(tls_check, the_issuer_who_is_not_trusted) {
  const auto one = showing(stranger().sign({.name = "bus", .hosts = "DNS:localhost"}));
  EXPECT_EQ(
      refusal(one),
      "the certificate of CN=bus was signed by CN=stranger, whose own is not in ssl_ca_file " +
          trusted().file());
  EXPECT_THAT(refusal(one, "localhost", {.enabled = true}),
              EndsWith("signed by CN=stranger, whose own is not in the system's certificates"));
}

TEST(tls_check, a_broker_that_signs_for_itself) {
  EXPECT_EQ(refusal(showing(trusted().self_signed({.name = "me", .hosts = "DNS:localhost"}))),
            "the certificate of CN=me is self-signed, and not in ssl_ca_file " + trusted().file());
}

TEST(tls_check, the_systems_authorities_are_trusted_without_a_file) {
  ASSERT_EQ(::setenv("SSL_CERT_FILE", trusted().file().c_str(), 1), 0);
  EXPECT_EQ(refusal(showing(right()), "localhost", {.enabled = true}), "none");
  ::unsetenv("SSL_CERT_FILE");
}

TEST(tls_check, the_broker_learns_the_name_but_no_address) {
  tls_broker broker(
      showing(trusted().sign({.name = "x", .hosts = "DNS:bus.example,IP:127.0.0.1"})));
  EXPECT_FALSE(shake_hands(broker, "bus.example", trusting()));
  EXPECT_FALSE(shake_hands(broker, "127.0.0.1", trusting()));
  const auto seen = broker.visits(2);
  EXPECT_EQ(seen[0].asked_for, "bus.example");
  EXPECT_EQ(seen[1].asked_for, "");
}

/// That of a name which is complete for DNS.
TEST(tls_check, a_dot_behind_the_name_is_none_of_the_name) {
  tls_broker broker(showing(trusted().sign({.name = "x", .hosts = "DNS:bus.example"})));
  EXPECT_FALSE(shake_hands(broker, "bus.example.", trusting()));
  EXPECT_EQ(broker.visits(1)[0].asked_for, "bus.example");
  EXPECT_THAT(refusal(showing(right()), "bus.example."), HasSubstr("not for bus.example., but"));
}

// ---- Versions, and what is no TLS --------------------------------------------------------------

TEST(tls_check, a_broker_with_old_versions_alone) {
  EXPECT_EQ(refusal({.shows = right(), .newest = TLS1_1_VERSION}),
            "the broker refused, with the alert \"protocol version\": it speaks no version of TLS "
            "that is allowed here (1.2 or newer)");
  // One that is too old to know how a client lists its versions answers with its own.
  const std::string hello = std::string("\x02\x00\x00\x26\x03\x02", 6) + std::string(32, 'r') +
                            std::string("\x00\xc0\x13\x00", 4);
  const auto old = blurting(std::string("\x16\x03\x02\x00\x2a", 5) + hello);
  EXPECT_EQ(refusal(old),
            "the broker speaks a version of TLS that is not allowed here (1.2 or newer)");
  auto only = trusting();
  only.only_1_2 = true;
  EXPECT_EQ(refusal(old, "localhost", only),
            "the broker speaks a version of TLS that is not allowed here (1.2 only, because of "
            "ssl_version)");
}

TEST(tls_check, a_port_without_tls) {
  for (const char* greeting : {"hello, client", "HTTP/1.1 400 Bad Request\r\n\r\n"})
    EXPECT_EQ(refusal(blurting(greeting)),
              "what answers there does not speak TLS; is that a plain port?");
  EXPECT_EQ(refusal(blurting({"AMQP\0\0\x9\1", 8})),
            "what answers there does not speak TLS; is that a plain port?");
}

std::string alert(int number) {
  return std::string("\x15\x03\x03\x00\x02\x02", 6) + static_cast<char>(number);
}

TEST(tls_check, alerts_that_an_operator_has_to_see_to) {
  for (const int number : {40, 42, 43, 44, 45, 46, 48, 49, 70, 71, 86, 110, 112, 115, 116, 120}) {
    SCOPED_TRACE(number);
    EXPECT_THAT(refusal(blurting(alert(number))),
                ::testing::StartsWith("the broker refused, with the alert \""));
  }
  EXPECT_EQ(refusal(blurting(alert(112))),
            "the broker refused, with the alert \"unrecognized name\"");
}

TEST(tls_check, alerts_of_a_broker_in_trouble_are_no_verdict) {
  for (const int number : {10, 20, 21, 22, 30, 47, 50, 51, 80, 90, 100}) {
    SCOPED_TRACE(number);
    tls_broker broker(blurting(alert(number)));
    const auto f = shake_hands(broker, "localhost", trusting());
    ASSERT_TRUE(f);
    EXPECT_TRUE(f->answered);
    EXPECT_EQ(f->why.code(), errc::unreachable);
    EXPECT_THAT(
        f->why.message(),
        HasSubstr(" is unreachable: the TLS handshake broke off: the broker sent the alert \""));
    if (number == 80) {
      EXPECT_THAT(f->why.message(), EndsWith("\"internal error\""));
    }
  }
}

// ---- A handshake that is damaged ---------------------------------------------------------------

/// Of the broker's side of one handshake.
std::size_t bytes_of_handshake(int newest) {
  boost::asio::io_context io;
  for (std::size_t n = 1;; n *= 2) {
    tls_broker broker({.shows = right(), .newest = newest, .cut_after = n});
    if (!shake_hands(broker, "localhost", trusting())) return n;
  }
}

TEST(tls_check, a_handshake_that_is_cut_after_whatever_byte_is_no_verdict) {
  for (const int newest : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto enough = bytes_of_handshake(newest);
    tls_broker broker({});
    int cut = 0;
    for (std::size_t n = 0; n < enough; n += 11) {
      broker.become({.shows = right(), .newest = newest, .cut_after = n});
      const auto f = shake_hands(broker, "localhost", trusting());
      if (!f) continue;
      ++cut;
      EXPECT_TRUE(f->answered) << n;
      EXPECT_EQ(f->why.code(), errc::unreachable) << n << ": " << f->why.message();
      EXPECT_THAT(f->why.message(), HasSubstr("the TLS handshake broke off")) << n;
    }
    EXPECT_GT(cut, 50);
  }
}

TEST(tls_check, a_handshake_that_is_damaged_at_whatever_byte_ends) {
  for (const int newest : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto enough = bytes_of_handshake(newest);
    tls_broker broker({});
    for (std::size_t n = 0; n < enough; n += 17) {
      broker.become({.shows = right(), .newest = newest, .damages = n, .says_one_thing = true});
      const auto f = shake_hands(broker, "localhost", trusting());
      EXPECT_TRUE(!f || f->answered) << n;
    }
  }
}

}  // namespace
}  // namespace oslo::messaging::net
