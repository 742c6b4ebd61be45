// Notifications on their way out, until the brokers have them.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "drivers/kafka/client_state.hpp"
#include "drivers/kafka/context.hpp"
#include "drivers/kafka/event_fd.hpp"
#include "drivers/kafka/handles.hpp"

namespace oslo::messaging::kafka {

/// The one producer of a transport; it connects at the first send. Each send ends with its delivery
/// report (all replicas in sync have it), or before that: at its deadline, when its attempts are
/// over, when it is cancelled. What librdkafka has been given cannot be taken back one by one: a
/// send that ended early, and says so, may still be delivered until message.timeout.ms is over.
/// While no broker can be reached it is given nothing more.
///
/// On the loop.
class producer final : public std::enable_shared_from_this<producer> {
 public:
  using instant = std::chrono::steady_clock::time_point;

  /// `changed` is called when `state` has.
  producer(context_ptr c, unique_function<void()> changed);
  ~producer();

  void send(std::string topic, std::string body, std::vector<message_header> headers,
            send_options o, send_completion done);
  /// Calls `done` once no send waits any more, perhaps before it returns.
  void drain(unique_function<void()> done);
  /// Ends every send with `why`, and the connections in the background.
  void close(const failure& why);

  bool is_used() const noexcept { return static_cast<bool>(client_); }
  const client_state& state() const noexcept { return state_; }

 private:
  struct pending_send;
  using send_ptr = std::shared_ptr<pending_send>;
  using due_set = std::set<std::pair<instant, pending_send*>>;

  result<void> connect();
  /// Gives it to librdkafka soon, with all that come until then: its thread sends what it finds,
  /// and messages that arrive one by one go out in small requests, which cost both sides much more.
  void produce_soon(const send_ptr& s);
  void produce_gathered();
  void produce(const send_ptr& s);
  void look();
  void on_event(rd_kafka_event_t& e);
  void on_report(const rd_kafka_message_t& m);
  void on_error(rd_kafka_event_t& e);
  void on_down();
  instant end_of_attempts(const pending_send& s) const;
  void on_alive();
  /// After a fatal error librdkafka takes nothing more: another producer does.
  void replace_when_empty();
  void replace();

  void finish(const send_ptr& s, result<reply> r, bool later = false);
  void erase(const send_ptr& s);
  void set_due(const send_ptr& s);
  void clear_due(const send_ptr& s);
  void arm();
  void expire();
  void wait_for_verdict(const send_ptr& s);
  void purge();
  void purge_if_unwanted();
  failure timed_out(const pending_send& s, bool sent_perhaps) const;
  failure_detail detail_of(const pending_send& s, std::string_view stage) const;

  const context_ptr context_;
  const std::shared_ptr<net::asio_loop> loop_;
  unique_function<void()> changed_;

  client_handle client_;
  queue_handle events_;
  std::unique_ptr<event_fd> wake_;
  client_state state_;
  instant down_since_{};
  /// Those that wait, and those that librdkafka still holds although nobody waits.
  std::shared_ptr<std::list<send_ptr>> all_ = std::make_shared<std::list<send_ptr>>();
  std::size_t waiting_ = 0;         ///< sends that have not ended
  std::size_t bytes_ = 0;           ///< of the bodies in `all_`
  std::size_t expired_ = 0;         ///< of these, those whose time is over
  std::size_t in_library_ = 0;      ///< sends whose delivery report is still to come
  std::vector<send_ptr> gathered_;  ///< what librdkafka gets in this turn of the loop or the next
  due_set due_;
  scheduler::timer_id timer_ = scheduler::timer_id::none;
  instant armed_ = instant::max();
  unique_function<void()> drained_;
  bool replacing_ = false;
  bool closed_ = false;
};

}  // namespace oslo::messaging::kafka
