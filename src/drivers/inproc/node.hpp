// One transport on the bus: its pending calls and its completions.
#pragma once

#include <memory>
#include <mutex>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/inproc/bus.hpp"
#include "protocol/call_tracker.hpp"

namespace oslo::messaging::inproc {

/// Sends messages and matches replies with calls. Everything that completes is collected and run by
/// one piece of work on the loop, so that a burst of replies costs one hop.
///
/// Thread safety: `send`, `take_reply`, `heartbeat`, `later`, `subscribe` and `close` from any
/// thread; the rest is private to the loop.
class node : public std::enable_shared_from_this<node> {
 public:
  node(std::shared_ptr<bus> b, driver_environment env);

  void send(target&& to, outgoing_message&& m, send_options&& o, send_completion&& done);
  /// The reply to a call of this node; an unknown or expired id is dropped.
  void take_reply(const protocol::call_id& id, result<reply> r);
  void heartbeat(const protocol::call_id& id);
  /// Runs `verdict` with success on the loop.
  void later(unique_function<void(result<void>)> verdict);

  std::shared_ptr<queue_reader> subscribe(std::vector<std::shared_ptr<queue>> queues);
  /// Goes through the loop once, as a reply does.
  void probe(unique_function<void(result<std::chrono::microseconds>)> done);
  void close(unique_function<void()> done);
  bool is_closing();
  /// `closed` is called on the loop at the end; one watcher.
  void watch_close(unique_function<void()> closed);

  const std::shared_ptr<inproc::bus>& where() const noexcept { return bus_; }
  std::string_view exchange_of(const target& t) const noexcept {
    return t.exchange ? std::string_view(*t.exchange) : std::string_view(env_.default_exchange);
  }
  const std::shared_ptr<scheduler>& loop() const noexcept { return env_.loop; }

 private:
  struct post_cancel {
    std::weak_ptr<node> owner;
    protocol::call_id id;
    void operator()() const;
  };
  struct pending_call {
    send_completion done;
    std::string topic;
    std::unique_ptr<std::stop_callback<post_cancel>> on_cancel;
  };
  struct arrived {
    protocol::call_id id;
    std::optional<result<reply>> content;  // none: a heartbeat
  };
  struct finished {
    send_completion done;
    result<reply> outcome;
  };
  /// What is due on the loop.
  struct inbox {
    std::vector<arrived> arrivals;
    std::vector<finished> outcomes;
    std::vector<unique_function<void(result<void>)>> verdicts;
  };
  struct emptied_at_the_end;

  void start(target&& to, outgoing_message&& m, send_options&& o, send_completion&& done);
  void finish(send_completion&& done, result<reply>&& outcome);
  void drain();
  void want_drain(std::unique_lock<std::mutex> lock);
  void arm();
  void expire();

  const std::shared_ptr<bus> bus_;
  const driver_environment env_;

  // On the loop only.
  protocol::call_tracker<pending_call> calls_;
  scheduler::time_point armed_ = scheduler::time_point::max();
  scheduler::timer_id timer_ = scheduler::timer_id::none;
  bool closed_ = false;
  unique_function<void()> on_closed_;
  inbox draining_;

  std::mutex mutex_;  // guards what follows; nothing is called while it is held
  inbox arrived_;
  std::vector<std::weak_ptr<queue_reader>> readers_;
  bool drain_posted_ = false;
  bool closing_ = false;
};

}  // namespace oslo::messaging::inproc
