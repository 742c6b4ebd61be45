// An event loop with a thread of its own.
#pragma once

#include <memory>
#include <oslo/messaging/logger.hpp>
#include <string>

#include "net/asio_loop.hpp"

namespace oslo::messaging::net {

/// An io_context and the one thread that runs it. An exception that escapes from a piece of work is
/// logged, and the loop goes on.
///
/// The destructor lets work that is ready finish (up to a second), drops timers that are not due,
/// and joins the thread. On the loop's own thread it cannot wait: the thread is then joined later,
/// at the latest when the process ends (core/tasks/orphan_threads.hpp).
///
/// Thread safety: all members may be called from any thread.
class io_loop final : public asio_loop {
 public:
  /// `name` is shown by debuggers and top; at most 15 characters count.
  explicit io_loop(logger log = {}, const std::string& name = "oslo-io");
  ~io_loop() override;
  io_loop(const io_loop&) = delete;
  io_loop& operator=(const io_loop&) = delete;

  time_point now() const override { return clock::now(); }
  void post(unique_function<void()> work) override;
  timer_id run_at(time_point when, unique_function<void()> work) override;
  void cancel(timer_id id) override;
  bool running_here() const noexcept override;
  boost::asio::any_io_executor executor() override;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oslo::messaging::net
