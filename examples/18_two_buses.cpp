// One listener's work on two buses, as collectors of telemetry have it while services move from
// RabbitMQ to Kafka: a transport and a listener for each, one endpoint and one pool of threads.
//
//   example_18_two_buses [URL...]     kafka://host:9092/ rabbit://user:password@host/
#include <atomic>
#include <future>
#include <iostream>
#include <memory>
#include <oslo/messaging/messaging.hpp>
#include <string>
#include <vector>

#include "expect.hpp"

namespace om = oslo::messaging;
using namespace std::chrono_literals;
using om::notify::priority;

// Its handlers run for all buses at once: they say themselves what must not run side by side.
class collector : public om::notify::endpoint {
 public:
  explicit collector(std::size_t expected) : left_(expected) {
    bind(priority::sample, [this](const om::notify::notification& n) {
      std::cout << *n.publisher_id + ": " + n.payload_json + "\n";
      if (--left_ == 0) done_.set_value();
    });
  }
  bool wait() { return done_.get_future().wait_for(60s) == std::future_status::ready; }

 private:
  std::atomic<std::size_t> left_;
  std::promise<void> done_;
};

int main(int argc, char** argv) {
  std::vector<std::string> urls(argv + 1, argv + argc);
  if (urls.empty()) urls = {"fake://", "fake://"};

  const auto endpoint = std::make_shared<collector>(urls.size());
  const auto threads = om::thread_pool(4);
  std::vector<om::transport> buses;
  std::vector<std::unique_ptr<om::notify::listener>> listeners;
  for (const auto& url : urls) {
    buses.push_back(om::open_transport(url));
    listeners.push_back(std::make_unique<om::notify::listener>(
        buses.back(), std::vector<om::target>{{.topic = "telemetry"}},
        std::vector<std::shared_ptr<om::notify::endpoint>>{endpoint},
        om::notify::listener_options{
            .executor = threads, .allow_requeue = true, .pool = "collectors"}));
  }
  // Each on its own: while one bus is away the other one goes on.
  std::vector<std::future<void>> ready;
  for (const auto& l : listeners)
    ready.push_back(std::async(std::launch::async, [&l] { l->start(); }));
  for (auto& r : ready) r.get();

  for (std::size_t i = 0; i < buses.size(); ++i)
    om::blocking::notifier{buses[i],
                           {.publisher_id = "agent" + std::to_string(i),
                            .drivers = {{"messagingv2"}},
                            .topics = {{"telemetry"}}}}
        .sample({}, "cpu", om::value{{"load", 0.5}});

  expect(endpoint->wait(), "one message of each bus");
  for (const auto& l : listeners) l->stop();
  for (const auto& l : listeners) l->wait();
}
