// Takes out again what a benchmark of notifications has left on the bus.
#pragma once

#include <cstdint>
#include <oslo/messaging/target.hpp>
#include <oslo/messaging/transport.hpp>

namespace oslo::messaging::cli {

/// Listens until `count` notifications of priority info have come and returns how many came a
/// second. Throws `std::runtime_error` when they stop coming before that.
double take_notifications(const transport& bus, const target& from, std::uint64_t count);

}  // namespace oslo::messaging::cli
