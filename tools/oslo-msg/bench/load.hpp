// Messages on their way: a fixed number at a time, or at a fixed rate.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <limits>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/scheduler.hpp>
#include <utility>

#include "bench/histogram.hpp"

namespace oslo::messaging::cli {

/// How much to send, and how.
struct bench_plan {
  static constexpr std::uint64_t no_end = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t count = no_end;
  std::chrono::nanoseconds time = std::chrono::nanoseconds::max();  ///< whichever ends first
  std::size_t in_flight = 1;     ///< also the most that a fixed rate may have under way
  std::optional<double> rate{};  ///< a second; none: the next when one is done
};

struct bench_outcome {
  scheduler::time_point begin{}, end{};
  std::uint64_t count = 0;  ///< sent, failed ones too
  std::uint64_t errors = 0;
  std::optional<failure> first_error{};
  std::optional<double> sent_rate{};  ///< what came of `bench_plan::rate`

  double seconds() const noexcept { return std::chrono::duration<double>(end - begin).count(); }
  /// Takes in what went on at the same time.
  void add(const bench_outcome& other);
};

class bench_load;

/// One message under way: whoever sends it tells when it is done.
struct bench_ticket {
  bench_load* load;
  scheduler::time_point due;

  /// `why`: none when all went well. On the loop.
  void done(std::optional<failure> why) const;
};

/// Sends one message, by its number. Called on the loop; must not call `done` before it returns.
using bench_source = std::function<void(std::uint64_t, bench_ticket)>;

/// Sends what a plan says, from completions and timers alone: no thread of its own between the
/// library and the next message. At a fixed rate a latency counts from the moment the message was
/// due, so that a pause of the system shows in all messages that it delayed.
///
/// Thread safety: `run` on one thread; everything else happens on the loop.
class bench_load {
 public:
  /// Gets the number so far. False: `run` sends nothing any more.
  using progress = std::function<bool(std::uint64_t)>;

  bench_load(scheduler& loop, bench_source send_one, latency_histogram& latencies)
      : loop_{loop}, send_one_{std::move(send_one)}, latencies_{latencies} {}

  /// Returns when every message is done. `p` is called now and then on this thread.
  bench_outcome run(const bench_plan& plan, const progress& p);

 private:
  friend bench_ticket;
  using time_point = scheduler::time_point;

  bool all_sent(time_point now) const;
  void send(time_point due);
  void send_what_is_due();
  void stop();
  void end_if_done(time_point now);
  void done(time_point due, std::optional<failure> why);
  time_point due_time(std::uint64_t number) const;

  scheduler& loop_;
  const bench_source send_one_;
  latency_histogram& latencies_;
  // Of the run under way.
  bench_plan plan_{};
  bench_outcome outcome_{};
  std::uint64_t under_way_ = 0;
  bool held_ = false;  ///< a message is due and too many are under way
  scheduler::timer_id next_due_ = scheduler::timer_id::none;  ///< sends the next one
  bool running_ = false;
  bool stopped_ = false;
  time_point begin_{}, end_{}, last_sent_{};
  std::promise<void> all_done_{};
  std::atomic<std::uint64_t> finished_{0};
};

inline void bench_ticket::done(std::optional<failure> why) const {
  load->done(due, std::move(why));
}

/// How far a benchmark is: one line on a terminal, rewritten; nothing elsewhere.
///
/// Thread safety: one thread at a time.
class progress_line {
 public:
  explicit progress_line(const bench_plan& plan);
  ~progress_line();
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  void show(const char* what, std::uint64_t so_far) const;
  /// The same as a function, which the line has to outlive.
  bench_load::progress of(const char* what) const {
    return [this, what](std::uint64_t n) {
      show(what, n);
      return true;
    };
  }

 private:
  const std::uint64_t total_;
  const bool shown_;
};

}  // namespace oslo::messaging::cli
