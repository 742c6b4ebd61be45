#include "bench/messages.hpp"

#include <charconv>
#include <cmath>
#include <oslo/messaging/rpc/completion.hpp>
#include <random>
#include <utility>

#include "exit_status.hpp"

namespace oslo::messaging::cli {
namespace {

constexpr std::size_t distinct = 1000;

/// Length at a fraction of the distribution: straight lines, in the logarithm, between its figures.
double simulator_length(double fraction) {
  static constexpr std::pair<double, double> figures[] = {
      {0, 806}, {0.5, 2450}, {0.95, 6576}, {1, 11292}};
  std::size_t i = 1;
  while (fraction > figures[i].first) ++i;
  const auto [from, low] = figures[i - 1];
  const auto [to, high] = figures[i];
  return low * std::pow(high / low, (fraction - from) / (to - from));
}

std::vector<std::string> simulator_arguments() {
  static constexpr std::string_view letters =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
  std::mt19937 random{2450};  // a fixed seed: the same messages in every run
  std::vector<std::string> all;
  all.reserve(distinct);
  for (std::size_t i = 0; i < distinct; ++i) {
    // 389 has no factor in common with 1,000: every length once, short and long ones mixed.
    const double at = (static_cast<double>(i * 389 % distinct) + 0.5) / distinct;
    std::string text = "{\"data\": \"";
    for (auto n = static_cast<std::size_t>(simulator_length(at)); n > 0; --n)
      text += letters[random() % letters.size()];
    all.push_back(std::move(text += "\"}"));
  }
  return all;
}

void finish(const bench_ticket& t, const result<void>& r) {
  t.done(r ? std::optional<failure>{} : r.error());
}

/// `right`: whether the answer is, where there is one.
template <class R>
void finish(const bench_ticket& t, const result<R>& r, bool right, const char* wrong) {
  if (!r)
    t.done(r.error());
  else if (!right)
    t.done(failure{errc::malformed_message, wrong});
  else
    t.done({});
}

}  // namespace

bench_bodies::bench_bodies(std::string_view kind) {
  if (kind == "int") return;
  if (kind == "simulator") {
    arguments_ = simulator_arguments();
    return;
  }
  std::size_t bytes = 0;
  const auto [end, error] = std::from_chars(kind.data(), kind.data() + kind.size(), bytes);
  if (error != std::errc{} || end != kind.data() + kind.size() || bytes > most_bytes)
    throw usage_error{"--body: \"" + std::string{kind} + "\" is neither a number of bytes up to " +
                      std::to_string(most_bytes) + " nor simulator nor int"};
  arguments_ = {"{\"data\": \"" + std::string(bytes, 'x') + "\"}"};
}

bench_source calls_of(const rpc::client& client, const bench_bodies& bodies) {
  if (bodies.integers())
    return [client](std::uint64_t n, bench_ticket t) {
      bench_add_args arguments;
      sum_work::prepare(n, arguments);
      rpc::async_try_call(client, bench_add, {}, arguments, [t, arguments](result<int> r) {
        finish(t, r, r && sum_work::right(arguments, *r), sum_work::wrong);
      });
    };
  return [client, &bodies](std::uint64_t n, bench_ticket t) {
    const std::string& arguments = bodies.arguments(n);
    rpc::detail::start_call(client, "echo", {}, arguments, {},
                            [t, &arguments](result<std::string> r) {
                              finish(t, r, r && *r == arguments, echo_work::wrong);
                            });
  };
}

bench_source casts_of(const rpc::client& client, const bench_bodies& bodies) {
  return [client, &bodies](std::uint64_t n, bench_ticket t) {
    rpc::detail::start_cast(client, "hit", {}, bodies.arguments(n), {},
                            [t](result<void> r) { finish(t, r); });
  };
}

bench_source notifications_of(const notify::notifier& tells, const bench_bodies& bodies) {
  return [tells, &bodies](std::uint64_t n, bench_ticket t) {
    tells.post(notify::priority::info, {}, "bench.event", raw_json{bodies.arguments(n)},
               [t](result<void> r) { finish(t, r); });
  };
}

}  // namespace oslo::messaging::cli
