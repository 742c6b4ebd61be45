#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/metrics.hpp>
#include <oslo/messaging/rpc.hpp>
#include <oslo/messaging/transport.hpp>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace oslo::messaging {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class temporary_folder {
 public:
  temporary_folder() {
    std::string name = ::testing::TempDir() + "oslo-metrics-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~temporary_folder() { std::filesystem::remove_all(path_); }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

/// What the collector's socket gets.
class listening_socket {
 public:
  explicit listening_socket(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const timeval patience{.tv_sec = 30, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~listening_socket() { ::close(socket_); }
  listening_socket(const listening_socket&) = delete;
  listening_socket& operator=(const listening_socket&) = delete;

  std::string next() const {
    std::array<char, 65'536> text;
    const auto n = ::recv(socket_, text.data(), text.size(), 0);
    return n < 0 ? "nothing came" : std::string(text.data(), static_cast<std::size_t>(n));
  }

 private:
  int socket_;
};

class oslo_metrics_socket : public ::testing::Test {
 protected:
  temporary_folder folder;
  const std::string path = folder.path() + "/collector.sock";
  std::mutex mutex;
  std::vector<std::string> said;

  logger log() {
    return {log_level::warning, [this](log_level, std::string_view text) {
              const std::lock_guard lock(mutex);
              said.emplace_back(text);
            }};
  }
};

TEST_F(oslo_metrics_socket, gets_what_python_would_send) {
  const listening_socket collector(path);
  const auto meter = oslo_metrics({.socket = path, .process = "nova-api"}, log());
  const std::vector<metric_label> call{
      {"call_type", "call"}, {"topic", "t"}, {"method", "say \"hi\""}, {"timeout", "2.5"}};
  meter->add("rpc_client_invocation_start_total", call, 1);
  EXPECT_EQ(
      collector.next(),
      R"({"module": "oslo_messaging", "name": "rpc_client_invocation_start_total", )"
      R"("action": {"value": null, "action": "inc"}, "labels": {"call_type": "call", )"
      R"("exchange": null, "topic": "t", "namespace": null, "version": null, "server": null, )"
      R"("fanout": null, "method": "say \"hi\"", "timeout": 2.5, "process": "nova-api"}})");
  meter->observe("rpc_server_processing_seconds", {}, 0.25);
  EXPECT_EQ(collector.next(),
            R"({"module": "oslo_messaging", "name": "rpc_server_processing_seconds", )"
            R"("action": {"value": 0.25, "action": "observe"}, "labels": {"endpoint": null, )"
            R"("namespace": null, "version": null, "method": null, "exchange": null, )"
            R"("topic": null, "server": null, "process": "nova-api"}})");
  const std::vector<metric_label> failed{{"fanout", "true"}, {"exception", "KeyError"}};
  meter->add("rpc_client_exception_total", failed, 1);
  EXPECT_THAT(collector.next(), HasSubstr(R"("fanout": true, "method": null, "timeout": null, )"
                                          R"("process": "nova-api", "exception": "KeyError"}})"));
}

TEST_F(oslo_metrics_socket, gets_nothing_that_the_collector_does_not_know) {
  const listening_socket collector(path);
  const auto meter = oslo_metrics({.socket = path}, log());
  meter->add("rpc_server_expired_total", {}, 1);
  meter->set("notification_outbox_messages", {}, 3);
  meter->observe("rpc_client_processing_seconds_more", {}, 3);
  meter->add("rpc_server_invocation_end_total", {}, 1);
  EXPECT_THAT(collector.next(), HasSubstr("rpc_server_invocation_end_total"));
}

TEST_F(oslo_metrics_socket, may_come_late_and_gets_what_fits_into_the_buffer) {
  const auto meter = oslo_metrics({.socket = path, .buffer = 2}, log());
  for (int i = 0; i < 5; ++i) meter->observe("rpc_client_processing_seconds", {}, i);
  const listening_socket collector(path);
  EXPECT_THAT(collector.next(), HasSubstr(R"("value": 0,)"));
  EXPECT_THAT(collector.next(), HasSubstr(R"("value": 1,)"));
  const std::lock_guard lock(mutex);
  ASSERT_FALSE(said.empty());
  EXPECT_THAT(said, ::testing::Contains(HasSubstr("Measurements are dropped: 2 of them wait")));
}

TEST_F(oslo_metrics_socket, that_is_not_there_is_said_once_and_holds_nobody_up) {
  auto meter = oslo_metrics({.socket = path}, log());
  for (int i = 0; i < 5; ++i) meter->add("rpc_client_invocation_end_total", {}, 1);
  meter.reset();
  for (const auto& line : said)
    EXPECT_EQ(line, "Measurements cannot be sent to the collector at " + path +
                        ": No such file or directory");
  EXPECT_LE(said.size(), 1u);
}

TEST_F(oslo_metrics_socket, gets_what_waits_before_the_sender_ends) {
  const listening_socket collector(path);
  auto meter = oslo_metrics({.socket = path}, log());
  for (int i = 0; i < 5; ++i) meter->observe("rpc_client_processing_seconds", {}, i);
  meter.reset();
  for (int i = 0; i < 5; ++i)
    EXPECT_THAT(collector.next(), HasSubstr("\"value\": " + std::to_string(i) + ","));
}

/// What it reads each time, so that nothing ever counts as failed.
TEST_F(oslo_metrics_socket, of_a_slow_collector_does_not_hold_up_the_end) {
  constexpr std::size_t all = 1'000;
  const listening_socket collector(path);
  auto meter = oslo_metrics({.socket = path, .buffer = all}, log());
  for (std::size_t i = 0; i < all; ++i) meter->add("rpc_client_invocation_end_total", {}, 1);
  std::size_t read = 0;
  std::jthread slow([&](const std::stop_token& stop) {
    for (; read < all && !stop.stop_requested(); ++read) {
      (void)collector.next();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // its pace
    }
  });
  meter.reset();
  slow.request_stop();
  slow.join();
  EXPECT_LT(read, all / 2);
}

TEST_F(oslo_metrics_socket, of_a_slow_collector_is_one_line_in_the_log) {
  constexpr std::size_t room = 100;
  const listening_socket collector(path);
  auto meter = oslo_metrics({.socket = path, .buffer = room}, log());
  const auto add = [&](std::size_t times) {
    for (std::size_t i = 0; i < times; ++i) meter->add("rpc_client_invocation_end_total", {}, 1);
  };
  add(2 * room);
  for (std::size_t i = 0; i < room / 2; ++i) {  // some always wait
    (void)collector.next();
    add(3);
  }
  meter.reset();
  EXPECT_EQ(
      std::ranges::count_if(
          said, [](const auto& line) { return line.starts_with("Measurements are dropped"); }),
      1);
}

TEST_F(oslo_metrics_socket, needs_a_path_that_fits_and_room) {
  EXPECT_THROW(oslo_metrics({.socket = std::string(108, 'x')}, log()), configuration_error);
  EXPECT_THROW(oslo_metrics({.socket = ""}, log()), configuration_error);
  EXPECT_THROW(oslo_metrics({.socket = path, .buffer = 0}, log()), configuration_error);
}

TEST_F(oslo_metrics_socket, is_fed_by_a_transport_whose_configuration_says_so) {
  const listening_socket collector(path);
  const auto conf = config::parse(
      "[oslo_messaging_metrics]\nmetrics_enabled = true\nmetrics_process_name = me\n"
      "metrics_socket_file = " +
      path + "\n");
  const auto bus = open_transport("fake://", {.conf = conf, .log = log()});
  const rpc::client client(bus, {.topic = "nobody"}, {.timeout = std::chrono::milliseconds(1)});
  rpc::detail::start_call(client, "ask", {}, "{}", {}, [](const result<std::string>&) {});
  EXPECT_THAT(collector.next(), HasSubstr("rpc_client_invocation_start_total"));
  EXPECT_THAT(collector.next(), HasSubstr(R"("exception": "MessagingTimeout"})"));
}

}  // namespace
}  // namespace oslo::messaging
