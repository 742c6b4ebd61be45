// The requests to an HTTP server, as notifications.
#include <atomic>
#include <future>
#include <iostream>
#include <oslo/messaging/messaging.hpp>
#include <oslo/messaging/notify/httplib_middleware.hpp>
#include <string>
#include <thread>

#include "expect.hpp"

namespace om = oslo::messaging;
using namespace std::chrono_literals;

int main() {
  const om::transport bus = om::open_transport("fake://");
  std::atomic<int> left{4};
  std::promise<void> all;
  auto watcher = std::make_shared<om::notify::endpoint>();
  watcher->bind(om::notify::priority::info, [&](const om::notify::notification& n) {
    std::cout << *n.event_type << ' ' << n.payload_json << '\n';
    if (--left == 0) all.set_value();
  });
  om::notify::listener listener{
      bus, {{.topic = "notifications"}}, {watcher}, {.executor = om::thread_pool(1)}};
  listener.start();

  const om::notify::notifier notifier{
      bus, {.publisher_id = "inventory.host1", .drivers = {{"messagingv2"}}}};
  httplib::Server server;
  server.Get("/disks", [](const httplib::Request&, httplib::Response& res) {
    res.set_content("[]", "application/json");
  });
  auto requests = std::make_shared<om::notify::request_notifier>(
      notifier, om::notify::request_notifier_options{.service_name = "inventory",
                                                     .ignore_req_list = "HEAD, OPTIONS"});
  om::notify::notify_requests(server, requests);

  const int port = server.bind_to_any_port("127.0.0.1");
  std::jthread serving([&] { server.listen_after_bind(); });
  httplib::Client client("127.0.0.1", port);
  const auto disks = client.Get("/disks", {{"X-Auth-Token", "s3cret"}});
  expect(disks && disks->body == "[]", "the server answers");
  server.stop();

  om::notify::http_request request{{{"REQUEST_METHOD", "POST"}, {"PATH_INFO", "/disks"}}};
  request.add_header("Host", "inventory.example.org");
  const auto answer = requests->handle(request, [](const om::notify::http_request&) {
    return om::notify::http_response{201, "", {{"Location", "/disks/1"}}};
  });
  expect(answer.status == 201, "the application's answer");

  expect(all.get_future().wait_for(20s) == std::future_status::ready, "two of each request");
  std::cout << "all as it should be\n";
}
