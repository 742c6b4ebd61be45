#include "drivers/amqp1/connection.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "support/amqp1_peer.hpp"
#include "support/proton_leaks.hpp"

namespace oslo::messaging::amqp1 {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using outcome = disposition::outcome;

/// Writes down what it is told.
struct recorder final : connection_events {
  std::vector<std::string> events;
  std::optional<ending> end;
  std::string body;
  delivery_id last = 0;
  peer_description peer;

  void on_open(const peer_description& p) override {
    peer = p;
    events.push_back("open " + p.product + (p.anonymous_relay ? " relay" : ""));
  }
  void on_closed(const ending& why) override {
    end = why;
    events.push_back("closed");
  }
  void on_link_open(link_id l, std::string_view address) override {
    events.push_back("link " + std::to_string(l) + " " + std::string(address));
  }
  void on_link_closed(link_id l, const condition& why) override {
    events.push_back("ended " + std::to_string(l) + " " + why.name);
  }
  void on_link_gone(link_id l) override { events.push_back("gone " + std::to_string(l)); }
  void on_credit(link_id l) override { credits.push_back(l); }
  void on_outcome(link_id l, delivery_id m, const disposition& v) override {
    events.push_back("outcome " + std::to_string(l) + " " + std::to_string(m) + " " +
                     std::to_string(static_cast<int>(v.what)) + (v.failed ? " failed" : "") +
                     (v.why.name.empty() ? "" : " " + v.why.name));
  }
  void on_delivery(link_id l, delivery_id m, std::string_view bytes, bool settled) override {
    last = m;
    body = bytes;
    events.push_back("message " + std::to_string(l) + " " + std::to_string(bytes.size()) +
                     (settled ? " settled" : ""));
  }
  std::vector<link_id> credits;
  std::vector<std::string> take() { return std::exchange(events, {}); }
};

struct amqp1_connection : ::testing::Test {
  amqp1_script::peer broker;
  recorder user;
  connection::instant now{1h};
  connection_options options{.container_id = "test", .properties = {{"process", "p"}}};
  std::optional<connection> c;

