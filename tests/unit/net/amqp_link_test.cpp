#include "net/amqp_link.hpp"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/log_lines.hpp"
#include "support/scripted_broker.hpp"

namespace oslo::messaging::net {
namespace {

using namespace std::chrono_literals;
using amqp_script::method;
using amqp_script::scripted_broker;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Writes down what it is told.
struct recording_user : link_user {
  void link_up() override {
    events.push_back("up");
    if (on_up) on_up();
  }
  void link_down(const link_loss& loss) override {
    events.push_back(std::string(loss.was_open  ? "lost "
                                 : loss.verdict ? "refused "
                                                : "down ") +
                     loss.why.message());
    last = loss;
  }
  void output_drained() override { events.push_back("drained"); }
  void on_blocked(std::string_view reason) override {
    events.push_back("blocked " + std::string(reason));
  }
  void on_unblocked() override { events.push_back("unblocked"); }
  long count(const std::string& start) const {
    return std::ranges::count_if(events, [&](const auto& e) { return e.starts_with(start); });
  }

  std::vector<std::string> events;
  std::optional<link_loss> last;
  std::function<void()> on_up;
};

/// A port that nobody listens on.
std::uint16_t dead_port() {
  boost::asio::io_context io;
  return boost::asio::ip::tcp::acceptor(io, {boost::asio::ip::address_v4::loopback(), 0})
      .local_endpoint()
      .port();
}

struct fixture : ::testing::Test {
  void make(link_settings settings) {
    link = std::make_shared<amqp_link>(io.get_executor(), std::move(settings), log.into());
    link->serve(user);
  }
  void open(link_settings settings) {
    make(std::move(settings));
    link->open();
  }
  void run_until(const std::function<bool()>& done, const char* what) {
    broker.run_until(done, what);
  }
  void connect() {
    open(broker.settings());
    run_until([&] { return link->is_open(); }, "the link");
  }
  void shut(std::chrono::milliseconds limit = 5s) {
    bool done = false;
    link->shut(limit, [&] { done = true; });
    run_until([&] { return done; }, "the end");
  }
  /// The client's socket to the broker.
  int socket_to(std::uint16_t port) {
    for (int fd = 0; fd < 1024; ++fd) {
      sockaddr_in peer{};
      socklen_t size = sizeof peer;
      if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
          peer.sin_family == AF_INET && ntohs(peer.sin_port) == port)
        return fd;
    }
    throw std::runtime_error("no socket");
  }

