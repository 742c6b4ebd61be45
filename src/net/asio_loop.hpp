// A scheduler that runs on Asio: what network drivers need beyond the plain seam.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <exception>
#include <oslo/messaging/logger.hpp>
#include <oslo/messaging/scheduler.hpp>
#include <string>

namespace oslo::messaging::net {

/// A `scheduler` whose work runs on an Asio executor. Implemented by `io_loop` (a thread of its
/// own) and by `asio_scheduler` (an executor of the application, behind a strand).
///
/// Thread safety: as `scheduler`.
class asio_loop : public scheduler {
 public:
  /// Runs what it gets on this loop, never two pieces at once. I/O objects made from it complete on
  /// the loop, where `running_here()` is true. Valid as long as the loop.
  virtual boost::asio::any_io_executor executor() = 0;
};

/// Inside a catch block: logs what work on a loop has thrown.
inline void log_thrown(const logger& log) {
  try {
    throw;
  } catch (const std::exception& e) {
    log(log_level::error, std::string("A callback on the I/O loop threw: ") + e.what());
  } catch (...) {
    log(log_level::error, "A callback on the I/O loop threw an unknown exception.");
  }
}

}  // namespace oslo::messaging::net
