// A driver that never answers: only a cancellation ends what is sent.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <oslo/messaging/transport.hpp>
#include <stop_token>
#include <utility>
#include <vector>

#include "support/stub_driver.hpp"

namespace oslo::messaging::testing {

class silent_driver final : public stub_driver {
 public:
  using stub_driver::stub_driver;
  void send(target, outgoing_message, send_options o, send_completion done) override {
    // Registered on the loop: a cancellation that is already there then ends it afterwards.
    loop_->post([this, p = std::make_shared<pending>(std::move(done)),
                 cancel = std::move(o.cancel)]() mutable {
      pending_.push_back(p);
      p->callback.emplace(std::move(cancel), [loop = loop_, given_up = std::weak_ptr(p)] {
        loop->post([given_up] {
          if (const auto still = given_up.lock()) still->end();
        });
      });
    });
  }

 private:
  struct pending {
    explicit pending(send_completion d) : done(std::move(d)) {}
    void end() {
      callback.reset();
      if (done) std::exchange(done, {})(failure(errc::cancelled, "cancelled"));
    }
    send_completion done;
    std::optional<std::stop_callback<std::function<void()>>> callback;
  };

  std::vector<std::shared_ptr<pending>> pending_;
};

inline transport open_silent(transport_options o = {}) {
  driver_registry registry;
  registry.add("silent", [](const transport_url&, driver_environment env) {
    return std::make_unique<silent_driver>(env.loop);
  });
  return transport::open("silent://", std::move(o), registry);
}

}  // namespace oslo::messaging::testing
