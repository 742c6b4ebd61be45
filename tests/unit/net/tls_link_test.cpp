// What a link entrusts to a broker behind TLS, and what it says when one of the two refuses.
#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <optional>

#include "net/amqp_link.hpp"
#include "net/tls_client.hpp"
#include "support/log_lines.hpp"
#include "support/tls_peers.hpp"

namespace oslo::messaging::net {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace tls_files;

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

TEST(tls_link, a_broker_that_passes_every_check_gets_the_password) {
  tls_broker broker(showing(right()));
  {
    linked l(broker.port(), trusting());
    l.run_until([&] { return l.user.up; });
  }
  const auto seen = broker.visits(1);
  EXPECT_THAT(seen[0].heard, HasSubstr(std::string("\0somebody\0s3cr3t", 16)));
  EXPECT_THAT(seen[0].raw, Not(HasSubstr("s3cr3t")));
}

TEST(tls_link, a_broker_that_fails_a_check_hears_nothing) {
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
      linked l(broker.port(), trusting());
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

TEST(tls_link, a_client_certificate_that_is_missing_is_said_so_however_late) {
  for (const int newest : {TLS1_2_VERSION, TLS1_3_VERSION})
    for (int i = 0; i < 10; ++i) {
      tls_broker broker({.shows = right(), .asks_for = trusted().file(), .newest = newest});
      linked l(broker.port(), trusting());
      EXPECT_THAT(l.refusal(),
                  EndsWith("\": it asks for a client certificate, and ssl_cert_file is not set"));
    }
}

TEST(tls_link, a_client_certificate_that_is_refused_is_named_with_the_brokers_words) {
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
      auto o = trusting();
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

TEST(tls_link, external_shows_the_certificate_and_no_password) {
  const auto mine = trusted().sign({.name = "store"});
  tls_broker broker({.shows = right(), .asks_for = trusted().file()});
  auto o = trusting();
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

TEST(tls_link, new_files_are_used_for_the_next_connection) {
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

TEST(tls_link, a_key_of_another_certificate_is_named) {
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
