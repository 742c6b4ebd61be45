// Old and new clients beside old and new servers: namespaces and versions.
#include <boost/describe/class.hpp>
#include <chrono>
#include <iostream>
#include <oslo/messaging/messaging.hpp>

#include "expect.hpp"

namespace om = oslo::messaging;
using namespace std::chrono_literals;

struct resize_args {
  std::string instance;
  // New in 1.3. Old clients do not send it, so it needs a default.
  bool keep_disk = true;
};
BOOST_DESCRIBE_STRUCT(resize_args, (), (instance, keep_disk))

// The version says since when the interface has the method, or its newest argument. Clients send
// it, and only servers of the same major version and at least that minor version answer.
constexpr om::rpc::method<std::string(resize_args)> resize{"resize", om::rpc::method_version{1, 3}};
constexpr om::rpc::method<std::string()> describe{"describe", om::rpc::method_version{1, 0}};

int main() {
  const om::transport bus = om::open_transport("fake://");

  // Two interfaces of one service. A method is looked for by namespace first, then by version.
  auto compute = std::make_shared<om::rpc::endpoint>(om::target{.version = "1.4"});
  compute->bind(resize, [](resize_args args) {
    return args.instance + (args.keep_disk ? " keeps its disk" : " gets a new disk");
  });
  compute->bind(describe, [] { return std::string{"compute 1.4"}; });
  auto admin = std::make_shared<om::rpc::endpoint>(
      om::target{.namespace_ = "admin", .version = "2.0", .legacy_namespaces = {"baseadmin"}});
  admin->bind("describe", [] { return std::string{"admin 2.0"}; });

  om::rpc::server server{bus, {.topic = "compute", .server = "host1"}, {compute, admin}};
  server.start();
  const om::blocking::client client{bus, {.topic = "compute"}, {.timeout = 5s}};

  // 1.3 is asked for and 1.4 is there.
  expect(client.call(resize, {}, {.instance = "vm1"}) == "vm1 keeps its disk", "1.4 serves 1.3");
  // An old peer sends no keep_disk; the default stands in.
  expect(client.prepare({.version = "1.0"}).call("resize", {}, {{"instance", "vm2"}}) ==
             "vm2 keeps its disk",
         "absent arguments keep their default");

  // Nobody has 1.5, and a new major version is another interface.
  for (const char* version : {"1.5", "2.0"}) {
    const auto r = client.prepare({.version = version}).try_call(describe, {});
    expect(r.has_error() && r.error().remote()->type == "UnsupportedVersion", "refused");
    std::cout << r.error().message() << '\n';
  }

  // The namespace chooses the endpoint; a former one still works.
  for (const char* name : {"admin", "baseadmin"})
    expect(
        client.prepare({.namespace_ = name, .version = "2.0"}).call("describe", {}) == "admin 2.0",
        "the admin interface answers");

  // During an upgrade a cap keeps clients from sending what old servers cannot understand.
  const auto capped = client.prepare({.version_cap = "1.2"});
  expect(!capped.async().can_send_version("1.3"), "1.3 is above the cap");
  const auto refused = capped.try_call(resize, {}, {.instance = "vm3"});
  expect(refused.has_error() && refused.error().code() == om::errc::version_cap, "not sent");
  std::cout << refused.error().message() << '\n';
  expect(capped.call(describe, {}) == "compute 1.4", "1.0 is below the cap");
}
