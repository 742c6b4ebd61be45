// What the rabbit driver does, on its loop: two connections, one reply queue, pending sends.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <vector>

#include "core/tasks/raised_flag.hpp"
#include "drivers/rabbit/connection_health.hpp"
#include "drivers/rabbit/consumer.hpp"
#include "drivers/rabbit/options.hpp"
#include "drivers/rabbit/pending_send.hpp"
#include "drivers/rabbit/publisher.hpp"
#include "drivers/rabbit/queue_namer.hpp"
#include "drivers/rabbit/reply_sender.hpp"
#include "net/amqp_link.hpp"
#include "net/asio_loop.hpp"
#include "protocol/call_tracker.hpp"

namespace oslo::messaging::rabbit {

class reply_channel;

/// Everything runs on the loop unless a comment says otherwise.
///
/// Calls, casts, notifications and replies are one thing, a `pending_send`, with one deadline, one
/// way to be cancelled and one end (`conclude`).
class engine final : public std::enable_shared_from_this<engine>,
                     private send_owner,
                     private consumer_owner {
 public:
  engine(options o, driver_environment env, std::shared_ptr<net::asio_loop> loop);
  void start();  ///< once, right after construction

  void call(destination to, outgoing_message m, send_options o, send_completion done);
  /// A cast or a notification: complete once the broker has it.
  void send(destination to, std::string body, std::vector<message_header> headers, send_options o,
            send_completion done);
  /// Something with rules of its own; without a deadline.
  void send(send_ptr s);
  void close(std::chrono::milliseconds limit, unique_function<void()> done);
  /// What tells a queue of ours from those of others; mostly known before this returns.
  void name_queue(queue_namer::completion done);
  /// A message to our own reply queue.
  void probe(std::chrono::milliseconds limit,
             unique_function<void(result<std::chrono::microseconds>)> done);
  void watch_health(unique_function<void(const transport_health&)> changed) {
    health_->watch(std::move(changed));
  }

  // Read-only or thread safe: any thread.
  const options& opts() const noexcept { return options_; }
  const driver_environment& env() const noexcept { return env_; }
  net::asio_loop& loop() noexcept { return *loop_; }
  transport_health health() const { return health_->now(); }
  void count(std::string_view name) {
    if (env_.meter) env_.meter->add(name, {}, 1);
  }

  std::atomic<std::size_t> crossing_bytes{0};  ///< any thread: handed to the loop, not yet begun

  rabbit::consumer& consumer() noexcept { return *consumer_; }
  rabbit::reply_sender& replies() noexcept { return *replies_; }

 private:
  friend class reply_channel;
  using clock = std::chrono::steady_clock;

  // Sends, whatever their kind.
  /// False when it has ended at once.
  bool enroll(const send_ptr& s, send_options o);
  /// `write(body, id)` writes the message; it may throw.
  template <class Write>
  void publish(const send_ptr& s, Write write);
  template <class Write>
  void begin(const send_ptr& s, send_options o, Write write) {
    const raised_flag sending(sending_);
    if (enroll(s, std::move(o))) publish(s, std::move(write));
  }
  void publish_call(const send_ptr& s, const outgoing_message& m,
                    std::optional<std::chrono::milliseconds> monitor);
  void compress(pending_send& s) const;
  void conclude(pending_send& s, result<messaging::reply> r);
  void cancel(pending_send& s);
  failure timeout_failure(const pending_send& s, protocol::call_limit limit,
                          clock::duration elapsed) const;
  void complete(send_completion done, result<messaging::reply> r);

  // engine_replies.cpp
  void ensure_reply_queue();
  void reply_queue_named(const std::string& unique);
  bool has_reply_queue() const noexcept;
  void reply_queue_ready();
  void reply_queue_refused(const failure& why);
  void on_reply(const amqp091::delivery& d);
  void acknowledge_replies_later();

  void published(const send_ptr& s, result<void> r) override;
  void wake_at(clock::time_point when) override;
  void blocked_changed() override { health_->update(); }
  void input_begins() override { publish_link_->hold(); }
  void input_done() override { publish_link_->release(); }
  void tick();

  options options_;
  driver_environment env_;
  std::shared_ptr<net::asio_loop> loop_;
  std::unique_ptr<publisher> publisher_;
  std::unique_ptr<rabbit::consumer> consumer_;
  std::shared_ptr<net::amqp_link> publish_link_;
  std::shared_ptr<net::amqp_link> consume_link_;
  std::shared_ptr<rabbit::reply_sender> replies_;
  std::unique_ptr<connection_health> health_;

  protocol::call_tracker<send_ptr> sends_;
  scheduler::timer_id timer_ = scheduler::timer_id::none;
  clock::time_point timer_at_ = clock::time_point::max();
  queue_namer namer_;
  std::string reply_queue_;
  bool naming_ = false;  ///< the reply queue; what needs its name is begun and waits here
  std::vector<unique_function<void()>> unnamed_;
  std::shared_ptr<reply_channel> reply_channel_;
  std::optional<failure> reply_refusal_;  ///< until the broker changes its mind
  bool reply_acks_due_ = false;

  bool closed_ = false;                           ///< nothing new is taken
  bool gone_ = false;                             ///< and the connections have ended
  std::vector<unique_function<void()>> closers_;  ///< wait for that
  bool sending_ = false;  ///< a completion must not run before send returned
};

}  // namespace oslo::messaging::rabbit
