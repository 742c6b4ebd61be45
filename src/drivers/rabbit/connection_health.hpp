// What a transport says of its two connections.
#pragma once

#include <mutex>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/health.hpp>

#include "drivers/rabbit/publisher.hpp"
#include "net/amqp_link.hpp"

namespace oslo::messaging::rabbit {

/// Everything runs on the loop unless a comment says otherwise. What it is given outlives it.
class connection_health {
 public:
  connection_health(const net::amqp_link& publishing, const net::amqp_link& consuming,
                    const publisher& p)
      : publishing_(publishing), consuming_(consuming), publisher_(p) {}

  /// A connection may have changed.
  void update();
  /// A probe did not come back; something has come.
  void set_deaf(bool deaf);
  bool is_deaf() const noexcept { return deaf_; }
  void watch(unique_function<void(const transport_health&)> changed);
  transport_health now() const;  ///< any thread

 private:
  const net::amqp_link& publishing_;
  const net::amqp_link& consuming_;
  const publisher& publisher_;
  bool deaf_ = false;
  unique_function<void(const transport_health&)> changed_;
  mutable std::mutex mutex_;
  transport_health now_;  ///< guarded by it
};

}  // namespace oslo::messaging::rabbit
