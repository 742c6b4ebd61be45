// Where the library meets an application that already runs on Asio.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <memory>
#include <oslo/messaging/executor.hpp>
#include <oslo/messaging/logger.hpp>
#include <oslo/messaging/scheduler.hpp>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// A loop on an executor of the application: give it to `transport_options::loop`, and the
/// transport starts no thread. The work runs behind a strand of its own, so `ex` may belong to an
/// io_context with many threads, to a thread pool or to a strand. The application runs `ex` for as
/// long as the transport lives; while it does not, nothing moves and no timer fires. The context of
/// `ex` must outlive the transport and all that share it, except for coroutines and callbacks that
/// wait in the context itself: those it takes along.
///
/// What work throws, a callback of the application for example, is a line in `log`, as it is on a
/// loop of the transport's own: it does not leave the application's `run()`.
///
/// Thread safety: as `scheduler`.
std::shared_ptr<scheduler> asio_scheduler(boost::asio::any_io_executor ex,
                                          logger log = stderr_logger());

/// Runs handlers on an executor of the application, at most `concurrency` at once. Coroutine
/// handlers run on `ex` itself. Throws `configuration_error` when `concurrency` is 0.
///
/// Thread safety: as `executor`.
std::shared_ptr<executor> asio_executor(boost::asio::any_io_executor ex,
                                        std::size_t concurrency = 64);

/// The Asio executor behind a loop or an executor of this library; for one that is not built on
/// Asio, an adaptor that keeps it alive. I/O objects (timers, sockets) made from an adaptor work,
/// but wait on one thread that all adaptors of the process share.
///
/// Precondition: not null. Thread safety: any thread.
boost::asio::any_io_executor as_asio_executor(const std::shared_ptr<scheduler>& loop);
boost::asio::any_io_executor as_asio_executor(const std::shared_ptr<executor>& e);

}  // namespace oslo::messaging

#pragma GCC visibility pop
