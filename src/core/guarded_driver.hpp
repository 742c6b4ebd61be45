// Drivers of applications, whose exceptions must harm neither callers nor the loop.
#pragma once

#include <memory>
#include <oslo/messaging/driver.hpp>
#include <string>

namespace oslo::messaging {

/// `inner`, but what its members throw, and those of its listeners and messages, goes where the
/// member's outcome goes: to its completion, as an error that says what was thrown, or to the log.
/// Every completion but that of `next` is called once, on the loop and never inside of the member,
/// also one that the driver destroys, and that of a send or probe which it keeps a second beyond
/// its time. `name` is how errors speak of the driver.
///
/// These members still throw, `messaging_error` alone: the two that listen, since a start
/// reports that, `acknowledge` without `acknowledge_later` before, so that a request which is still
/// with the bus is not worked on, and `heartbeat`, which then is not called again.
std::unique_ptr<driver> guarded_driver(std::unique_ptr<driver> inner,
                                       const std::shared_ptr<scheduler>& loop, logger log,
                                       std::string name);

}  // namespace oslo::messaging
