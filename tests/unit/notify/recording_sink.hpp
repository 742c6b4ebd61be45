// A notification driver of an application.
#pragma once

#include <mutex>
#include <oslo/messaging/notify/notification_driver.hpp>
#include <string>
#include <utility>
#include <vector>

namespace oslo::messaging::notify {

/// Keeps what it gets, and takes it at once. Thread safety: any thread.
class recording_sink final : public notification_driver {
 public:
  void notify(const outgoing_notification& n,
              unique_function<void(result<void>)> done) const override {
    {
      const std::lock_guard lock(mutex_);
      all_.push_back(n);
    }
    done({});
  }
  std::vector<outgoing_notification> all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }
  std::vector<std::string> events() const {
    std::vector<std::string> out;
    for (const auto& n : all()) out.push_back(n.event_type);
    return out;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::vector<outgoing_notification> all_;
};

}  // namespace oslo::messaging::notify
