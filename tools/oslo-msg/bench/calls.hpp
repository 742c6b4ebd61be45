// The measurement of calls.
#pragma once

#include "bench/bodies.hpp"
#include "bench/figures.hpp"
#include "bench/measure.hpp"
#include "program.hpp"

namespace oslo::messaging::cli {

/// `oslo-msg bench call`: over `o.transports` transports, each with its part of the work.
void measure_calls(const program& p, const bench_options& o, const bench_bodies& bodies,
                   figures& f);

}  // namespace oslo::messaging::cli
