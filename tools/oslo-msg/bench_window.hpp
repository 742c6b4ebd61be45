// The client half of a benchmark: messages on their way, a fixed number at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <oslo/messaging/rpc/client.hpp>
#include <string>
#include <vector>

namespace oslo::messaging::cli {

/// Keeps `in_flight` calls or casts under way, from the completions themselves: no thread of its
/// own between the library and the next message.
///
/// Thread safety: `run` on one thread; everything else happens on the transport's loop.
class bench_window {
 public:
  enum class kind { call, cast };
  struct outcome {
    double seconds = 0;
    std::vector<float> latencies{};  ///< seconds, one a message that succeeded
    std::uint64_t errors = 0;
    std::optional<failure> first_error{};
  };

  bench_window(rpc::client client, kind what, std::string method, std::string args_json,
               std::size_t in_flight);

  /// Sends `count` messages and returns when each has been answered or has failed. `progress` is
  /// called now and then on this thread with the number so far.
  outcome run(std::uint64_t count, const std::function<void(std::uint64_t)>& progress);

 private:
  using clock = std::chrono::steady_clock;

  void send();
  void finished(clock::time_point sent, const std::optional<failure>& why);

  const rpc::client client_;
  const kind what_;
  const std::string method_, args_json_;
  const std::size_t in_flight_;
  // Of the run under way.
  std::uint64_t to_send_ = 0, to_finish_ = 0;
  clock::time_point begin_{};
  outcome outcome_{};
  std::promise<void> all_finished_{};
  std::atomic<std::uint64_t> done_{0};
};

}  // namespace oslo::messaging::cli
