// Messages without an answer: to one server of a topic, to a certain one, or to all.
#include <boost/describe/class.hpp>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <memory>
#include <mutex>
#include <oslo/messaging/messaging.hpp>
#include <set>
#include <string>
#include <utility>

#include "expect.hpp"

namespace om = oslo::messaging;
using namespace std::chrono_literals;

struct refresh_args {
  std::string cache;
};
BOOST_DESCRIBE_STRUCT(refresh_args, (), (cache))
constexpr om::rpc::method<void(refresh_args)> refresh{"refresh"};

/// Who was told what. A cast tells its sender only that the bus took it; whether and when a handler
/// ran is for the two ends to agree on.
class notebook {
 public:
  void write(std::string line) {
    const std::lock_guard hold{mutex_};
    lines_.insert(std::move(line));
    changed_.notify_all();
  }
  bool wait_for(const std::set<std::string>& lines) {
    std::unique_lock hold{mutex_};
    return changed_.wait_for(hold, 5s, [&] { return lines_ == lines; });
  }
  bool wait_for_size(std::size_t size) {
    std::unique_lock hold{mutex_};
    return changed_.wait_for(hold, 5s, [&] { return lines_.size() == size; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> lines_;
};

int main() {
  notebook notes;
  const auto agent = [&notes](std::string name) {
    auto endpoint = std::make_shared<om::rpc::endpoint>();
    endpoint->bind(refresh,
                   [&notes, name](refresh_args args) { notes.write(name + ": " + args.cache); });
    return endpoint;
  };
  const om::transport bus = om::open_transport("fake://");
  om::rpc::server one{bus, {.topic = "agents", .server = "one"}, {agent("one")}};
  om::rpc::server two{bus, {.topic = "agents", .server = "two"}, {agent("two")}};
  one.start();
  two.start();
  const om::blocking::client client{bus, {.topic = "agents"}};

  // To one certain server.
  client.prepare({.server = "two"}).cast(refresh, {}, {.cache = "flavors"});
  expect(notes.wait_for({"two: flavors"}), "server two was told");

  // To all of them.
  client.prepare({.fanout = true}).cast(refresh, {}, {.cache = "hosts"});
  expect(notes.wait_for({"two: flavors", "one: hosts", "two: hosts"}), "both were told");

  // To any one: whoever is free takes it.
  client.cast(refresh, {}, {.cache = "images"});
  expect(notes.wait_for_size(4), "one of them was told");
  one.stop();
  two.stop();
  one.wait(5s);
  two.wait(5s);
  expect(notes.wait_for_size(4), "and only one");
  std::cout << "Every cast went where it should.\n";
}
