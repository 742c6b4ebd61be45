// What a program logs with spdlog, as notifications.
#include <spdlog/sinks/stdout_color_sinks.h>

#include <atomic>
#include <future>
#include <iostream>
#include <oslo/messaging/messaging.hpp>
#include <oslo/messaging/notify/spdlog_sinks.hpp>
#include <string>

#include "expect.hpp"

namespace om = oslo::messaging;
using namespace std::chrono_literals;

int main() {
  auto app = std::make_shared<spdlog::logger>(
      "my.app", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  const om::transport bus = om::open_transport("fake://", {.log = om::notify::spdlog_logger(app)});

  std::atomic<int> left{3};
  std::promise<void> all;
  auto watcher = std::make_shared<om::notify::endpoint>();
  const auto show = [&](const om::notify::notification& n) {
    std::cout << *n.event_type << ' ' << n.payload_json << '\n';
    if (--left == 0) all.set_value();
  };
  watcher->bind(om::notify::priority::warn, show);
  watcher->bind(om::notify::priority::error, show);
  om::notify::listener listener{
      bus, {{.topic = "notifications"}}, {watcher}, {.executor = om::thread_pool(1)}};
  listener.start();

  const om::notify::notifier notifier{bus, {.drivers = {{"messagingv2"}}}};
  auto records = std::make_shared<om::notify::notification_sink>(notifier);
  auto errors = std::make_shared<om::notify::error_notification_sink>(notifier);
  app->sinks().insert(app->sinks().end(), {records, errors});
  app->warn("the disk is {} % full", 95);
  app->error("it is full");

  expect(all.get_future().wait_for(20s) == std::future_status::ready, "a warning and two errors");
  std::cout << "all as it should be\n";
}
