// A transport, and all that a driver of Python's library does with one.
#pragma once

#include <memory>
#include <optional>
#include <oslo/messaging/transport.hpp>
#include <string>
#include <tuple>
#include <vector>

#include "log_queue.hpp"
#include "pending.hpp"
#include "subscription.hpp"

namespace oslo::messaging::python {

/// Group, name and text of an option. The text is a value and not a line of a file: a dollar sign
/// in it stands for nothing.
using setting = std::tuple<std::string, std::string, std::string>;

/// What a message is sent with. Times are seconds; none: for ever.
struct sending {
  bool plain_keys = false;
  bool wait_for_reply = false;
  std::optional<double> timeout{};
  std::optional<double> call_monitor_timeout{};
  int retry = -1;
  bool at_least_once = false;
};

/// Thread safety: any thread.
class bus {
 public:
  /// Throws what `open_transport` throws. Nothing is connected yet.
  bus(const std::string& url, const std::vector<setting>& settings, std::string client_name,
      log_level level, std::shared_ptr<log_queue> log);

  /// Sent once somebody waits for it.
  std::shared_ptr<pending> send(target to, std::string body, const sending& how);
  /// Likewise.
  std::shared_ptr<pending> send_notification(target to, std::string body, bool envelope,
                                             const sending& how);
  /// `prefetch`: messages that the bus sends ahead; 0: the library's own choice, since requests
  /// beyond that are better off with another server.
  std::shared_ptr<subscription> listen(target on, std::size_t prefetch);
  /// `prefetch`: likewise; 0: very many, since a batch has to come together.
  std::shared_ptr<subscription> listen_for_notifications(std::vector<notification_topic> topics,
                                                         std::optional<std::string> pool,
                                                         std::size_t prefetch);
  transport_health health() const { return bus_.health(); }
  /// Ends everything; completes when it is closed, after at most `limit` seconds.
  std::shared_ptr<pending> close(double limit);

 private:
  std::shared_ptr<subscription> subscribe(bool acknowledge, subscription::opener o);

  transport bus_;
};

/// Throws `configuration_error` for a value of `settings` that the library refuses or cannot read.
void check_settings(const std::vector<setting>& settings);

}  // namespace oslo::messaging::python
