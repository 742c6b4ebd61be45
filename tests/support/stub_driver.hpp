// What the drivers of tests are made from.
#pragma once

#include <memory>
#include <optional>
#include <oslo/messaging/transport.hpp>
#include <utility>
#include <vector>

namespace oslo::messaging::testing {

/// Refuses everything but its end; a test says what its own driver can do.
class stub_driver : public driver {
 public:
  explicit stub_driver(std::shared_ptr<scheduler> loop) : loop_(std::move(loop)) {}

  capabilities caps() const noexcept override { return {}; }
  void send(target, outgoing_message, send_options, send_completion) override { refuse(); }
  void send_notification(target, outgoing_message, notification_format, send_options,
                         send_completion) override {
    refuse();
  }
  std::shared_ptr<listener> listen(target, listen_options) override { refuse(); }
  std::shared_ptr<listener> listen_for_notifications(std::vector<notification_topic>,
                                                     std::optional<std::string>,
                                                     listen_options) override {
    refuse();
  }
  void close(std::chrono::milliseconds, unique_function<void()> done) override {
    loop_->post(std::move(done));
  }

 protected:
  const std::shared_ptr<scheduler> loop_;

 private:
  [[noreturn]] static void refuse() {
    throw messaging_error({errc::not_supported, "The driver of this test cannot do that."});
  }
};

}  // namespace oslo::messaging::testing
