#include "notify/drivers.hpp"

namespace oslo::messaging::notify {
namespace {

class noop_driver final : public notification_driver {
 public:
  void notify(const outgoing_notification&,
              unique_function<void(result<void>)> done) const override {
    done({});
  }
};

}  // namespace

std::shared_ptr<const notification_driver> make_notification_driver(
    std::string_view name, const transport& bus, const std::vector<std::string>& topics) {
  if (name == "messaging") return messaging_driver(bus, topics, 1.0);
  if (name == "messagingv2") return messaging_driver(bus, topics, 2.0);
  if (name == "log") return log_driver(bus.log());
  if (name == "test") return test_driver();
  if (name == "noop") return std::make_shared<noop_driver>();
  return nullptr;
}

}  // namespace oslo::messaging::notify
