// A small broker of AMQP 1.0 in the process of a test, for what needs one that forwards messages.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace oslo::messaging::testing {

/// Listens on a port of this machine, on a thread of its own, with the server side of Proton's
/// engine. It keeps everything in memory. Addresses that hold "broadcast." or
/// "/multicast/" copy each message to all who listen; all others are queues, made for whoever names
/// them. It relays, makes dynamic nodes, drops what has expired, counts deliveries that failed, and
/// gives what was not settled to the next receiver.
class amqp1_broker {
 public:
  amqp1_broker();
  ~amqp1_broker();
  amqp1_broker(const amqp1_broker&) = delete;
  amqp1_broker& operator=(const amqp1_broker&) = delete;

  /// amqp://127.0.0.1:PORT/
  std::string url() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace oslo::messaging::testing
