// The parts of one transport: its client, and the ports of its servers.
#pragma once

#include <memory>
#include <mutex>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <vector>

#include "drivers/zmq/client.hpp"
#include "drivers/zmq/context.hpp"
#include "drivers/zmq/curve.hpp"
#include "drivers/zmq/matchmaker.hpp"
#include "drivers/zmq/server_port.hpp"

namespace oslo::messaging::zmq {

/// On the loop, but for `health` and the destructor.
class engine final : public std::enable_shared_from_this<engine> {
 public:
  explicit engine(context_ptr c);
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  void start();
  void send(subscription::service of, target to, outgoing_message m, notification_format f,
            send_options o, send_completion done);
  /// The numbers of the subscriptions are given here.
  std::shared_ptr<inbox> listen(std::vector<subscription> to, std::size_t prefetch);
  transport_health health() const;
  void watch_health(unique_function<void(const transport_health&)> changed);
  void close(std::chrono::milliseconds limit, unique_function<void()> done);

 private:
  result<std::shared_ptr<server_port>> port_for_listener();
  void let_in();
  void announce(const std::shared_ptr<inbox>& i);
  void withdrawn(server_port& from);
  void leave(std::shared_ptr<server_port> port, std::chrono::milliseconds limit);
  void look_whether_closed();
  void look_at_health();

  const context_ptr context_;
  const std::string id_;
  const std::unique_ptr<matchmaker> matchmaker_;
  const std::shared_ptr<client> client_;
  std::unique_ptr<gatekeeper> gatekeeper_;
  std::vector<std::shared_ptr<server_port>> ports_;
  std::vector<std::shared_ptr<server_port>> leaving_;  ///< whose listeners have gone
  unique_function<void(const transport_health&)> on_health_;
  unique_function<void()> on_closed_;
  bool sends_ = false, listens_ = false, closed_ = false;

  mutable std::mutex mutex_;  // guards what follows
  transport_health health_{};
};

}  // namespace oslo::messaging::zmq
