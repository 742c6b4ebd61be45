// Calls made as applications make them: by coroutines, or by threads that wait.
#pragma once

#include <oslo/messaging/rpc/client.hpp>

#include "bench/bodies.hpp"
#include "bench/load.hpp"

namespace oslo::messaging::cli {

/// Calls to echo or add by `plan.in_flight` coroutines on the transport's loop, each with one call
/// at a time. `plan.rate` is not for these.
bench_outcome call_by_coroutines(const rpc::client& client, const bench_bodies& bodies,
                                 const bench_plan& plan, latency_histogram& latencies,
                                 const bench_load::progress& p);
/// The same by threads that use the blocking client.
bench_outcome call_by_threads(const rpc::client& client, const bench_bodies& bodies,
                              const bench_plan& plan, latency_histogram& latencies,
                              const bench_load::progress& p);

}  // namespace oslo::messaging::cli
