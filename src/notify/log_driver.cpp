#include <oslo/messaging/json.hpp>
#include <utility>

#include "notify/drivers.hpp"
#include "notify/sources/masking.hpp"

namespace oslo::messaging::notify {
namespace {

/// What Python's loggers have a method for.
std::optional<log_level> level_of(priority p) noexcept {
  switch (p) {
    case priority::debug: return log_level::debug;
    case priority::info: return log_level::info;
    case priority::warn: return log_level::warning;
    case priority::error:
    case priority::critical: return log_level::error;
    case priority::audit:
    case priority::sample: break;
  }
  return std::nullopt;
}

class log_driver_impl final : public notification_driver {
 public:
  explicit log_driver_impl(logger log) : log_(std::move(log)) {}

  void notify(const outgoing_notification& n,
              unique_function<void(result<void>)> done) const override {
    if (const auto level = level_of(n.priority)) {
      if (log_.enabled(*level))
        log_(*level, "oslo.messaging.notification." + n.event_type + " " +
                         to_json(masked(parse_json(n.body))));
    } else {
      log_(log_level::warning,
           "Unable to log message as notify cannot find a logger with the priority specified " +
               std::string(to_string(n.priority)));
    }
    done({});
  }

 private:
  logger log_;
};

}  // namespace

std::shared_ptr<const notification_driver> log_driver(logger log) {
  return std::make_shared<log_driver_impl>(std::move(log));
}

}  // namespace oslo::messaging::notify
