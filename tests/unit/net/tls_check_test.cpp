// Which check failed is what an operator learns; nothing is entrusted to a broker that failed one.
#include "net/tls_check.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cstdlib>

#include "net/amqp_link.hpp"
#include "net/tls_client.hpp"
#include "support/log_lines.hpp"
#include "support/tls_broker.hpp"

namespace oslo::messaging::net {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using tls_files::authority;
using tls_files::identity;
using tls_files::manner;
using tls_files::tls_broker;

const std::filesystem::path& folder() {
  struct one {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("oslo-tls-check-" + std::to_string(::getpid()));
    ~one() { std::filesystem::remove_all(path); }
  };
  static const one it;
  return it.path;
}
const authority& trusted() {
  static const authority one(folder(), "trusted");
  return one;
}
const authority& stranger() {
  static const authority one(folder(), "stranger");
  return one;
}
/// That of a broker with which nothing is wrong.
const identity& right() {
  static const identity one = trusted().sign({.name = "right", .hosts = "DNS:localhost"});
  return one;
}

tls_options options() {
  return {.enabled = true, .ca_file = trusted().file()};
}

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
                    const tls_options& tls = options()) {
  tls_broker broker(std::move(how));
  const auto f = shake_hands(broker, host, tls);
  if (!f) return "none";
  EXPECT_TRUE(f->answered);
  const auto start = "TLS with " + endpoint{host, broker.port()}.text() + " failed: ";
  EXPECT_EQ(f->why.code(), errc::tls_failed) << f->why.message();
  EXPECT_TRUE(f->why.message().starts_with(start)) << f->why.message();
  return f->why.message().substr(std::min(start.size(), f->why.message().size()));
}

manner showing(const identity& i) {
  return {.shows = i};
}
manner blurting(std::string bytes) {
  return {.blurts = std::move(bytes)};
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
                   "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} UTC, and it is now .* UTC"));
}

TEST(tls_check, the_day_on_which_it_becomes_valid) {
  EXPECT_THAT(
      refusal(showing(trusted().sign(
          {.name = "new", .hosts = "DNS:localhost", .from_seconds = 600, .until_seconds = 7200}))),
      MatchesRegex("the certificate of CN=new is not valid before "
                   "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} UTC, and it is now .* UTC"));
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
  EXPECT_FALSE(shake_hands(broker, "bus.example", options()));
  EXPECT_FALSE(shake_hands(broker, "127.0.0.1", options()));
  const auto seen = broker.visits(2);
  EXPECT_EQ(seen[0].asked_for, "bus.example");
  EXPECT_EQ(seen[1].asked_for, "");
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
  auto only = options();
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
    const auto f = shake_hands(broker, "localhost", options());
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
    if (!shake_hands(broker, "localhost", options())) return n;
  }
}

TEST(tls_check, a_handshake_that_is_cut_after_whatever_byte_is_no_verdict) {
  for (const int newest : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto enough = bytes_of_handshake(newest);
    tls_broker broker({});
    int cut = 0;
    for (std::size_t n = 0; n < enough; n += 11) {
      broker.become({.shows = right(), .newest = newest, .cut_after = n});
      const auto f = shake_hands(broker, "localhost", options());
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
    int failed = 0;
    for (std::size_t n = 0; n < enough; n += 17) {
      broker.become({.shows = right(), .newest = newest, .damages = n});
      boost::asio::io_context io;
      tls_client client(options());
      const auto s = make_stream(io.get_executor(), &client);
      std::optional<dial_failure> outcome;
      s->connect({"127.0.0.1", broker.port()}, {"localhost", broker.port()},
                 [&](std::optional<dial_failure> f) { outcome = std::move(f); });
      // A length that became too large makes it wait for more: that ends at the limit of the dial.
      io.run_for(20ms);
      failed += outcome ? 1 : 0;
    }
    EXPECT_GT(failed, 20);
  }
}

// ---- A client's certificate, and what is entrusted to whom -------------------------------------

struct told : link_user {
  void link_up() override { up = true; }
  void link_down(const link_loss& loss) override {
    last = loss;
    ++downs;
  }
  bool up = false;
  int downs = 0;
  std::optional<link_loss> last;
};

struct linked {
  linked(std::uint16_t port, tls_options tls, const std::string& host = "localhost",
         const std::string& mechanism = "PLAIN") {
    link_settings s;
    s.brokers = {{{host, port}, "somebody", "s3cr3t"}};
    s.amqp.mechanism = mechanism;
    s.tls = std::move(tls);
    s.backoff = {0ms, 1.0, 0ms, 0ms};
    s.verdict_pause = 1ms;
    s.purpose = "test";
    link = std::make_shared<amqp_link>(io.get_executor(), s, log.into());
    link->serve(user);
    link->open();
  }
  ~linked() {
    bool done = false;
    link->shut(5s, [&] { done = true; });
    run_until([&] { return done; });
  }
  void run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("waited in vain");
      io.restart();
      io.run_one_for(100ms);
    }
  }
  std::string refusal() {
    run_until([&] { return user.last.has_value(); });
    EXPECT_TRUE(user.last->verdict) << user.last->why.message();
    EXPECT_EQ(user.last->why.code(), errc::tls_failed);
    return user.last->why.message();
  }

  boost::asio::io_context io;
  messaging::testing::log_lines log;
  told user;
  std::shared_ptr<amqp_link> link;
};

TEST(tls_check, a_broker_that_passes_every_check_gets_the_password) {
  tls_broker broker(showing(right()));
  {
    linked l(broker.port(), options());
    l.run_until([&] { return l.user.up; });
  }
  const auto seen = broker.visits(1);
  EXPECT_THAT(seen[0].heard, HasSubstr(std::string("\0somebody\0s3cr3t", 16)));
  EXPECT_THAT(seen[0].raw, Not(HasSubstr("s3cr3t")));
}

