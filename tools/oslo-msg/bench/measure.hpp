// The measurements of `oslo-msg bench`.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "bench/figures.hpp"
#include "bench/load.hpp"
#include "bench/messages.hpp"
#include "executor_options.hpp"
#include "program.hpp"

namespace oslo::messaging::cli {

struct bench_options {
  std::string mode;
  std::size_t in_flight = 64;
  std::optional<std::uint64_t> count{};
  std::optional<double> seconds{};
  std::optional<double> rate{};
  std::string body = "100";
  std::string callers = "completions";
  std::size_t servers = 10;
  std::size_t transports = 1;  ///< no more than `count` and `in_flight`
  std::optional<pid_t> broker{};
  std::string json_file;
  executor_options run_on{"inline"};
};

/// Measures what `o` says. Errors of messages are figures, too; what keeps it from measuring throws
/// (`messaging_error`, `usage_error`, `std::runtime_error`).
void measure(program p, const bench_options& o, figures& f);

/// `oslo-msg bench call`: over `o.transports` transports, each with its part of the work.
void measure_calls(const program& p, const bench_options& o, const bench_bodies& bodies,
                   figures& f);

// What the measurements begin and end with.

/// What `o` wants sent.
bench_plan plan_of(const bench_options& o);
/// A tenth of the work, never at a fixed rate.
bench_plan warm_up_of(const bench_options& o);
void fill_in(figures& f, bench_outcome outcome);

}  // namespace oslo::messaging::cli
