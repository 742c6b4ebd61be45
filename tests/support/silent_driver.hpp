// A driver that never answers: only a cancellation ends what is sent.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <oslo/messaging/transport.hpp>
#include <stop_token>
#include <utility>

namespace oslo::messaging::testing {

class silent_driver final : public driver {
 public:
  explicit silent_driver(std::shared_ptr<scheduler> loop) : loop_(std::move(loop)) {}
  capabilities caps() const noexcept override { return {}; }
  void send(target, outgoing_message, send_options o, send_completion done) override {
    struct pending {
      send_completion done;
      std::optional<std::stop_callback<std::function<void()>>> callback;
    };
    auto p = std::make_shared<pending>();
    p->done = std::move(done);
    p->callback.emplace(o.cancel, [p, loop = loop_] {
      loop->post([p] {
        p->callback.reset();
        p->done(failure(errc::cancelled, "cancelled"));
      });
    });
  }
  void send_notification(target, outgoing_message, double, send_options, send_completion) override {
  }
  std::unique_ptr<listener> listen(target, listen_options) override { return nullptr; }
  std::unique_ptr<listener> listen_for_notifications(std::vector<notification_topic>,
                                                     std::optional<std::string>,
                                                     listen_options) override {
    return nullptr;
  }
  void close(std::chrono::milliseconds, unique_function<void()> done) override {
    loop_->post(std::move(done));
  }

 private:
  std::shared_ptr<scheduler> loop_;
};

inline transport open_silent(transport_options o = {}) {
  driver_registry registry;
  registry.add("silent", [](const transport_url&, driver_environment env) {
    return std::make_unique<silent_driver>(env.loop);
  });
  return transport::open("silent://", std::move(o), registry);
}

}  // namespace oslo::messaging::testing
