// Without a shared header: methods by name, values whose types are found out at run time.
#include <chrono>
#include <iostream>
#include <oslo/messaging/messaging.hpp>
#include <string>
#include <string_view>

#include "expect.hpp"

namespace om = oslo::messaging;
using namespace std::chrono_literals;

int main() {
  const om::transport bus = om::open_transport("fake://");

  auto endpoint = std::make_shared<om::rpc::endpoint>();
  // Arguments as a JSON value: {"name": …, "sizes": [ … ]}.
  endpoint->bind("total", [](const om::context& ctxt, const om::value& args) {
    double sum = 0;
    for (const auto& size : args.at("sizes").as_array()) sum += size.to_number<double>();
    return om::value{{"name", args.at("name")}, {"total", sum}, {"for", *ctxt.find("user")}};
  });
  // As text: nothing is parsed, and integers of any length survive.
  endpoint->bind("echo", [](om::raw_json args) { return args; });
  // Everything else, as a proxy would.
  endpoint->bind_any([](std::string_view method, om::raw_json args) {
    return "would pass on " + std::string{method} + args.text;
  });

  om::rpc::server server{bus, {.topic = "t", .server = "host1"}, {endpoint}};
  server.start();
  const om::blocking::client client{bus, {.topic = "t"}, {.timeout = 5s}};

  const om::value total = client.call("total", om::context{{"user", "ada"}},
                                      {{"name", "disks"}, {"sizes", {1, 2.5, 10}}});
  std::cout << om::to_json(total) << '\n';
  expect(om::to_json(total) == R"({"name": "disks", "total": 13.5, "for": "ada"})", "the total");

  const om::value unknown = client.call("migrate", {}, {{"host", "h2"}});
  std::cout << unknown.as_string() << '\n';
  expect(unknown == R"(would pass on migrate{"host": "h2"})", "bind_any takes the rest");

  // A method constant may leave its types open, too.
  constexpr om::rpc::method<om::raw_json(om::raw_json)> echo{"echo"};
  const om::raw_json big{R"({"n": 123456789012345678901234567890})"};
  expect(client.call(echo, {}, big) == big, "every digit survived");
}