TEST(tls_check, a_broker_that_fails_a_check_hears_nothing) {
  const manner all[] = {
      showing(trusted().sign({.name = "x", .hosts = "DNS:other"})),
      showing(trusted().sign({.name = "x", .hosts = "DNS:localhost", .until_seconds = -60})),
      showing(trusted().sign({.name = "x", .hosts = "DNS:localhost", .from_seconds = 600})),
      showing(stranger().sign({.name = "x", .hosts = "DNS:localhost"})),
      showing(trusted().self_signed({.name = "x", .hosts = "DNS:localhost"})),
      {.shows = stranger().sign({.name = "x", .hosts = "DNS:localhost"}), .newest = TLS1_2_VERSION},
      {.shows = right(), .newest = TLS1_1_VERSION},
      blurting("hello"),
      blurting({"AMQP\0\0\x9\1", 8}),
  };
  for (const auto& how : all) {
    tls_broker broker(how);
    {
      linked l(broker.port(), options());
      l.run_until([&] { return l.user.downs >= 3; });
      EXPECT_TRUE(l.user.last->verdict) << l.user.last->why.message();
      EXPECT_FALSE(l.user.up);
      EXPECT_EQ(l.log.count(log_level::error, "TLS with localhost:"), 1)
          << "neither silent nor at every try";
    }
    for (const auto& v : broker.visits(3)) {
      EXPECT_THAT(v.raw, AllOf(Not(IsEmpty()), Not(HasSubstr("s3cr3t")), Not(HasSubstr("AMQP"))));
      EXPECT_THAT(v.heard, IsEmpty());
    }
  }
}

TEST(tls_check, a_client_certificate_that_is_missing_is_said_so_however_late) {
  for (const int newest : {TLS1_2_VERSION, TLS1_3_VERSION})
    for (int i = 0; i < 10; ++i) {
      tls_broker broker({.shows = right(), .asks_for = trusted().file(), .newest = newest});
      linked l(broker.port(), options());
      EXPECT_THAT(l.refusal(),
                  EndsWith("\": it asks for a client certificate, and ssl_cert_file is not set"));
    }
}

TEST(tls_check, a_client_certificate_that_is_refused_is_named_with_the_brokers_words) {
  struct {
    identity mine;
    const char* words;
  } const cases[] = {
      {stranger().sign({.name = "store"}), "\"unknown ca\""},
      {trusted().sign({.name = "store", .from_seconds = -7200, .until_seconds = -60}),
       "\"certificate expired\""},
  };
  for (const auto& [mine, words] : cases)
    for (const int newest : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      tls_broker broker({.shows = right(), .asks_for = trusted().file(), .newest = newest});
      auto o = options();
      o.cert_file = mine.certificate;
      o.key_file = mine.key;
      linked l(broker.port(), o);
      EXPECT_THAT(l.refusal(),
                  AllOf(HasSubstr(std::string("the broker refused, with the alert ") + words),
                        EndsWith(": it asked for a client certificate and got that of "
                                 "ssl_cert_file " +
                                 mine.certificate)));
    }
}

TEST(tls_check, external_shows_the_certificate_and_no_password) {
  const auto mine = trusted().sign({.name = "store"});
  tls_broker broker({.shows = right(), .asks_for = trusted().file()});
  auto o = options();
  o.cert_file = mine.certificate;
  o.key_file = mine.key;
  {
    linked l(broker.port(), o, "localhost", "EXTERNAL");
    // The script's broker offers no EXTERNAL.
    l.run_until([&] { return l.user.last.has_value(); });
    EXPECT_THAT(l.user.last->why.message(),
                HasSubstr("does not offer the login mechanism EXTERNAL"));
  }
  for (const auto& v : broker.visits(1)) {
    EXPECT_TRUE(v.done);
    EXPECT_THAT(v.heard, Not(HasSubstr("s3cr3t")));
  }
}

TEST(tls_check, new_files_are_used_for_the_next_connection) {
  namespace fs = std::filesystem;
  const auto take = [](const std::string& from, const fs::path& to) {
    fs::copy_file(from, to, fs::copy_options::overwrite_existing);
  };
  const authority next(folder(), "next");
  const auto ca = folder() / "in-use-ca.pem", pem = folder() / "in-use.pem",
             key = folder() / "in-use.key";
  const auto put = [&](const authority& from) {
    const auto mine = from.sign({.name = "store"});
    take(from.file(), ca);
    take(mine.certificate, pem);
    take(mine.key, key);
  };
  const auto of = [](const authority& from) {
    return manner{.shows = from.sign({.name = "bus", .hosts = "DNS:localhost"}),
                  .asks_for = from.file()};
  };
  put(trusted());
  tls_broker broker(of(trusted()));
  linked l(broker.port(), {.enabled = true, .ca_file = ca, .cert_file = pem, .key_file = key});
  l.run_until([&] { return l.user.up; });
  // The broker is first, and then the client's turn.
  broker.become(of(next));
  broker.drop();
  l.run_until([&] { return l.user.last && l.user.last->verdict; });
  EXPECT_THAT(l.user.last->why.message(), HasSubstr("CN=next"));
  l.user.up = false;
  put(next);
  l.run_until([&] { return l.user.up; });
}

TEST(tls_check, a_key_of_another_certificate_is_named) {
  const auto other = trusted().sign({.name = "other"});
  try {
    tls_client({.enabled = true, .cert_file = right().certificate, .key_file = other.key})
        .context();
    FAIL();
  } catch (const configuration_error& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("ssl_key_file " + other.key + " cannot be used: "),
                                HasSubstr("mismatch")));
  }
}

}  // namespace
}  // namespace oslo::messaging::net
