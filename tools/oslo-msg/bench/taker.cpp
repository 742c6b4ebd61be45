#include "bench/taker.hpp"

#include <atomic>
#include <future>
#include <memory>
#include <oslo/messaging/notify/listener.hpp>

#include "bench/patience.hpp"

namespace oslo::messaging::cli {
namespace {

/// Thread safety: none beyond what the inline executor needs; `wait` on another thread.
class counting_endpoint : public notify::endpoint {
 public:
  explicit counting_endpoint(std::uint64_t count) : count_{count} {
    bind(notify::priority::info, [this](const notify::notification&) { take(); });
    if (count == 0) all_.set_value();
  }
  void wait() { wait_while_taking(all_.get_future(), taken_, count_, "notifications came back"); }

 private:
  void take() {
    if (taken_.fetch_add(1) + 1 == count_) all_.set_value();
  }
  const std::uint64_t count_;
  std::atomic<std::uint64_t> taken_{0};
  std::promise<void> all_;
};

}  // namespace

double take_notifications(const transport& bus, const target& from, std::uint64_t count) {
  const auto counts = std::make_shared<counting_endpoint>(count);
  notify::listener_options options;
  options.executor = inline_executor();
  notify::listener listener{bus, {from}, {counts}, std::move(options)};
  const auto begin = std::chrono::steady_clock::now();
  listener.start();
  counts->wait();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  listener.stop();
  listener.wait(bench_patience);
  return static_cast<double>(count) / taken.count();
}

}  // namespace oslo::messaging::cli
