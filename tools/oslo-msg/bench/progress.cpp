#include "bench/progress.hpp"

#include <unistd.h>

#include <cstdio>

namespace oslo::messaging::cli {

progress_line::progress_line(const bench_plan& plan)
    : total_{plan.count}, shown_{isatty(STDERR_FILENO) == 1} {}

progress_line::~progress_line() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

void progress_line::show(const char* what, std::uint64_t so_far) const {
  if (!shown_) return;
  std::fprintf(stderr, "\r\x1b[K%s %llu", what, static_cast<unsigned long long>(so_far));
  if (total_ != bench_plan::no_end)
    std::fprintf(stderr, " of %llu", static_cast<unsigned long long>(total_));
  std::fflush(stderr);
}

}  // namespace oslo::messaging::cli
