// Notifications while no broker can be reached.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/notify.hpp>
#include <thread>

#include "support/log_lines.hpp"

namespace oslo::messaging::notify {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// Takes connections and closes them at once.
class refusing_port {
 public:
  refusing_port() : acceptor_(io_, {asio::ip::make_address("127.0.0.1"), 0}) {
    accept();
    thread_ = std::jthread([this] { io_.run(); });
  }
  ~refusing_port() { io_.stop(); }
  std::string url() const {
    return "rabbit://u:p@127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/";
  }
  int attempts() const { return attempts_; }

 private:
  void accept() {
    acceptor_.async_accept([this](boost::system::error_code fault, tcp::socket) {
      if (fault) return;
      ++attempts_;
      accept();
    });
  }

  asio::io_context io_;
  tcp::acceptor acceptor_;
  std::atomic<int> attempts_{0};
  std::jthread thread_;
};

TEST(notifier_retry, is_the_number_of_attempts_after_the_first) {
  for (const int retry : {0, 2}) {
    refusing_port port;
    testing::log_lines lines;
    const blocking::notifier n{open_transport(port.url(), {.log = lines.into()}),
                               {.drivers = {{"messaging"}}, .retry = retry}};
    const auto report = n.info({}, "test", value{{"x", 1}});
    ASSERT_TRUE(report.has_error());
    EXPECT_EQ(report.error().code(), errc::unreachable);
    EXPECT_EQ(port.attempts(), retry + 1);
    EXPECT_EQ(lines.count(log_level::error, "Could not send notification test to notifications: "),
              1);
  }
}

}  // namespace
}  // namespace oslo::messaging::notify
