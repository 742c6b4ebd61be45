// What all measurements begin and end with.
#pragma once

#include <oslo/messaging/rpc/client.hpp>
#include <oslo/messaging/target.hpp>
#include <oslo/messaging/transport.hpp>

#include "bench/figures.hpp"
#include "bench/load.hpp"
#include "bench/measure.hpp"

namespace oslo::messaging::cli {

/// A topic and an exchange that nobody else has.
target bench_target();
rpc::client bench_client(const transport& bus, const target& on);

/// What `o` wants sent.
bench_plan plan_of(const bench_options& o);
/// A tenth of the work, never at a fixed rate.
bench_plan warm_up_of(const bench_options& o);
/// The part of transport number `i`, of `o.transports`: the parts add up to `o`.
bench_options part_of(const bench_options& o, std::size_t i);

void fill_in(figures& f, bench_outcome outcome);

}  // namespace oslo::messaging::cli
