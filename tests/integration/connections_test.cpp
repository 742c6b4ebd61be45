// However much goes on, a process has two connections.
#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <oslo/messaging/messaging.hpp>
#include <set>
#include <sstream>
#include <string>

#include "support/broker.hpp"

namespace oslo::messaging::testing {
namespace {

using namespace std::chrono_literals;

/// Local ports of the TCP connections of a process.
std::set<unsigned> ports_of(pid_t pid) {
  const auto folder = "/proc/" + std::to_string(pid);
  std::set<std::string> inodes;
  for (const auto& entry : std::filesystem::directory_iterator(folder + "/fd")) {
    std::error_code gone;
    const auto name = std::filesystem::read_symlink(entry.path(), gone).string();
    if (name.starts_with("socket:[")) inodes.insert(name.substr(8, name.size() - 9));
  }
  std::set<unsigned> ports;
  std::ifstream table{folder + "/net/tcp"};
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    std::istringstream fields{line};
    std::array<std::string, 10> field;
    for (auto& one : field) fields >> one;
    if (inodes.contains(field[9]))
      ports.insert(
          static_cast<unsigned>(std::stoul(field[1].substr(field[1].find(':') + 1), nullptr, 16)));
  }
  return ports;
}

/// How many of the broker's connections come from the process.
std::size_t connections_of(pid_t pid, const std::string& listed) {
  const auto ports = ports_of(pid);
  std::size_t count = 0;
  std::istringstream lines{listed};
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.find_first_not_of("0123456789") == std::string::npos)
      count += ports.count(static_cast<unsigned>(std::stoul(line)));
  }
  return count;
}

/// Counts completions and lets one thread wait for all of them.
class countdown {
 public:
  explicit countdown(int count) : left_(count) {}
  void arrive() {
    const std::lock_guard lock{mutex_};
    --left_;
    arrived_.notify_all();
  }
  /// Until at most `count` are left.
  bool wait(std::chrono::seconds limit, int count = 0) {
    std::unique_lock lock{mutex_};
    return arrived_.wait_for(lock, limit, [this, count] { return left_ <= count; });
  }
  int left() {
    const std::lock_guard lock{mutex_};
    return left_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  int left_;
};

TEST(connections, a_thousand_calls_share_two) {
  constexpr int calls = 1000;
  const auto topic = unique_name("connections");
  served_program server{environment("OSLO_TEST_OSLO_MSG"),
                        rabbit_url(),
                        {topic, "--server", "one", "--workers", "64"}};
  countdown waiting{calls};
  std::atomic<int> succeeded{0};
  {
    const rpc::client client{open_transport(rabbit_url()), {.topic = topic}, {.timeout = 120s}};
    for (int i = 0; i < calls; ++i)
      rpc::detail::start_call(client, "sleep", {}, R"({"seconds": 0.5})", {},
                              [&](const result<std::string>& answer) {
                                if (answer) ++succeeded;
                                waiting.arrive();
                              });
    // 64 workers need 8 seconds: this looks at the middle of it. With its first answer the server
    // has made its connection for them.
    EXPECT_TRUE(waiting.wait(120s, calls - 1));
    const auto listed = rabbitmqctl({"-q", "list_connections", "peer_port"});
    EXPECT_GT(waiting.left(), 0) << "the calls ended before the connections were counted";
    EXPECT_EQ(connections_of(::getpid(), listed), 2u) << listed;
    EXPECT_EQ(connections_of(server.process().pid(), listed), 2u) << listed;
    EXPECT_TRUE(waiting.wait(120s));
  }
  EXPECT_EQ(succeeded, calls);
  EXPECT_EQ(server.stop(), 0);
}

}  // namespace
}  // namespace oslo::messaging::testing