  boost::asio::io_context io;
  scripted_broker broker{io};
  messaging::testing::log_lines log;
  recording_user user;
  std::shared_ptr<amqp_link> link;
};
using amqp_links = fixture;

TEST_F(amqp_links, connects_says_where_and_says_goodbye) {
  make(broker.settings());
  EXPECT_TRUE(link->is_idle());
  link->open();
  EXPECT_FALSE(link->is_idle());
  EXPECT_EQ(link->peer(), "");
  run_until([&] { return link->is_open(); }, "the link");
  EXPECT_EQ(link->broker_name(), broker.settings().brokers[0].where.text());
  shut();
  EXPECT_TRUE(link->is_shut());
  broker.next(method::connection_close);
  EXPECT_THAT(user.events, ElementsAre("up"));
}

TEST_F(amqp_links, a_host_that_is_down_costs_nothing_while_another_is_well) {
  auto s = broker.settings();
  s.brokers.insert(s.brokers.begin(), 3, {{"127.0.0.1", dead_port()}});
  open(s);
  run_until([&] { return link->is_open(); }, "the link");
  EXPECT_THAT(user.events, ElementsAre("up"));
  shut();
}

TEST_F(amqp_links, a_name_is_looked_up_and_all_its_addresses_are_tried) {
  auto s = broker.settings();
  s.brokers[0].where.host = "localhost";  // which may be ::1 first
  open(s);
  run_until([&] { return link->is_open(); }, "the link");
  EXPECT_TRUE(link->broker_name().starts_with("localhost:"));
  EXPECT_EQ(link->peer(), broker.settings().brokers[0].where.text()) << "a number, not a name";
  shut();
  EXPECT_EQ(link->peer(), "");
}

TEST_F(amqp_links, a_pass_over_all_hosts_is_reported_once) {
  auto s = broker.settings();
  s.brokers = {{{"127.0.0.1", dead_port()}}, {{"127.0.0.1", dead_port()}}};
  open(s);
  run_until([&] { return user.last.has_value(); }, "a failure");
  EXPECT_FALSE(user.last->was_open);
  for (const auto& b : s.brokers)
    EXPECT_THAT(user.events.front(),
                HasSubstr(b.where.text() + " is unreachable: Connection refused"));
  EXPECT_EQ(link->last_failure()->code(), errc::unreachable);
  shut();
}

TEST_F(amqp_links, a_verdict_of_one_host_does_not_hide_the_other) {
  scripted_broker strict(io);
  strict.on(method::connection_start_ok, [](const scripted_broker::request&) {
    return amqp_script::close_frame(0, 403, "ACCESS_REFUSED - Login was refused");
  });
  // The order of the hosts is random: until each has come first.
  for (int i = 0; i < 100 && (i < 8 || strict.connections() == 0); ++i) {
    user.events.clear();
    auto s = broker.settings();
    s.brokers.push_back(strict.settings().brokers[0]);
    open(s);
    run_until([&] { return link->is_open(); }, "the link");
    EXPECT_THAT(user.events, ElementsAre("up"));
    EXPECT_EQ(link->verdict(), nullptr);
    shut();
  }
  EXPECT_GT(strict.connections(), 0);
}

TEST_F(amqp_links, a_verdict_of_every_host_is_one) {
  broker.on(method::connection_start_ok, [](const scripted_broker::request&) {
    return amqp_script::close_frame(0, 403, "ACCESS_REFUSED - Login was refused");
  });
  auto s = broker.settings();
  s.verdict_pause = 1ms;
  open(s);
  run_until([&] { return user.count("refused ") >= 3; }, "verdicts");
  EXPECT_EQ(user.last->why.code(), errc::authentication_failed);
  ASSERT_NE(link->verdict(), nullptr);
  EXPECT_EQ(log.count(log_level::error, "Login was refused"), 1);
  broker.as_usual(method::connection_start_ok);
  run_until([&] { return link->is_open(); }, "the link");
  EXPECT_EQ(link->verdict(), nullptr);
  shut();
}

TEST_F(amqp_links, settings_that_make_connecting_throw_are_failures_and_tried_again) {
  auto s = broker.settings();
  s.amqp.vhost = std::string(300, 'v');
  open(s);
  run_until([&] { return user.count("down ") >= 3; }, "failures");
  EXPECT_THAT(user.events.back(), HasSubstr("allows 255"));
  shut();
}

TEST_F(amqp_links, a_missing_certificate_file_is_a_failure_and_tried_again) {
  auto s = broker.settings();
  s.tls = {.enabled = true, .ca_file = "/no/such/ca.pem"};
  open(s);
  run_until([&] { return user.count("down ") >= 3; }, "failures");
  EXPECT_EQ(user.last->why.code(), errc::invalid_config);
  EXPECT_THAT(user.events.back(), HasSubstr("/no/such/ca.pem"));
  shut();
}

TEST_F(amqp_links, without_file_descriptors_it_tries_until_there_are_some) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer needs a pipe to look at an object's type";
#endif
  for (const char* host : {"127.0.0.1", "localhost"}) {
    user.events.clear();
    auto s = broker.settings();
    s.brokers[0].where.host = host;
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const int first_free = ::dup(0);
    ::close(first_free);
    auto none = before;
    none.rlim_cur = static_cast<rlim_t>(first_free);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    open(s);
    run_until([&] { return user.count("down ") >= 3; }, "failures");
    EXPECT_EQ(user.last->why.code(), errc::unreachable);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    run_until([&] { return link->is_open(); }, "the link");
    shut();
  }
}

TEST_F(amqp_links, a_lost_connection_is_replaced_and_its_last_words_are_handed_on) {
  connect();
  broker.send(amqp_script::close_frame(0, 541, "INTERNAL_ERROR - bug"));
  run_until([&] { return user.count("up") == 2; }, "a new connection");
  EXPECT_TRUE(user.last->was_open);
  ASSERT_TRUE(user.last->closed);
  EXPECT_EQ(user.last->closed->code, 541);
  shut();
}

TEST_F(amqp_links, a_write_that_fails_takes_the_link_down_from_the_loop) {
  connect();
  broker.reset();
  for (int i = 0; i < 1'000 && link->is_open(); ++i) {
    link->machine().open_channel();
    link->flush();
  }
  EXPECT_FALSE(link->is_open());
  EXPECT_THAT(user.events, ElementsAre("up")) << "the caller is in the middle of its own work";
  run_until([&] { return user.count("up") == 2; }, "a new connection");
  EXPECT_EQ(user.count("lost "), 1);
  shut();
}

TEST_F(amqp_links, a_user_that_throws_loses_its_connection_and_nothing_else) {
  bool thrown = false;
  user.on_up = [&] {
    if (!std::exchange(thrown, true)) throw std::runtime_error("boom");
  };
  open(broker.settings());
  run_until([&] { return user.count("up") == 2; }, "a new connection");
  EXPECT_EQ(user.count("lost "), 1);
  EXPECT_TRUE(link->is_open());
  EXPECT_EQ(log.count(log_level::error, "boom"), 1);
  shut();
}

