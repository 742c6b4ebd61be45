// What the errors of one producer or consumer say about its connections.
#pragma once

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/health.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging::kafka {

/// librdkafka says when a broker fails, and when all are down; that one is back shows only in what
/// works again. A verdict (credentials, certificate) counts once all brokers are down.
///
/// A value. `on_error` and `alive` return whether something has changed.
class client_state {
 public:
  /// An event of librdkafka about the client as a whole; `text` is its own sentence.
  bool on_error(rd_kafka_resp_err_t e, std::string_view text);
  /// A broker has answered, or is said to be up.
  bool alive();

  /// No broker could be reached since the last sign of life.
  bool is_down() const noexcept { return down_; }
  /// Set while brokers refuse this client: what waits for them would wait in vain.
  const std::optional<failure>& verdict() const noexcept { return verdict_; }
  link_state state() const noexcept;
  /// Why it is not connected; empty when it is.
  const std::string& reason() const noexcept { return reason_; }
  /// "host:port" of the broker that the last error was about; may be empty.
  const std::string& broker() const noexcept { return broker_; }

 private:
  bool connected_ = false;
  bool down_ = false;
  std::optional<failure> last_verdict_;  ///< of the last error
  std::optional<failure> verdict_;
  std::string reason_, broker_;
};

/// "sasl_ssl://h1:9093/bootstrap: Connect failed" is about "h1:9093".
std::string broker_of(std::string_view text);

/// True when statistics of librdkafka (JSON) show a broker that is up.
bool shows_broker_up(std::string_view statistics) noexcept;

/// How long librdkafka needs for so many attempts to connect after one has failed: 0.1 s, 0.2 s,
/// and so on up to 10 s each. It does not tell of each one.
std::chrono::milliseconds time_for_attempts(int attempts) noexcept;

}  // namespace oslo::messaging::kafka
