// A loop whose thread works at once and whose clock stands still.
#pragma once

#include <memory>
#include <oslo/messaging/scheduler.hpp>

namespace oslo::messaging::testing {

/// Runs work on a thread of its own; timers fire when `advance` moves the clock to their time.
///
/// Thread safety: all members from any thread; `advance` and `settle` not on the loop itself.
class manual_loop final : public scheduler {
 public:
  manual_loop();
  ~manual_loop() override;
  manual_loop(const manual_loop&) = delete;
  manual_loop& operator=(const manual_loop&) = delete;

  time_point now() const override;
  void post(unique_function<void()> work) override;
  timer_id run_at(time_point when, unique_function<void()> work) override;
  void cancel(timer_id id) override;
  bool running_here() const noexcept override;

  /// See `test_bus`.
  void advance(clock::duration by);
  void settle();

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace oslo::messaging::testing
