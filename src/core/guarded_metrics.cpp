#include "core/guarded_metrics.hpp"

#include <atomic>
#include <oslo/messaging/detail/current_failure.hpp>
#include <utility>

namespace oslo::messaging {
namespace {

class metrics_guard final : public metrics {
 public:
  metrics_guard(std::shared_ptr<metrics> inner, logger log)
      : inner_(std::move(inner)), log_(std::move(log)) {}

  void add(std::string_view name, metric_labels labels, std::int64_t delta) override {
    guard([&] { inner_->add(name, labels, delta); });
  }
  void set(std::string_view name, metric_labels labels, double level) override {
    guard([&] { inner_->set(name, labels, level); });
  }
  void observe(std::string_view name, metric_labels labels, double seconds) override {
    guard([&] { inner_->observe(name, labels, seconds); });
  }

 private:
  template <class F>
  void guard(F f) noexcept {
    try {
      f();
    } catch (...) {
      if (said_.exchange(true)) return;
      log_(log_level::error, "The metrics of the application have thrown, and this is said once: " +
                                 detail::current_failure(errc::handler_failed, {}).message());
    }
  }

  const std::shared_ptr<metrics> inner_;
  const logger log_;
  std::atomic<bool> said_{false};
};

}  // namespace

std::shared_ptr<metrics> guarded_metrics(std::shared_ptr<metrics> inner, logger log) {
  if (!inner) return nullptr;
  return std::make_shared<metrics_guard>(std::move(inner), std::move(log));
}

}  // namespace oslo::messaging
