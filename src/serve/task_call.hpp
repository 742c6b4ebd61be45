// A call of start, stop or wait, until it is done.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/executor.hpp>
#include <oslo/messaging/function.hpp>
#include <utility>

namespace oslo::messaging::serve {

/// Whoever waits for it may give up.
struct task_call {
  enum class kind { start, stop, wait };
  kind what;
  std::uint32_t round = 0;                   ///< the one that was current when the call was made
  unique_function<void(result<void>)> done;  ///< loop; may be empty
  bool leads = false;                        ///< the first `start` of its round
  std::shared_ptr<executor> pool{};          ///< a leader's, when the round needs another one
  std::optional<failure> refused{};          ///< why a leader has none
  bool early = false;                        ///< made before the first `start`
  std::atomic<bool> seen{false};             ///< the loop has come to it
  std::atomic<bool> given_up{false};

  void finish(result<void> r) {
    if (done) std::exchange(done, {})(std::move(r));
  }
};

}  // namespace oslo::messaging::serve
