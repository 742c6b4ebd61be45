// What a benchmark sends, and what the right answer is.
#pragma once

#include <boost/describe/class.hpp>
#include <cstddef>
#include <cstdint>
#include <oslo/messaging/notify/notifier.hpp>
#include <oslo/messaging/rpc/client.hpp>
#include <oslo/messaging/rpc/method.hpp>
#include <oslo/messaging/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load.hpp"

namespace oslo::messaging::cli {

/// Arguments {"data": "..."}: all of one length, or 1,000 distinct ones whose lengths are
/// distributed as those of oslo.messaging's simulator (a replay of a cloud: median 2.4 kB, 95 % up
/// to 6.6 kB, 0.8 to 11.3 kB). The same ones in every run. Or two integers, which `sum_work` makes.
///
/// Thread safety: const members from any thread.
class bench_bodies {
 public:
  static constexpr std::size_t most_bytes = std::size_t{16} << 20;

  /// `kind`: a number of bytes, "simulator" or "int". Throws `usage_error`.
  explicit bench_bodies(std::string_view kind);

  bool integers() const noexcept { return arguments_.empty(); }
  /// For message number `n`, as JSON text. Precondition: not integers.
  const std::string& arguments(std::uint64_t n) const noexcept {
    return arguments_[static_cast<std::size_t>(n % arguments_.size())];
  }

 private:
  std::vector<std::string> arguments_;
};

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

// Each message from completion to completion; `bodies` has to outlive what is sent.

/// Calls to echo or add, as `bodies` asks for.
bench_source calls_of(const rpc::client& client, const bench_bodies& bodies);
/// Casts to hit.
bench_source casts_of(const rpc::client& client, const bench_bodies& bodies);
bench_source notifications_of(const notify::notifier& tells, const bench_bodies& bodies);

}  // namespace oslo::messaging::cli
