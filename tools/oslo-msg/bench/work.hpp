// What the calls of a benchmark ask for, and what the right answer is.
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <oslo/messaging/rpc/method.hpp>
#include <oslo/messaging/value.hpp>

#include "bench/bodies.hpp"

namespace oslo::messaging::cli {

struct bench_add_args {
  int a = 0, b = 0;
};
BOOST_DESCRIBE_STRUCT(bench_add_args, (), (a, b))

inline constexpr rpc::method<raw_json(raw_json)> bench_echo{"echo"};
inline constexpr rpc::method<int(bench_add_args)> bench_add{"add", {1, 0}};

/// JSON text there and back again.
struct echo_work {
  using arguments = raw_json;
  static constexpr auto& method = bench_echo;
  static constexpr const char* wrong = "An echo differs from what was sent.";

  const bench_bodies& bodies;
  void prepare(std::uint64_t n, raw_json& a) const { a.text = bodies.arguments(n); }
  static bool right(const raw_json& sent, const raw_json& got) { return sent == got; }
};

/// Two numbers there, typed at both ends, and their sum back.
struct sum_work {
  using arguments = bench_add_args;
  static constexpr auto& method = bench_add;
  static constexpr const char* wrong = "A sum is wrong.";

  static void prepare(std::uint64_t n, bench_add_args& a) {
    a = {static_cast<int>(n % 1'000'000), static_cast<int>(n % 997)};
  }
  static bool right(const bench_add_args& sent, int got) { return got == sent.a + sent.b; }
};

}  // namespace oslo::messaging::cli
