// Serves and calls in one process, so that most of the library has to be there.
#include <boost/describe/class.hpp>
#include <iostream>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/messaging.hpp>

namespace om = oslo::messaging;

struct add_args {
  int a = 0;
  int b = 0;
};
BOOST_DESCRIBE_STRUCT(add_args, (), (a, b))
constexpr om::rpc::method<int(add_args)> add{"add"};

class calculator : public om::rpc::endpoint {
 public:
  calculator() : endpoint{{}} { bind(add, &calculator::on_add); }

 private:
  int on_add(const om::context&, add_args a) { return a.a + a.b; }
};

int main() {
  auto bus = om::open_transport("fake://");
  om::rpc::server server{
      bus, {.topic = "calc", .server = "one"}, {std::make_shared<calculator>()}, {}};
  server.start();
  const om::blocking::client client{bus, {.topic = "calc"}};
  const int sum = client.call(add, {}, {.a = 1, .b = 2});
  std::cout << "1 + 2 = " << sum << '\n';
  server.stop();
  server.wait();
  return sum == 3 ? 0 : 1;
}
