#include "bench/load.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace oslo::messaging::cli {

void bench_outcome::add(const bench_outcome& other) {
  begin = std::min(begin, other.begin);
  end = std::max(end, other.end);
  count += other.count;
  errors += other.errors;
  if (!first_error) first_error = other.first_error;
}

bench_outcome bench_load::run(const bench_plan& plan, const progress& p) {
  plan_ = plan;
  if (plan.rate && plan.count == bench_plan::no_end)
    plan_.count = static_cast<std::uint64_t>(
        std::ceil(*plan.rate * std::chrono::duration<double>(plan.time).count()));
  outcome_ = {};
  under_way_ = 0;
  held_ = stopped_ = false;
  all_done_ = {};
  finished_ = 0;
  auto end = all_done_.get_future();
  loop_.post([this] {
    running_ = true;
    begin_ = loop_.now();
    const bool limited = !plan_.rate && plan_.time != std::chrono::nanoseconds::max();
    end_ = limited ? begin_ + plan_.time : time_point::max();
    if (plan_.rate)
      send_what_is_due();
    else
      while (under_way_ < plan_.in_flight && !all_sent(begin_)) send(loop_.now());
    end_if_done(begin_);
  });
  // Every message has its own deadline in the library, so this ends.
  std::future<void> stopped;
  while (end.wait_for(std::chrono::milliseconds{200}) != std::future_status::ready) {
    if (p(finished_.load(std::memory_order_relaxed)) || stopped.valid()) continue;
    std::promise<void> heard;
    stopped = heard.get_future();
    loop_.post([this, heard = std::move(heard)]() mutable {
      stop();
      heard.set_value();
    });
  }
  if (stopped.valid()) stopped.get();  // nothing on the loop refers to this any more
  if (plan_.rate && outcome_.count > 1)
    outcome_.sent_rate = static_cast<double>(outcome_.count - 1) /
                         std::chrono::duration<double>(last_sent_ - begin_).count();
  return outcome_;
}

void bench_load::stop() {
  stopped_ = true;
  loop_.cancel(std::exchange(next_due_, scheduler::timer_id::none));
  end_if_done(loop_.now());
}

bool bench_load::all_sent(time_point now) const {
  return stopped_ || outcome_.count >= plan_.count || now >= end_;
}

void bench_load::send(time_point due) {
  ++under_way_;
  send_one_(outcome_.count++, {this, due});
}

bench_load::time_point bench_load::due_time(std::uint64_t number) const {
  return begin_ + std::chrono::duration_cast<scheduler::clock::duration>(
                      std::chrono::duration<double>(static_cast<double>(number) / *plan_.rate));
}

void bench_load::send_what_is_due() {
  held_ = false;
  next_due_ = scheduler::timer_id::none;
  while (!all_sent(begin_)) {
    const auto due = due_time(outcome_.count);
    const auto now = loop_.now();
    if (due > now) {
      next_due_ = loop_.run_at(due, [this] { send_what_is_due(); });
      return;
    }
    if (under_way_ >= plan_.in_flight) {
      held_ = true;
      return;
    }
    last_sent_ = now;
    send(due);
  }
}

void bench_load::done(time_point due, std::optional<failure> why) {
  const auto now = loop_.now();
  --under_way_;
  if (!why) {
    latencies_.add(now - due);
  } else {
    ++outcome_.errors;
    if (!outcome_.first_error) outcome_.first_error = std::move(why);
  }
  finished_.fetch_add(1, std::memory_order_relaxed);
  if (plan_.rate) {
    if (held_) send_what_is_due();
  } else if (!all_sent(now)) {
    send(now);
  }
  end_if_done(now);
}

void bench_load::end_if_done(time_point now) {
  if (!running_ || under_way_ != 0 || !all_sent(now)) return;
  running_ = false;
  outcome_.begin = begin_;
  outcome_.end = now;
  all_done_.set_value();
}

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
