// What the rabbit driver does, on its loop: two connections, one reply queue, pending calls.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <vector>

#include "drivers/rabbit/answers.hpp"
#include "drivers/rabbit/consumer.hpp"
#include "drivers/rabbit/options.hpp"
#include "drivers/rabbit/publisher.hpp"
#include "net/asio_loop.hpp"
#include "protocol/call_tracker.hpp"

namespace oslo::messaging::rabbit {

class reply_subscription;

/// A call that waits for its reply.
struct pending_call {
  send_completion done;
  publication_ptr sent;
  bool at_least_once = false;
  std::string early_result;  ///< of a peer of 2014, which sends result and end separately
  std::unique_ptr<std::stop_callback<unique_function<void()>>> on_cancel;
};

/// Everything runs on the loop unless a comment says otherwise.
class engine : public std::enable_shared_from_this<engine> {
 public:
  engine(options o, driver_environment env, std::shared_ptr<net::asio_loop> loop);
  void start();  ///< once, right after construction

  void call(destination to, outgoing_message m, send_options o, send_completion done);
  /// A cast or a notification: complete once the broker has it.
  void send(destination to, std::string body, std::vector<message_header> headers, send_options o,
            send_completion done);
  void close(std::chrono::milliseconds limit, unique_function<void()> done);
  /// A message to our own reply queue.
  void probe(std::chrono::milliseconds limit,
             unique_function<void(result<std::chrono::microseconds>)> done);
  void watch_health(unique_function<void(const transport_health&)> changed);

  // Read-only or thread safe: any thread.
  const options& opts() const noexcept { return options_; }
  const driver_environment& env() const noexcept { return env_; }
  net::asio_loop& loop() noexcept { return *loop_; }
  transport_health health() const;
  void count(std::string_view name) {
    if (env_.meter) env_.meter->add(name, {}, 1);
  }

  rabbit::consumer& consumer() noexcept { return *consumer_; }
  rabbit::answers& answers() noexcept { return *answers_; }

 private:
  friend class reply_subscription;
  using clock = std::chrono::steady_clock;

  void update_health();
  void set_deaf(bool deaf);

  // Calls.
  /// `write(body, id)` writes the message; it may throw.
  template <class Write>
  void begin_call(publication_ptr p, send_options o, send_completion done, Write write);
  void ensure_reply_queue();
  void reply_queue_ready();
  void reply_queue_refused(const failure& why);
  void reply_queue_unreachable(const failure& why);
  void on_reply(const amqp091::delivery& d);
  void acknowledge_replies_later();
  void call_published(const protocol::call_id& id, result<void> r);
  void resolve(pending_call call, result<messaging::reply> r);
  void fail_call(std::string_view id, const failure& why);
  failure timeout_failure(const protocol::call_tracker<pending_call>::expired_call& c) const;
  void expire_calls();
  void arm_call_timer();

  void later(std::chrono::milliseconds pause, unique_function<void()> work);
  void complete(send_completion done, result<messaging::reply> r);

  options options_;
  driver_environment env_;
  std::shared_ptr<net::asio_loop> loop_;
  std::shared_ptr<publisher> publisher_;
  std::shared_ptr<rabbit::consumer> consumer_;
  std::shared_ptr<rabbit::answers> answers_;

  protocol::call_tracker<pending_call> calls_;
  scheduler::timer_id call_timer_ = scheduler::timer_id::none;
  clock::time_point call_timer_at_ = clock::time_point::max();
  std::string reply_queue_;
  std::shared_ptr<reply_subscription> reply_subscription_;
  bool reply_acks_due_ = false;
  std::deque<publication_ptr> awaiting_reply_queue_;

  mutable std::mutex health_mutex_;
  transport_health health_;  ///< guarded by it
  bool deaf_ = false;
  unique_function<void(const transport_health&)> health_changed_;
  bool closed_ = false;
  bool sending_ = false;  ///< a completion must not run before send returned
};

}  // namespace oslo::messaging::rabbit
