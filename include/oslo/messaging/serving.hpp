// What rpc::server and notify::listener have in common: how long to wait for them, and their
// health.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <oslo/messaging/health.hpp>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// How long a call of `stop` or `wait` may wait for others (docs/rpc.md). The limit comes
/// first: `stop({5s})` waits for five seconds, as `stop(5s)` does.
struct task_options {
  /// After that long the call gives up with `task_timeout`. None: never.
  std::optional<std::chrono::milliseconds> timeout{};
  /// After that long one warning says what is waited for ("Possible hang: stop is waiting for start
  /// to complete"). 0: never.
  std::chrono::milliseconds log_after{30'000};
};

/// The same of a call of `start`, and what it starts.
struct start_options {
  /// As in `task_options`: ends the waiting, not the start (for that see `start_timeout`).
  std::optional<std::chrono::milliseconds> timeout{};
  /// As in `task_options`; the warning names the broker and why it cannot be reached.
  std::chrono::milliseconds log_after{30'000};
  /// Threads of the pool that the handlers run on from this start on, 1 to 32,768, in place of
  /// option executor_thread_pool_size; 0: as many as that says. Only where the options of the
  /// server name no executor.
  std::size_t override_pool_size = 0;
};

/// What `health` of a server or listener answers.
struct serving_health {
  bool listening = false;        ///< started and not stopped
  bool consuming = false;        ///< the bus delivers to it; false: a consumer is missing
  std::size_t running = 0;       ///< as its `running()`
  transport_health transport{};  ///< what it serves over

  /// True when requests or notifications arrive.
  bool ok() const noexcept { return listening && consuming && transport.ok(); }
};

}  // namespace oslo::messaging

#pragma GCC visibility pop
