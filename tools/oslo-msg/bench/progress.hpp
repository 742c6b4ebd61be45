// How far a benchmark is, for who waits for it.
#pragma once

#include <cstdint>

#include "bench/load.hpp"

namespace oslo::messaging::cli {

/// One line on a terminal, rewritten; nothing elsewhere.
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