TEST_F(amqp_links, nothing_is_written_between_hold_and_release) {
  connect();
  (void)broker.rest();
  link->hold();
  link->machine().open_channel();
  link->flush_later();
  EXPECT_THAT(broker.rest(), IsEmpty());
  link->release();
  broker.next(method::channel_open);
  shut();
}

std::string blocked_frame() {
  return amqp_script::method_frame(0, method::connection_blocked,
                                   [](auto& w) { w.shortstr("low on memory"); });
}

TEST_F(amqp_links, the_kernel_does_not_end_a_blocked_connection) {
  connect();
  const int fd = socket_to(broker.settings().brokers[0].where.port);
  const auto limit = [&] {
    int value = -1;
    socklen_t size = sizeof value;
    ::getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size);
    return value;
  };
  EXPECT_EQ(limit(), 20'000);
  broker.send(blocked_frame());
  run_until([&] { return link->is_blocked(); }, "blocked");
  EXPECT_EQ(limit(), 0);
  broker.send(amqp_script::method_frame(0, method::connection_unblocked));
  run_until([&] { return !link->is_blocked(); }, "unblocked");
  EXPECT_EQ(limit(), 20'000);
  EXPECT_THAT(user.events, ElementsAre("up", "blocked low on memory", "unblocked"));
  shut();
}

TEST_F(amqp_links, a_blocked_link_does_not_wait_for_a_goodbye) {
  connect();
  broker.on(method::connection_close,
            [](const scripted_broker::request&) { return std::string(); });
  broker.send(blocked_frame());
  run_until([&] { return link->is_blocked(); }, "blocked");
  const auto begun = std::chrono::steady_clock::now();
  shut(9s);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 1s);
}

TEST_F(amqp_links, a_goodbye_that_is_not_answered_ends_at_the_limit) {
  connect();
  broker.on(method::connection_close,
            [](const scripted_broker::request&) { return std::string(); });
  shut(20ms);
  EXPECT_TRUE(link->is_shut());
  EXPECT_THAT(user.events, ElementsAre("up"));
}

TEST_F(amqp_links, a_shut_while_it_connects_ends_at_once) {
  open(broker.settings());
  run_until([&] { return broker.connections() == 1; }, "the dial");
  shut();
  bool again = false;
  link->shut(1s, [&] { again = true; });
  run_until([&] { return again; }, "the second shut");
  EXPECT_THAT(user.events, IsEmpty());
}

TEST_F(amqp_links, the_user_may_shut_it_from_an_event) {
  bool done = false;
  user.on_up = [&] { link->shut(1s, [&] { done = true; }); };
  open(broker.settings());
  run_until([&] { return done; }, "the end");
  EXPECT_THAT(user.events, ElementsAre("up"));
}

TEST_F(amqp_links, who_watches_learns_of_every_change) {
  make(broker.settings());
  std::vector<std::string> seen;
  link->watch([&] {
    std::string now = link->is_shut()   ? "shut"
                      : link->is_open() ? "open"
                      : link->is_idle() ? "idle"
                                        : "connecting";
    if (seen.empty() || seen.back() != now) seen.push_back(now);
  });
  link->open();
  run_until([&] { return link->is_open(); }, "the link");
  shut();
  EXPECT_THAT(seen, ElementsAre("connecting", "open", "shut"));
}

TEST_F(amqp_links, a_silent_peer_is_left_after_the_handshakes_limit) {
  scripted_broker silent(io);
  silent.on(method::connection_start_ok,
            [](const scripted_broker::request&) { return std::string(); });
  auto s = silent.settings();
  s.amqp.handshake_timeout = 50ms;
  s.brokers.push_back(broker.settings().brokers[0]);
  open(s);
  run_until([&] { return link->is_open(); }, "the link");
  EXPECT_THAT(user.events, ElementsAre("up"));
  shut();
}

TEST_F(amqp_links, tls_is_under_the_limit_of_the_dial) {
  // The kernel accepts, and nobody ever says a word.
  boost::asio::ip::tcp::acceptor silent(io, {boost::asio::ip::address_v4::loopback(), 0});
  link_settings s;
  s.brokers = {{{"127.0.0.1", silent.local_endpoint().port()}}};
  s.tls = {.enabled = true, .check = peer_check::nothing};
  s.backoff = {0ms, 1.0, 0ms, 0ms};
  s.connect_timeout = 20ms;
  open(s);
  run_until([&] { return user.count("down ") >= 2; }, "failures");
  EXPECT_THAT(user.events.back(), HasSubstr("did not answer within 20 ms"));
  EXPECT_EQ(user.last->why.code(), errc::unreachable);
  shut();
}

}  // namespace
}  // namespace oslo::messaging::net
