#include <utility>

#include "core/features.hpp"
#include "notify/drivers.hpp"

namespace oslo::messaging::notify {
namespace {

class messaging_driver_impl final : public notification_driver {
 public:
  messaging_driver_impl(transport bus, std::string topic, notification_format f)
      : bus_(std::move(bus)), topic_(std::move(topic)), format_(f) {}

  void notify(const outgoing_notification& n,
              unique_function<void(result<void>)> done) const override {
    target to;
    to.topic = topic_ + '.' + std::string(to_string(n.priority));
    send_options o;
    o.retry = n.retry;
    o.timeout = n.timeout;
    o.cancel = n.cancel;
    bus_.driver().send_notification(
        std::move(to), {n.body, n.ctxt, {}, true}, format_, std::move(o),
        [done = std::move(done), topic = topic_, log = n.quiet ? logger{} : bus_.log(),
         event = n.event_type](result<reply> r) mutable {
          if (r) return done({});
          // Not the payload, which may be large and may hold secrets.
          log(log_level::error,
              "Could not send notification " + event + " to " + topic + ": " + r.error().message());
          done(r.error());
        });
  }

 private:
  transport bus_;
  std::string topic_;
  notification_format format_;
};

}  // namespace

std::shared_ptr<const notification_driver> messaging_driver(transport bus, std::string topic,
                                                            notification_format f) {
  require(bus, feature::notifications);
  return std::make_shared<messaging_driver_impl>(std::move(bus), std::move(topic), f);
}

}  // namespace oslo::messaging::notify
