// A program of a library that has the driver rabbit and nothing else: what is left out says so.
#include <iostream>
#include <oslo/messaging/messaging.hpp>
#include <oslo/messaging/notify.hpp>
#include <string>

namespace om = oslo::messaging;

/// 1 unless `f` throws what contains `wanted`.
template <class F>
int refuses(const char* what, const std::string& wanted, F f) {
  try {
    f();
    std::cerr << what << " was not refused\n";
  } catch (const om::messaging_error& e) {
    if (std::string(e.what()).find(wanted) != std::string::npos) return 0;
    std::cerr << what << ": " << e.what() << '\n';
  }
  return 1;
}

int main() {
  int failed = refuses("fake://", "\"fake\"", [] { om::open_transport("fake://"); });
  failed += refuses("fibers", "without Boost.Fiber", [] { om::fiber_executor(); });
  failed += refuses("a filter", "without RE2",
                    [] { om::notify::filter{om::notify::filter_rules{.event_type = "compute"}}; });

  // Nothing connects before it is needed.
  const auto bus = om::open_transport("rabbit://guest:guest@127.0.0.1:1/");
  failed += refuses("routing", "without yaml-cpp", [&] {
    om::config conf;
    conf.set("oslo_messaging_notifications", "routing_config", __FILE__);  // any file
    const auto routed = om::open_transport("rabbit://guest:guest@127.0.0.1:1/", {.conf = conf});
    om::notify::notifier{routed, {.drivers = {{"routing"}}}};
  });
  om::rpc::server server{
      bus, {.topic = "t", .server = "s"}, {std::make_shared<om::rpc::endpoint>()}};
  const om::rpc::client client{bus, {.topic = "t"}};
  return failed;
}
