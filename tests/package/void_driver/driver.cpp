// void:// - takes casts and notifications and forgets them.
#include <oslo/messaging/driver.hpp>

namespace oslo::messaging::void_bus {
namespace {

class void_driver final : public driver {
 public:
  explicit void_driver(driver_environment env) : loop_(std::move(env.loop)) {}

  capabilities caps() const noexcept override { return {}; }
  void send(target, outgoing_message, send_options o, send_completion done) override {
    end(std::move(done), o.wait_for_reply);
  }
  void send_notification(target, outgoing_message, notification_format, send_options,
                         send_completion done) override {
    end(std::move(done), false);
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

 private:
  static failure no_answer() { return {errc::not_supported, "Nobody answers here."}; }
  [[noreturn]] static void refuse() { throw messaging_error(no_answer()); }
  void end(send_completion done, bool call) {
    loop_->post([done = std::move(done), call]() mutable {
      if (call)
        done(no_answer());
      else
        done(reply{});
    });
  }

  const std::shared_ptr<scheduler> loop_;
};

}  // namespace

void add_to(driver_registry& r) {
  r.add("void", [](const transport_url&, driver_environment env) {
    return std::make_unique<void_driver>(std::move(env));
  });
}

}  // namespace oslo::messaging::void_bus
