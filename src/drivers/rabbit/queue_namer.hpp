// Names for private queues, for which nobody on the loop waits.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/logger.hpp>
#include <string>

#include "drivers/rabbit/queue_names.hpp"

namespace oslo::messaging::rabbit {

/// The parts of names behind "reply_" or "TOPIC_fanout_": the next name of the service, or 32
/// random hex digits: without a queue manager, or with a warning when the count cannot be kept or
/// another process has it locked for a second. A queue with a random name is found by nobody, and
/// expires.
///
/// Not thread safe. No clock: `on_tick` no later than `next_deadline`.
class queue_namer {
 public:
  using instant = std::chrono::steady_clock::time_point;
  using completion = unique_function<void(std::string unique)>;
  static constexpr std::chrono::seconds lock_limit{1};

  queue_namer(std::optional<stable_names> stable, logger log)
      : stable_(std::move(stable)), log_(std::move(log)) {}

  /// `done` is called in turn, mostly before this returns.
  void name(completion done, instant now);
  void on_tick(instant now);
  /// `instant::max()`: nothing to wait for.
  instant next_deadline() const noexcept;
  /// Who still waits gets a random name.
  void give_up();

 private:
  struct waiter {
    completion done;
    instant until;
  };
  std::optional<std::string> next(instant until, instant now) const;
  void serve(instant now);

  std::optional<stable_names> stable_;
  logger log_;
  std::deque<waiter> waiting_;
  instant look_again_{};
};

}  // namespace oslo::messaging::rabbit
