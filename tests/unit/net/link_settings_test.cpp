#include "net/link_settings.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <functional>

#include "support/tls_files.hpp"

namespace oslo::messaging::net {
namespace {

using testing::HasSubstr;
using tls_files::certificate;

link_settings usual() {
  link_settings s;
  s.brokers = {{{"one", 5672}}, {{"two", 5672}}};
  return s;
}

/// What `check` says when `spoil` has changed the settings; empty: nothing.
std::string complaint(const std::function<void(link_settings&)>& spoil) {
  auto s = usual();
  spoil(s);
  try {
    check(s);
  } catch (const configuration_error& e) {
    EXPECT_EQ(e.failure().code(), errc::invalid_config);
    return e.what();
  }
  return {};
}

TEST(link_settings, usual_ones_pass) {
  EXPECT_EQ(complaint([](auto&) {}), "");
  EXPECT_EQ(complaint([](auto& s) {
              s.tls = {true, certificate().certificate(), certificate().certificate(),
                       certificate().key()};
            }),
            "");
}

TEST(link_settings, what_could_never_work_is_refused_with_the_reason) {
  EXPECT_THAT(complaint([](auto& s) { s.brokers.clear(); }), HasSubstr("no broker"));
  EXPECT_THAT(complaint([](auto& s) { s.brokers[1].where.host = ""; }), HasSubstr("no host name"));
  EXPECT_THAT(complaint([](auto& s) { s.brokers[1].where.port = 0; }), HasSubstr("two has port 0"));
  EXPECT_THAT(complaint([](auto& s) { s.amqp.vhost = std::string(300, 'v'); }),
              HasSubstr("one:5672"));
  EXPECT_THAT(complaint([](auto& s) { s.amqp.mechanism = "GSSAPI"; }), HasSubstr("GSSAPI"));
  EXPECT_THAT(complaint([](auto& s) { s.brokers[1].username = std::string(5'000, 'u'); }),
              HasSubstr("two:5672"));
  EXPECT_THAT(complaint([](auto& s) {
                s.amqp.mechanism = "PLAIN";
                s.brokers[1].username = std::string("a\0b", 3);
              }),
              HasSubstr("null byte"));
}

/// OpenSSL would ask for its password on the terminal, and the loop would wait for an answer.
TEST(link_settings, an_encrypted_key_is_refused_and_nobody_is_asked) {
  const auto key = certificate().file("encrypted.pem");
  const auto command = "openssl ec -in " + certificate().key() +
                       " -aes256 -passout pass:secret -out " + key + " 2>/dev/null";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_THAT(complaint([&](auto& s) {
                s.tls = {true, certificate().certificate(), certificate().certificate(), key};
              }),
              HasSubstr("encrypted.pem cannot be used: it is encrypted"));
  const auto with = [&](const char* password) {
    return complaint([&](auto& s) {
      s.tls = {true, certificate().certificate(), certificate().certificate(), key, password};
    });
  };
  EXPECT_THAT(with("another"), HasSubstr("its password is not the one that was given"));
  EXPECT_EQ(with("secret"), "");
}

TEST(link_settings, a_password_is_not_shown) {
  const auto text =
      complaint([](auto& s) { s.brokers[1].password = "secret" + std::string(5'000, 'p'); });
  EXPECT_THAT(text, HasSubstr("two:5672"));
  EXPECT_THAT(text, testing::Not(HasSubstr("secret")));
}

TEST(link_settings, certificates_that_cannot_be_used_are_named) {
  const auto cert = certificate().certificate(), key = certificate().key();
  EXPECT_THAT(complaint([](auto& s) { s.tls = {.enabled = true, .ca_file = "/no/ca.pem"}; }),
              HasSubstr("ssl_ca_file /no/ca.pem"));
  EXPECT_THAT(complaint([&](auto& s) {
                s.tls = {.enabled = true, .ca_file = cert, .cert_file = "/no/cert.pem"};
              }),
              HasSubstr("ssl_cert_file /no/cert.pem"));
  EXPECT_THAT(complaint([&](auto& s) {
                s.tls = {true, cert, cert, "/no/key.pem"};
              }),
              HasSubstr("ssl_key_file /no/key.pem"));
  EXPECT_THAT(
      complaint([&](auto& s) { s.tls = {.enabled = true, .ca_file = cert, .cert_file = cert}; }),
      HasSubstr("Without ssl_key_file"));
  EXPECT_THAT(
      complaint([&](auto& s) { s.tls = {.enabled = true, .ca_file = cert, .key_file = key}; }),
      HasSubstr("needs ssl_cert_file"));
  static const tls_files::own_certificate other("other");
  EXPECT_THAT(complaint([&](auto& s) {
                s.tls = {true, cert, cert, other.key()};
              }),
              HasSubstr("ssl_key_file " + other.key()));
  EXPECT_EQ(complaint([](auto& s) { s.tls = {.enabled = false, .ca_file = "/no/ca.pem"}; }), "");
}

}  // namespace
}  // namespace oslo::messaging::net
