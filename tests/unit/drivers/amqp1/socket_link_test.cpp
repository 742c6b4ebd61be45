#include "drivers/amqp1/socket_link.hpp"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <list>

#include "support/amqp1_peer.hpp"
#include "support/log_lines.hpp"

namespace oslo::messaging::amqp1 {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A scripted broker behind a port of this machine, on the loop of the test.
class port_of_peer {
 public:
  explicit port_of_peer(asio::io_context& io)
      : acceptor_(io, {asio::ip::address_v4::loopback(), 0}), socket_(io) {
    accept();
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  void say() {
    const auto out = std::make_shared<std::string>(broker.output());
    if (!out->empty()) asio::async_write(socket_, asio::buffer(*out), [out](auto, std::size_t) {});
  }
  void drop() {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  amqp1_script::peer broker;
  int connections = 0;

 private:
  void accept() {
    acceptor_.async_accept([this](boost::system::error_code ec, tcp::socket s) {
      if (ec) return;
      socket_ = std::move(s);
      ++connections;
      broker.begin();
      read();
      accept();
    });
  }
  void read() {
    socket_.async_read_some(asio::buffer(input_),
                            [this, n = connections](boost::system::error_code ec, std::size_t m) {
                              if (ec || n != connections) return;
                              broker.take({input_.data(), m});
                              say();
                              read();
                            });
  }

  tcp::acceptor acceptor_;
  tcp::socket socket_;
  std::array<char, 65'536> input_{};
};

struct recording_user final : link_user {
  std::vector<std::string> events;
  std::string body;
  int drained = 0;

  void link_up(const peer_description& p) override { events.push_back("up " + p.product); }
  void link_down(const link_loss& loss) override {
    events.push_back(std::string(loss.was_open  ? "lost "
                                 : loss.verdict ? "refused "
                                                : "down ") +
                     loss.why.message());
  }
  void on_link_open(link_id, std::string_view address) override {
    events.push_back("link " + std::string(address));
  }
  void on_link_closed(link_id, const condition& why) override {
    events.push_back("ended " + why.name);
  }
  void output_drained() override { ++drained; }
  void on_credit(link_id) override {}
  void on_outcome(link_id, delivery_id, const disposition&) override {}
  void on_delivery(link_id, delivery_id, std::string_view bytes, bool) override { body = bytes; }

  bool has(const std::string& start) const {
    return std::ranges::any_of(events, [&](const auto& e) { return e.starts_with(start); });
  }
};

class amqp1_socket_link : public ::testing::Test {
 protected:
  asio::io_context io;
  std::list<port_of_peer> peers;
  recording_user user;
  testing::log_lines lines;
  link_settings settings{.connection = {.container_id = "test"}};
  std::shared_ptr<socket_link> link;

  port_of_peer& add_peer() {
    auto& p = peers.emplace_back(io);
    settings.brokers.push_back({{"127.0.0.1", p.port()}});
    return p;
  }
  void open() {
    link = std::make_shared<socket_link>(io.get_executor(), settings, lines.into());
    link->serve(user);
    link->open();
  }
  void run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      io.run_one_for(100ms);
      if (io.stopped()) io.restart();
    }
  }
  ~amqp1_socket_link() override {
    if (!link) return;
    bool shut = false;
    link->shut(1s, [&] { shut = true; });
    run_until([&] { return shut; });
  }
};

TEST_F(amqp1_socket_link, connects_carries_messages_and_says_goodbye) {
  auto& p = add_peer();
  open();
  run_until([&] { return link->is_open(); });
  EXPECT_THAT(user.events, ElementsAre("up qpid-cpp"));
  EXPECT_EQ(link->peer(), "127.0.0.1:" + std::to_string(p.port()));
  link->machine().open_receiver("a", 10);
  link->flush_later();
  run_until([&] { return user.has("link a"); });
  EXPECT_GT(user.drained, 0);
  const std::string large(1'000'000, 'x');
  p.broker.deliver("a", large);
  p.say();
  run_until([&] { return user.body.size() == large.size(); });
  bool shut = false;
  link->shut(5s, [&] { shut = true; });
  run_until([&] { return shut; });
  EXPECT_TRUE(p.broker.closed_by_client);
  EXPECT_EQ(link->peer(), "");
}

TEST_F(amqp1_socket_link, one_that_was_of_use_is_replaced_at_once_however_short_it_lived) {
  auto& p = add_peer();
  settings.backoff = {.initial = 1'000s, .cap = 1'000s};
  open();
  for (int i = 1; i <= 3; ++i) {
    run_until([&] { return p.connections == i && link->is_open(); });
    link->machine().open_receiver("a", 10);
    link->flush_later();
    run_until([&] { return user.has("link a"); });
    user.events.clear();
    user.body.clear();
    p.broker.deliver("a", "x");
    p.say();
    run_until([&] { return !user.body.empty(); });
    p.drop();
  }
  run_until([&] { return p.connections == 4 && link->is_open(); });
}

TEST_F(amqp1_socket_link, a_lost_connection_is_made_again) {
  auto& p = add_peer();
  open();
  run_until([&] { return link->is_open(); });
  p.drop();
  run_until([&] { return p.connections == 2 && link->is_open(); });
  ASSERT_EQ(user.events.size(), 3u);
  EXPECT_THAT(user.events[1], HasSubstr("lost 127.0.0.1:"));
}

TEST_F(amqp1_socket_link, a_broker_that_goes_down_sends_it_to_the_next) {
  add_peer();
  add_peer();
  open();
  run_until([&] { return link->is_open(); });
  auto& first = peers.front().connections == 1 ? peers.front() : peers.back();
  auto& second = &first == &peers.front() ? peers.back() : peers.front();
  first.broker.close("amqp:connection:forced", "going down");
  first.say();
  run_until([&] { return second.connections == 1 && link->is_open(); });
  EXPECT_THAT(user.events[1], HasSubstr("amqp:connection:forced: going down"));
}

TEST_F(amqp1_socket_link, a_login_that_is_refused_is_a_verdict_without_the_password) {
  auto& p = add_peer();
  p.broker.mechanisms = "ANONYMOUS";
  settings.brokers[0].username = "ada";
  settings.brokers[0].password = "opensesame";
  settings.connection.mechanisms = "PLAIN";
  open();
  run_until([&] { return user.has("refused "); });
  EXPECT_THAT(user.events.front(), HasSubstr("refused the login"));
  EXPECT_THAT(user.events.front(), ::testing::Not(HasSubstr("opensesame")));
  ASSERT_NE(link->verdict(), nullptr);
  EXPECT_EQ(link->verdict()->code(), errc::authentication_failed);
}

TEST_F(amqp1_socket_link, nobody_at_the_port_is_a_pass_that_failed) {
  settings.brokers.push_back({{"127.0.0.1", 1}});
  open();
  run_until([&] { return user.has("down "); });
  EXPECT_THAT(user.events.front(), HasSubstr("127.0.0.1:1 is unreachable"));
}

}  // namespace
}  // namespace oslo::messaging::amqp1
