// Keeps what is measured, as text.
#pragma once

#include <map>
#include <mutex>
#include <oslo/messaging/metrics.hpp>
#include <string>
#include <vector>

namespace oslo::messaging::testing {

class recording_metrics final : public metrics {
 public:
  void add(std::string_view name, metric_labels labels, std::int64_t delta) override {
    record(std::string(name) + " +" + std::to_string(delta) + text(labels));
  }
  void set(std::string_view name, metric_labels labels, double) override {
    record(std::string(name) + " set" + text(labels));
  }
  void observe(std::string_view name, metric_labels labels, double seconds) override {
    record(std::string(name) + (seconds >= 0 && seconds < 60 ? " observed" : " wrong") +
           text(labels));
  }
  /// "name +1 label=value label=value", in the order of the calls.
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  static std::string text(metric_labels labels) {
    std::string out;
    for (const auto& l : labels) out += " " + std::string(l.name) + "=" + std::string(l.value);
    return out;
  }
  void record(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }

  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace oslo::messaging::testing