  void start() {
    broker.begin();
    c.emplace(options, user, now);
  }
  void connect() {
    start();
    run();
    ASSERT_TRUE(c->is_open());
    user.take();
  }
  void run() {
    for (bool more = true; more;) {
      more = false;
      if (c->has_output()) {
        std::string out;
        c->take_output(out);
        broker.take(out);
        more = true;
      }
      if (const auto said = broker.output(); !said.empty()) {
        c->on_bytes(said, now);
        more = true;
      }
    }
  }
  std::string end_of(ending e) { return to_failure(e, "b:1").message(); }
};

TEST_F(amqp1_connection, opens_and_learns_who_the_broker_is) {
  options.properties.emplace_back("node", "n");
  options.hostname = "vh";
  start();
  run();
  EXPECT_THAT(user.take(), ElementsAre("open qpid-cpp relay"));
  EXPECT_EQ(broker.container, "test");
  EXPECT_EQ(broker.hostname, "vh");
  EXPECT_EQ(broker.properties.at("process"), "p");
  EXPECT_EQ(broker.properties.at("node"), "n");
}

TEST_F(amqp1_connection, brokers_without_a_name_or_a_relay) {
  broker.product = "";
  broker.relay = false;
  start();
  run();
  EXPECT_THAT(user.take(), ElementsAre("open "));
}

TEST_F(amqp1_connection, a_message_goes_out_and_its_outcome_comes_back) {
  connect();
  broker.accepts = false;
  const auto l = c->open_sender("a");
  EXPECT_EQ(c->credit(l), 0u);
  run();
  EXPECT_THAT(user.take(), ElementsAre("link 1 a"));
  EXPECT_THAT(user.credits, ::testing::Contains(l));
  EXPECT_EQ(c->credit(l), 100u);
  const auto m = c->send(l, "one", false);
  c->send(l, "two", false);
  c->send(l, "three", false);
  c->send(l, "four", true);
  run();
  ASSERT_EQ(broker.received.size(), 4u);
  EXPECT_EQ(broker.received[0].bytes, "one");
  EXPECT_TRUE(broker.received[3].settled);
  broker.settle(PN_ACCEPTED);
  broker.settle(PN_REJECTED, "amqp:not-found");
  broker.settle(PN_MODIFIED, nullptr, true);
  run();
  const auto n = [&](delivery_id of) { return "outcome 1 " + std::to_string(of) + " "; };
  EXPECT_THAT(user.take(), ::testing::UnorderedElementsAre(
                               n(m) + "0", n(m + 1) + "1 amqp:not-found", n(m + 2) + "3 failed"));
}

TEST_F(amqp1_connection, no_credit_is_no_message) {
  broker.credit = 0;
  connect();
  const auto l = c->open_sender("a");
  run();
  EXPECT_EQ(c->credit(l), 0u);
  user.credits.clear();
  broker.grant("a", 1);
  run();
  EXPECT_THAT(user.credits, ElementsAre(l));
  EXPECT_EQ(c->credit(l), 1u);
  c->send(l, "x", true);
  EXPECT_EQ(c->credit(l), 0u);
}

TEST_F(amqp1_connection, messages_come_in_and_are_settled_in_every_way) {
  connect();
  const auto l = c->open_receiver("a", 10);
  run();
  EXPECT_EQ(broker.credit_of("a"), 10);
  user.take();
  std::vector<delivery_id> taken;
  for (int i = 0; i < 5; ++i) {
    broker.deliver("a", "body");
    run();
    taken.push_back(user.last);
  }
  EXPECT_EQ(user.take().front(), "message 1 4");
  c->settle(l, taken[0], settlement::accept);
  c->settle(l, taken[1], settlement::release);
  c->settle(l, taken[2], settlement::give_back);
  c->settle(l, taken[3], settlement::reject);
  c->settle(l, taken[4], settlement::not_for_us);
  c->settle(l, taken[4], settlement::accept);
  run();
  EXPECT_EQ(broker.outcome(0), "accepted");
  EXPECT_EQ(broker.outcome(1), "released");
  EXPECT_EQ(broker.outcome(2), "modified");
  EXPECT_EQ(broker.outcome(3), "rejected");
  EXPECT_EQ(broker.outcome(4), "modified");
  EXPECT_EQ(broker.credit_of("a"), 5);
  c->add_credit(l, 5);
  run();
  EXPECT_EQ(broker.credit_of("a"), 10);
  broker.deliver("a", "settled already", true);
  run();
  EXPECT_THAT(user.take(), ElementsAre("message 1 15 settled"));
}

TEST_F(amqp1_connection, revoked_credit_stops_the_broker) {
  connect();
  const auto l = c->open_receiver("a", 10);
  run();
  c->revoke_credit(l);
  run();
  EXPECT_EQ(broker.credit_of("a"), 0);
  c->revoke_credit(l);
  run();
  EXPECT_EQ(broker.credit_of("a"), 0);
}

TEST_F(amqp1_connection, a_large_message_comes_in_pieces_and_a_larger_one_is_refused) {
  options.max_message = 300'000;
  connect();
  c->open_receiver("a", 10);
  run();
  user.take();
  std::string large(300'000, 'x');
  large[299'999] = 'y';
  broker.deliver("a", large);
  run();
  EXPECT_THAT(user.take(), ElementsAre("message 1 300000"));
  EXPECT_EQ(user.body, large);
  broker.deliver("a", large + "z");
  broker.deliver("a", "next");
  run();
  EXPECT_THAT(user.take(), ElementsAre("message 1 4"));
  EXPECT_EQ(broker.outcome(1), "rejected");
}

TEST_F(amqp1_connection, the_broker_names_the_node_of_the_reply_link) {
  connect();
  c->open_reply_receiver(20);
  run();
  EXPECT_THAT(user.take(), ElementsAre("link 1 reply-1"));
  EXPECT_EQ(broker.credit_of("reply-1"), 20);
}

TEST_F(amqp1_connection, refused_and_ended_links_say_why) {
  broker.refused["closed"] = "amqp:unauthorized-access";
  connect();
  c->open_sender("closed");
  const auto l = c->open_receiver("a", 1);
  run();
  EXPECT_THAT(user.take(),
              ::testing::UnorderedElementsAre("ended 1 amqp:unauthorized-access", "link 2 a"));
  broker.detach("a", true, "amqp:resource-deleted");
  run();
  EXPECT_THAT(user.take(), ElementsAre("ended 2 amqp:resource-deleted"));
  // Ids of links that are gone do nothing.
  c->add_credit(l, 1);
  c->revoke_credit(l);
  c->settle(l, 1, settlement::accept);
  c->close_link(l);
  EXPECT_EQ(c->credit(l), 0u);
  run();
  EXPECT_THAT(user.take(), IsEmpty());
}

/// Broker-J takes it for a mistake, and ends the session.
TEST_F(amqp1_connection, no_credit_is_given_to_a_link_that_is_not_accepted) {
  broker.missing.insert("a");
  connect();
  std::string out;
  c->open_receiver("a", 10);
  ASSERT_TRUE(c->has_output());
  c->take_output(out);
  EXPECT_EQ(out.find("\x53\x13"), out.npos);  // the descriptor of a flow
  broker.take(out);
  run();
  EXPECT_THAT(user.take(), ElementsAre("ended 1 amqp:not-found"));
  const auto l = c->open_receiver("b", 10);
  c->revoke_credit(l);
  run();
  EXPECT_EQ(broker.credit_of("b"), 0);
}

TEST_F(amqp1_connection, a_link_ends_when_asked_to) {
  connect();
  const auto l = c->open_receiver("a", 1);
  run();
  user.take();
  broker.deliver("a", "on its way");
  c->close_link(l);
  run();
  EXPECT_THAT(user.take(), ElementsAre("gone 1"));
  EXPECT_FALSE(broker.has_link("a", true));
}

TEST_F(amqp1_connection, closing_is_a_handshake) {
  connect();
  c->close();
  run();
  EXPECT_TRUE(broker.closed_by_client);
  ASSERT_TRUE(user.end);
  EXPECT_EQ(to_failure(*user.end, "b:1").code(), errc::closed);
}

TEST_F(amqp1_connection, endings_by_the_broker) {
  struct row {
    const char* why;
    errc code;
  };
  for (const auto& [why, code] :
       {row{"amqp:connection:forced", errc::unreachable},
        row{"amqp:not-found", errc::vhost_not_found}, row{"amqp:not-allowed", errc::access_refused},
        row{"amqp:unauthorized-access", errc::access_refused},
        row{"amqp:resource-limit-exceeded", errc::limit_exceeded},
        row{"amqp:internal-error", errc::broker_error}}) {
    connect();
    broker.close(why, "two\nlines");
    run();
    ASSERT_TRUE(user.end) << why;
    const auto f = to_failure(*std::exchange(user.end, std::nullopt), "b:1");
    EXPECT_EQ(f.code(), code) << why;
    EXPECT_EQ(f.message(), std::string("b:1 ended the connection: ") + why + ": two lines");
    EXPECT_FALSE(c->is_open());
  }
}

TEST_F(amqp1_connection, a_session_that_ends_and_a_redirect_end_it) {
  connect();
  broker.end_session();
  run();
  ASSERT_TRUE(user.end);
  EXPECT_EQ(end_of(*std::exchange(user.end, std::nullopt)),
            "b:1 ended the connection: the session has ended");
  connect();
  broker.redirect("elsewhere", 5673);
  run();
  ASSERT_TRUE(user.end);
  EXPECT_EQ(to_failure(*user.end, "b:1").code(), errc::unreachable);
  EXPECT_THAT(end_of(*user.end), HasSubstr("b:1 sends us to elsewhere:5673"));
}

TEST_F(amqp1_connection, a_stream_that_ends) {
  connect();
  c->on_stream_end("reset by peer", now);
  c->on_stream_end("again", now);
  EXPECT_THAT(user.take(), ElementsAre("closed"));
  EXPECT_EQ(end_of(*user.end), "b:1 closed the connection: reset by peer");
}

TEST_F(amqp1_connection, a_login_with_user_and_password) {
  options.username = "ada";
  options.password = "secret";
  options.mechanisms = "PLAIN";
  start();
  std::string out;
  ASSERT_TRUE(c->has_output());
  c->take_output(out);
  EXPECT_EQ(out, std::string("AMQP\x03\x01\x00\x00", 8));
  // Proton's own server does not offer it without TLS.
  c->on_bytes(std::string("AMQP\x03\x01\x00\x00"
                          "\x00\x00\x00\x18\x02\x01\x00\x00\x00\x53\x40"
                          "\xc0\x0b\x01\xe0\x08\x01\xa3\x05PLAIN",
                          32),
              now);
  ASSERT_TRUE(c->has_output());
  c->take_output(out);
  EXPECT_THAT(out, HasSubstr(std::string("\0ada\0secret", 11)));
}

TEST_F(amqp1_connection, a_refused_login_is_a_verdict) {
  options.mechanisms = "PLAIN";  // without a user
  start();
  run();
  ASSERT_TRUE(user.end);
  EXPECT_EQ(to_failure(*user.end, "b:1").code(), errc::authentication_failed);
  EXPECT_THAT(end_of(*user.end), HasSubstr("b:1 refused the login"));
}

TEST_F(amqp1_connection, garbage_ends_it) {
  for (const std::string& bytes :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string(4096, '\0'),
        std::string("AMQP\x00\x00\x09\x01", 8)}) {
    start();
    c->on_bytes(bytes, now);
    ASSERT_TRUE(user.end);
    EXPECT_EQ(to_failure(*std::exchange(user.end, std::nullopt), "b:1").code(),
              errc::protocol_error);
  }
  connect();
  c->on_bytes(std::string("\x00\x00\x00\x03\x02\x00\x00\x00", 8), now);
  ASSERT_TRUE(user.end);
  EXPECT_EQ(to_failure(*user.end, "b:1").code(), errc::protocol_error);
}

TEST_F(amqp1_connection, a_login_without_end_ends_it) {
  start();
  c->on_bytes(std::string("AMQP\x03\x01\x00\x00", 8), now);
  // A list of mechanisms, again and again.
  const std::string mechanisms(
      "\0\0\0\x1c\2\1\0\0\0\x53\x40\xc0\x0f\1\xe0\x0c\1\xa3\x09"
      "ANONYMOUS",
      28);
  for (int i = 0; i < 20'000 && !user.end; ++i) c->on_bytes(mechanisms, now);
  ASSERT_TRUE(user.end);
  EXPECT_EQ(to_failure(*user.end, "b:1").code(), errc::protocol_error);
  EXPECT_THAT(to_failure(*user.end, "b:1").message(), HasSubstr("its login has no end"));
}

/// Everything a broker says in a session, with a few bytes changed, cut or doubled.
TEST_F(amqp1_connection, damaged_bytes_end_it_once_or_not_at_all) {
  std::mt19937 random(1);
  const auto below = [&](std::size_t n) { return random() % n; };
  const auto damage = [&](std::string& bytes) {
    if (bytes.empty()) return;
    switch (below(4)) {
      case 0: bytes[below(bytes.size())] = static_cast<char>(random()); break;
      case 1: bytes.resize(below(bytes.size())); break;
      case 2: bytes += bytes.substr(below(bytes.size())); break;
      default: break;
    }
  };
  for (int round = 0; round < 3'000; ++round) {
    start();
    const auto talk = [&] {
      for (int i = 0; i < 6 && !user.end; ++i) {
        std::string out;
        while (c->has_output()) {
          c->take_output(out);
          broker.take(out);
        }
        auto said = broker.output();
        if (said.empty()) break;
        if (below(8) == 0) damage(said);
        c->on_bytes(said, now);
      }
    };
    talk();
    if (c->is_open()) {
      const auto in = c->open_receiver("a", 10), out = c->open_sender("b");
      talk();
      for (int i = 0; i < 3 && c->is_open(); ++i) {
        if (broker.has_link("a", true)) broker.deliver("a", std::string(below(500), 'x'));
        if (c->credit(out) > 0) c->send(out, "message", i == 0);
        talk();
        c->settle(in, user.last, settlement::accept);
        now += 1s;
        c->on_tick(now);
      }
    }
    if (!user.end) c->on_stream_end("done", now);
    EXPECT_EQ(std::ranges::count(user.events, "closed"), 1) << round;
    user.take();
    user.end.reset();
  }
}

TEST_F(amqp1_connection, silence_is_noticed_and_broken) {
  options.idle_timeout = 10s;
  connect();
  const auto next = c->next_deadline();
  ASSERT_LT(next, now + 11s);
  now += 11s;
  c->on_tick(now);
  ASSERT_TRUE(user.end);
  EXPECT_EQ(to_failure(*user.end, "b:1").code(), errc::unreachable);
  EXPECT_THAT(end_of(*user.end), HasSubstr("silent for too long"));
}

TEST_F(amqp1_connection, without_an_idle_timeout_nothing_is_due) {
  connect();
  EXPECT_EQ(c->next_deadline(), connection::instant::max());
}

TEST_F(amqp1_connection, frames_are_traced_after_the_login) {
  std::vector<std::string> lines;
  options.trace = [&](std::string_view line) { lines.emplace_back(line); };
  connect();
  c->open_sender("traced-address");
  run();
  EXPECT_THAT(lines, ::testing::Contains(HasSubstr("traced-address")));
  EXPECT_THAT(lines, ::testing::Not(::testing::Contains(HasSubstr("sasl"))));
}

}  // namespace
}  // namespace oslo::messaging::amqp1
