// What the servers of the micro-benchmarks do.
#pragma once

#include <boost/describe/class.hpp>
#include <oslo/messaging/rpc.hpp>

namespace micro {

struct add_args {
  int a = 0, b = 0;
};
BOOST_DESCRIBE_STRUCT(add_args, (), (a, b))
inline constexpr oslo::messaging::rpc::method<int(add_args)> add{"add", {1, 0}};
inline constexpr oslo::messaging::rpc::method<void(add_args)> note{"note", {1, 0}};

class calculator : public oslo::messaging::rpc::endpoint {
 public:
  calculator() {
    bind(add, [](const add_args& args) { return args.a + args.b; });
    bind(note, [](const add_args&) {});
  }
};

}  // namespace micro
