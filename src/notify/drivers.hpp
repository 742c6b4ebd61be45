// What a notifier does with a message.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/notify/priority.hpp>
#include <oslo/messaging/transport.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging::notify {

/// A message on its way into the drivers.
struct outgoing_notification {
  context ctxt;      ///< redacted and serialized
  std::string body;  ///< the inner message
  std::string message_id;
  std::string event_type;
  notify::priority priority = notify::priority::info;
  int retry = -1;
  std::optional<std::chrono::milliseconds> timeout{};
  std::stop_token cancel{};
  bool quiet = false;  ///< whoever sends logs what fails
};

/// Any thread.
class notification_driver {
 public:
  virtual ~notification_driver() = default;
  /// `done` is called once: before this returns, or later on the loop of the transport.
  virtual void notify(const outgoing_notification& n,
                      unique_function<void(result<void>)> done) const = 0;
};

using notification_sinks = std::vector<std::shared_ptr<const notification_driver>>;

/// The driver of that name as parts that can be repeated alone; none when there is none. Throws
/// `configuration_error` for a `routing_config` that cannot be read.
std::optional<notification_sinks> make_notification_driver(std::string_view name,
                                                           const transport& bus,
                                                           const std::vector<std::string>& topics,
                                                           const std::string& routing_config);

/// Over the bus to one topic. Throws when the bus has no notifications (`errc::not_supported`).
std::shared_ptr<const notification_driver> messaging_driver(transport bus, std::string topic,
                                                            notification_format f);
/// To the drivers that the rules of a file choose for each message.
notification_sinks routing_driver(const std::string& file, const transport& bus,
                                  const std::vector<std::string>& topics);
/// Into the log of the transport.
std::shared_ptr<const notification_driver> log_driver(logger log);
/// Into `kept_notifications`.
std::shared_ptr<const notification_driver> test_driver();

}  // namespace oslo::messaging::notify
