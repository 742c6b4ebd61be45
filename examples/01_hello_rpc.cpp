#include <boost/describe/class.hpp>
#include <iostream>
#include <oslo/messaging/messaging.hpp>

namespace om = oslo::messaging;

struct add_args {
  int a = 0, b = 0;
};
BOOST_DESCRIBE_STRUCT(add_args, (), (a, b))
constexpr om::rpc::method<int(add_args)> add{"add"};  // what client and server agree on

int main() {
  const om::transport bus = om::open_transport("fake://");  // or rabbit://user:password@host/
  auto calculator = std::make_shared<om::rpc::endpoint>();
  calculator->bind(add, [](add_args x) { return x.a + x.b; });
  om::rpc::server server{bus, {.topic = "calc", .server = "host1"}, {calculator}};
  server.start();

  const om::blocking::client client{bus, {.topic = "calc"}};
  const int sum = client.call(add, om::context{{"user", "ada"}}, {.a = 1, .b = 2});
  std::cout << "1 + 2 = " << sum << '\n';
  return sum == 3 ? 0 : 1;
}
