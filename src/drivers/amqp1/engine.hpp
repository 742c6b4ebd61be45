// What the driver does, on its loop: one connection, one reply link, pending sends, listeners.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <vector>

#include "drivers/amqp1/link.hpp"
#include "drivers/amqp1/options.hpp"
#include "drivers/amqp1/pending_send.hpp"
#include "drivers/amqp1/publisher.hpp"
#include "protocol/call_tracker.hpp"

namespace oslo::messaging::amqp1 {

class amqp1_listener;

/// A reply on its way out.
struct outgoing_answer {
  std::string to;
  std::string correlation;  ///< the request's id as it came
  std::string request_id;   ///< the same for people
  std::string body;
  bool awaited;                              ///< the request is acknowledged after `done`
  unique_function<void(result<void>)> done;  ///< may be empty
};

/// Everything runs on the loop unless a comment says otherwise.
///
/// Calls, casts, notifications and replies are one thing, a `pending_send`, with one deadline, one
/// way to be cancelled and one end (`conclude`).
class engine final : public std::enable_shared_from_this<engine>,
                     public link_user,
                     private send_owner {
 public:
  using instant = connection::instant;
  /// Before a link that the broker has refused is tried again.
  static constexpr std::chrono::seconds after_refusal{5};
  /// Closes the link: within a limit, then calls `done`.
  using shut_link = unique_function<void(std::chrono::milliseconds, unique_function<void()>)>;

  /// `options.addresses.default_exchange` is that of `env`.
  engine(options o, driver_environment env);
  /// Once, before anything else. `l` outlives this.
  void start(amqp1::link& l, shut_link shut);

  void call(destination to, outgoing_message m, send_options o, send_completion done);
  /// A cast.
  void cast(destination to, std::string body, send_options o, send_completion done);
  void notify(destination to, std::string body, std::vector<message_header> headers, send_options o,
              send_completion done);
  void reply(outgoing_answer a);
  /// Best effort: a caller who is gone needs no sign of life.
  void heartbeat(std::string to, std::string correlation, double seconds,
                 unique_function<void(result<void>)> done);
  std::shared_ptr<listener> listen(std::vector<destination> from, std::uint32_t credit);
  /// A message to our own reply address.
  void probe(std::chrono::milliseconds limit,
             unique_function<void(result<std::chrono::microseconds>)> done);
  void close(std::chrono::milliseconds limit, unique_function<void()> done);

  void watch_health(unique_function<void(const transport_health&)> changed) {
    health_changed_ = std::move(changed);
  }
  /// The state of the link may have changed.
  void update_health(transport_health now);

  // Read-only or thread safe: any thread.
  const options& opts() const noexcept { return options_; }
  const driver_environment& env() const noexcept { return env_; }
  scheduler& loop() noexcept { return *env_.loop; }
  transport_health health() const;
  void count(std::string_view name) {
    if (env_.meter) env_.meter->add(name, {}, 1);
  }
  std::atomic<std::size_t> crossing_bytes{0};  ///< any thread: handed to the loop, not yet begun

  // For the listeners.
  amqp1::link& link() noexcept { return *link_; }
  amqp1::publisher& publisher() noexcept { return *publisher_; }
  std::uint64_t connection_number() const noexcept { return connection_; }
  std::string address_of(const destination& d) const {
    return amqp1::address_of(d, options_.addresses, publisher_->mode());
  }
  void forget(const amqp1_listener& l);
  void wake_at(instant when) override;

  // Of `link_user`.
  void link_up(const peer_description& peer) override;
  void link_down(const link_loss& loss) override;
  void input_done() override;
  void output_drained() override { publisher_->output_drained(); }
  void on_link_open(link_id l, std::string_view address) override;
  void on_link_closed(link_id l, const condition& why) override;
  void on_link_gone(link_id l) override;
  void on_credit(link_id l) override { publisher_->on_credit(l); }
  void on_outcome(link_id l, delivery_id message, const disposition& v) override {
    publisher_->on_outcome(l, message, v);
  }
  void on_delivery(link_id l, delivery_id message, std::string_view bytes, bool settled) override;

 private:
  using clock = std::chrono::steady_clock;
  using listener_ptr = std::shared_ptr<amqp1_listener>;

  /// `write(body)` writes the message; it may throw.
  template <class Write>
  void begin(const send_ptr& s, const send_options& o, Write write);
  void conclude(pending_send& s, result<messaging::reply> r);
  void cancel(pending_send& s);
  failure timeout_failure(const pending_send& s, protocol::call_limit limit,
                          clock::duration elapsed) const;
  void complete(send_completion done, result<messaging::reply> r);
  void published(const send_ptr& s, result<void> r) override;
  void tick();
  destination way_back(const std::string& to) const;

  void ensure_reply_link();
  void open_reply_link();
  void reply_link_closed(const condition& why);
  void take_reply(delivery_id message, std::string_view bytes, bool settled);
  void settle_reply(delivery_id message, bool settled, settlement how);

  options options_;
  driver_environment env_;
  amqp1::link* link_ = nullptr;
  shut_link shut_;
  std::unique_ptr<amqp1::publisher> publisher_;
  std::vector<listener_ptr> listeners_;
  std::uint64_t connection_ = 0;  ///< how many there were

  protocol::call_tracker<send_ptr> sends_;
  scheduler::timer_id timer_ = scheduler::timer_id::none;
  instant timer_at_ = instant::max();

  bool wants_replies_ = false;
  link_id reply_link_ = 0;
  std::string reply_address_;
  std::uint32_t reply_debt_ = 0;
  instant reply_reopen_at_ = instant::max();
  std::optional<failure> reply_refusal_;  ///< until the broker changes its mind

  unique_function<void(const transport_health&)> health_changed_;
  mutable std::mutex mutex_;
  transport_health health_;  ///< guarded by it
  bool deaf_ = false;

  bool closed_ = false;                           ///< nothing new is taken
  bool gone_ = false;                             ///< and the connection has ended
  std::vector<unique_function<void()>> closers_;  ///< wait for that
  bool sending_ = false;  ///< a completion must not run before send returned
};

}  // namespace oslo::messaging::amqp1
