#include "bench/common.hpp"

#include <unistd.h>

#include <utility>

#include "bench/server.hpp"

namespace oslo::messaging::cli {
namespace {

constexpr std::uint64_t usual_count = 20'000;
/// The most that an open loop lets pile up before it waits (and the wait counts).
constexpr std::size_t open_loop_limit = 50'000;

}  // namespace

target bench_target() {
  target on;
  on.topic = on.exchange = "oslo-msg-bench-" + std::to_string(getpid());
  return on;
}

rpc::client bench_client(const transport& bus, const target& on) {
  return {bus, on, {.timeout = bench_patience}};
}

bench_plan plan_of(const bench_options& o) {
  bench_plan plan;
  if (o.seconds)
    plan.time = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>{*o.seconds});
  if (o.count || !o.seconds) plan.count = o.count.value_or(usual_count);
  plan.in_flight = o.rate ? open_loop_limit : o.in_flight;
  plan.rate = o.rate;
  return plan;
}

bench_plan warm_up_of(const bench_options& o) {
  bench_plan plan = plan_of(o);
  plan.in_flight = o.in_flight;
  plan.rate.reset();
  if (plan.count != bench_plan::no_end) plan.count = plan.count / 10 + 1;
  if (o.seconds) plan.time /= 10;
  return plan;
}

bench_options part_of(const bench_options& o, std::size_t i) {
  bench_options part = o;
  const auto part_of_all = [&](auto all) { return all / o.transports + (i < all % o.transports); };
  part.in_flight = part_of_all(o.in_flight);
  if (const auto count = plan_of(o).count; count != bench_plan::no_end)
    part.count = part_of_all(count);
  return part;
}

void fill_in(figures& f, bench_outcome outcome) {
  f.count = outcome.count;
  f.seconds = outcome.seconds();
  f.errors = outcome.errors;
  f.first_error = std::move(outcome.first_error);
  f.sent_rate = outcome.sent_rate;
}

}  // namespace oslo::messaging::cli
