#include <utility>

#include "notify/drivers.hpp"
#include "notify/reports.hpp"

namespace oslo::messaging::notify {
namespace {

class messaging_driver_impl final : public notification_driver {
 public:
  messaging_driver_impl(transport bus, std::vector<std::string> topics, double version)
      : bus_(std::move(bus)), topics_(std::move(topics)), version_(version) {}

  void notify(const outgoing_notification& n,
              unique_function<void(result<void>)> done) const override {
    if (topics_.empty()) return done({});
    const auto all = std::make_shared<reports>(topics_.size(), std::move(done));
    for (const auto& topic : topics_) {
      target to;
      to.topic = topic + '.' + std::string(to_string(n.priority));
      send_options o;
      o.retry = n.retry;
      o.timeout = n.timeout;
      o.cancel = n.cancel;
      bus_.driver().send_notification(
          std::move(to), {n.body, n.ctxt}, version_, std::move(o),
          [all, topic, log = bus_.log(), event = n.event_type](result<reply> r) {
            if (r) return all->add({});
            // Not the payload, which may be large and may hold secrets.
            log(log_level::error, "Could not send notification " + event + " to " + topic + ": " +
                                      r.error().message());
            all->add(r.error());
          });
    }
  }

 private:
  transport bus_;
  std::vector<std::string> topics_;
  double version_;
};

}  // namespace

std::shared_ptr<const notification_driver> messaging_driver(transport bus,
                                                            std::vector<std::string> topics,
                                                            double version) {
  return std::make_shared<messaging_driver_impl>(std::move(bus), std::move(topics), version);
}

}  // namespace oslo::messaging::notify
