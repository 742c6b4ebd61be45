// A driver that keeps what is sent and answers what a test tells it.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/transport.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/stub_driver.hpp"

namespace oslo::messaging::testing {

/// One `driver::send` or `send_notification`.
struct sent_message {
  target to;
  outgoing_message message;
  send_options options;
  std::optional<notification_format> format{};  ///< of a notification
};

/// What a test and the driver of its transport share.
class recorder {
 public:
  /// Answers for the sends to come, in order; afterwards every send gets "null".
  void answer(result<reply> r) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(r));
  }
  std::vector<sent_message> sent() const {
    const std::lock_guard lock(mutex_);
    return sent_;
  }
  sent_message last() const { return sent().back(); }

  result<reply> record(sent_message m) {
    const std::lock_guard lock(mutex_);
    sent_.push_back(std::move(m));
    if (answers_.empty()) return reply{};
    auto r = std::move(answers_.front());
    answers_.pop_front();
    return r;
  }

  // What the driver says of itself; not to be changed once it is open.
  capabilities caps{};
  std::string system{};

 private:
  mutable std::mutex mutex_;
  std::vector<sent_message> sent_;
  std::deque<result<reply>> answers_;
};

class recording_driver final : public stub_driver {
 public:
  recording_driver(std::shared_ptr<recorder> to, driver_environment env)
      : stub_driver(std::move(env.loop)), recorder_(std::move(to)) {}

  capabilities caps() const noexcept override { return recorder_->caps; }
  std::string_view system() const noexcept override { return recorder_->system; }
  void send(target to, outgoing_message m, send_options o, send_completion done) override {
    keep({std::move(to), std::move(m), std::move(o)}, std::move(done));
  }
  void send_notification(target to, outgoing_message m, notification_format f, send_options o,
                         send_completion done) override {
    keep({std::move(to), std::move(m), std::move(o), f}, std::move(done));
  }

 private:
  void keep(sent_message m, send_completion done) {
    loop_->post([done = std::move(done), r = recorder_->record(std::move(m))]() mutable {
      done(std::move(r));
    });
  }

  std::shared_ptr<recorder> recorder_;
};

/// A transport on such a driver.
inline transport open_recording(std::shared_ptr<recorder> to, transport_options o = {}) {
  driver_registry registry;
  registry.add("recording", [to](const transport_url&, driver_environment env) {
    return std::make_unique<recording_driver>(to, std::move(env));
  });
  return transport::open("recording://", std::move(o), registry);
}

}  // namespace oslo::messaging::testing
