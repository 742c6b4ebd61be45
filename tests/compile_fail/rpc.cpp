#include <boost/describe/class.hpp>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/rpc/endpoint.hpp>

namespace om = oslo::messaging;

struct add_args {
  int a = 0, b = 0;
};
BOOST_DESCRIBE_STRUCT(add_args, (), (a, b))
constexpr om::rpc::method<int(add_args)> add{"add"};

struct undescribed {
  int a = 0;
};

void used(const om::blocking::client& client, om::rpc::endpoint& e) {
  client.call(add, {}, {.a = 1, .b = 2});
  e.bind(add, [](add_args x) { return x.a + x.b; }).require("a");
#if defined(text_for_an_integer)
  client.call(add, {}, {.a = "one"});
#elif defined(other_arguments)
  e.bind(add, [](const std::map<std::string, int>&) { return 1; });
#elif defined(other_result)
  e.bind(add, [](const add_args&) { return std::string("3"); });
#elif defined(undescribed_arguments)
  e.bind("other", [](const undescribed&) { return 1; });
#endif
}
