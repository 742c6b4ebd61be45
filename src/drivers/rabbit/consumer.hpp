// The consuming connection: subscriptions that are set up again after every loss.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <string>
#include <vector>

#include "core/unique_id.hpp"
#include "drivers/rabbit/topology.hpp"
#include "net/amqp_link.hpp"
#include "protocol/backoff.hpp"

namespace oslo::messaging::rabbit {

class consumer;

/// What one listener consumes: a channel of its own with one or more queues.
///
/// A delivery tag is only good for the channel it came from; `lifetime()` tells one channel from
/// the next, and settling with an old one does nothing.
class subscription {
 public:
  virtual ~subscription() = default;

  std::uint64_t lifetime() const noexcept { return lifetime_; }
  bool is_ready() const noexcept { return missing_ == 0 && channel_ != 0; }
  virtual bool is_ending() const noexcept { return false; }  ///< its owner takes nothing more

  // All on the loop.
  virtual void on_ready() = 0;  ///< every queue is being consumed, again
  virtual void on_removed() {}  ///< by `consumer::remove`; no delivery will come
  virtual void on_gone() {}     ///< after it, once the broker has nothing of it any more
  virtual void on_lost() {}     ///< the channel is gone; unsettled deliveries come again
  /// The broker refuses the topology. It is tried again, slowly, unless the owner removes it.
  virtual void on_refused(const failure& why) = 0;
  /// An attempt to connect failed.
  virtual void on_unreachable(const failure& why) { (void)why; }
  virtual void on_delivery(const amqp091::delivery& d) = 0;
  virtual void on_input_done() {}

 protected:
  subscription(std::vector<source> sources, std::uint16_t prefetch)
      : sources_(std::move(sources)), prefetch_(prefetch), backoff_(1, {}, random_bits()) {}

 private:
  friend class consumer;
  std::vector<source> sources_;
  std::vector<std::string> tags_;
  std::uint16_t prefetch_;
  amqp091::channel_id channel_ = 0;
  std::uint64_t lifetime_ = 0;
  std::size_t missing_ = 0;  ///< consume-ok frames still to come
  bool retry_pending_ = false;
  protocol::backoff backoff_;
  std::chrono::steady_clock::time_point ready_since_ = std::chrono::steady_clock::time_point::max();
};
using subscription_ptr = std::shared_ptr<subscription>;

/// Not thread safe; lives on the loop.
class consumer final : public net::amqp_link {
 public:
  consumer(boost::asio::any_io_executor ex, net::link_settings settings, logger log,
           unique_function<void()> before_input, unique_function<void()> after_input);

  void add(subscription_ptr s);
  /// Asks for no further deliveries; what was delivered can still be settled.
  void stop_deliveries(const subscription_ptr& s);
  /// Stops consuming, gives unsettled deliveries back and deletes private queues.
  void remove(const subscription_ptr& s);
  void remove_all();

  /// `lifetime` is the subscription's at the time of the delivery.
  void ack(const subscription& s, std::uint64_t lifetime, std::uint64_t tag);
  void reject(const subscription& s, std::uint64_t lifetime, std::uint64_t tag, bool requeue);

 private:
  void link_up() override;
  void link_down(const failure& why, bool was_open) override;
  void input_begins() override { before_input_(); }
  void input_done() override;

  void on_channel_closed(amqp091::channel_id ch, const amqp091::close_reason& why) override;
  void on_request_ok(amqp091::channel_id ch, amqp091::request_id request, std::string_view name,
                     std::uint32_t messages, std::uint32_t consumers) override;
  void on_delivery(const amqp091::delivery& d) override;
  void on_delivery_refused(const amqp091::delivery& refused, std::string_view why) override;
  void on_consumer_cancelled(amqp091::channel_id ch, std::string_view tag) override;

  void establish(subscription& s);
  void request_everything(subscription& s);
  void lost(subscription& s);
  void everything_is_gone();
  void establish_later(const subscription_ptr& s, std::chrono::milliseconds pause);
  subscription_ptr find(amqp091::channel_id ch) const;

  boost::asio::any_io_executor executor_;
  unique_function<void()> before_input_;
  unique_function<void()> after_input_;
  std::vector<subscription_ptr> subscriptions_;
  std::vector<subscription*> by_channel_;
  std::vector<std::pair<amqp091::channel_id, subscription_ptr>> leaving_;  ///< until close-ok
  std::uint64_t next_lifetime_ = 1;
  std::uint64_t next_tag_ = 1;
};

}  // namespace oslo::messaging::rabbit
