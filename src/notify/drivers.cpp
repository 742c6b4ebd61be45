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

notification_sinks to_topics(const transport& bus, const std::vector<std::string>& topics,
                             notification_format f) {
  notification_sinks all;
  for (const auto& topic : topics) all.push_back(messaging_driver(bus, topic, f));
  return all;
}

}  // namespace

std::optional<notification_sinks> make_notification_driver(std::string_view name,
                                                           const transport& bus,
                                                           const std::vector<std::string>& topics,
                                                           const std::string& routing_config) {
  if (name == "messaging") return to_topics(bus, topics, notification_format::bare);
  if (name == "messagingv2") return to_topics(bus, topics, notification_format::envelope);
  if (name == "routing") return routing_driver(routing_config, bus, topics);
  if (name == "log") return notification_sinks{log_driver(bus.log())};
  if (name == "test") return notification_sinks{test_driver()};
  if (name == "noop") return notification_sinks{std::make_shared<noop_driver>()};
  return std::nullopt;
}

}  // namespace oslo::messaging::notify
