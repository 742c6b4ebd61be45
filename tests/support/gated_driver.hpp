// A driver whose notifications wait until the test answers them.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/transport.hpp>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "support/stub_driver.hpp"

namespace oslo::messaging::testing {

/// What a test and the driver of its transport share. Thread safety: all members from any thread.
class gate_keeper : public std::enable_shared_from_this<gate_keeper> {
 public:
  struct held {
    std::string event_type;
    object message;
    target to;
    send_options options;
  };

  /// Everything that was sent so far, answered or not.
  std::vector<held> sent() const {
    const std::lock_guard lock(mutex_);
    return sent_;
  }
  /// Waits until that many were sent; false when they are not within 20 s.
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return sent_.size() >= count; });
  }
  std::size_t unanswered() const {
    const std::lock_guard lock(mutex_);
    return count_unanswered();
  }
  /// Waits until all that was sent is answered or cancelled; false when it is not within 20 s.
  bool wait_for_answers() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20),
                             [&] { return count_unanswered() == 0; });
  }
  /// Answers the oldest unanswered ones, on the loop.
  void answer(std::size_t count, const result<void>& r = {}) {
    for (; count != 0; --count) {
      std::shared_ptr<pending> p;
      {
        const std::lock_guard lock(mutex_);
        while (!pending_.empty() && !pending_.front()->done) pending_.pop_front();
        if (pending_.empty()) throw std::logic_error("nothing to answer");
        p = pending_.front();
        pending_.pop_front();
      }
      p->loop->post([this, p, r] { end(*p, r); });
    }
  }
  /// Everything to come is answered at once by `f`, which gets the event type.
  void answer_all(std::function<result<void>(const std::string&)> f) {
    std::size_t waiting = 0;
    {
      const std::lock_guard lock(mutex_);
      automatic_ = std::move(f);
      for (const auto& p : pending_) waiting += static_cast<std::size_t>(p->done ? 1 : 0);
    }
    while (waiting-- != 0) {
      std::string event;
      {
        const std::lock_guard lock(mutex_);
        while (!pending_.empty() && !pending_.front()->done) pending_.pop_front();
        if (pending_.empty()) return;
        event = pending_.front()->event_type;
      }
      answer(1, automatic_(event));
    }
  }
  /// What the driver says of its connections.
  void set_health(transport_health h) {
    const std::lock_guard lock(mutex_);
    health_ = std::move(h);
  }
  transport_health health() const {
    const std::lock_guard lock(mutex_);
    return health_;
  }
  void deliver_all() {
    answer_all([](const std::string&) { return result<void>{}; });
  }

 private:
  friend class gated_driver;
  std::size_t count_unanswered() const {
    std::size_t n = 0;
    for (const auto& p : pending_) n += static_cast<std::size_t>(p->done ? 1 : 0);
    return n;
  }
  struct pending {
    std::string event_type;
    std::shared_ptr<scheduler> loop;
    send_completion done;
    std::optional<std::stop_callback<std::function<void()>>> on_cancel;
  };

  void take(std::shared_ptr<scheduler> loop, target to, outgoing_message m, send_options o,
            send_completion done) {
    const auto message = parse_json(m.body).get_object();
    const std::string event(message.at("event_type").as_string());
    const auto p = std::make_shared<pending>();
    p->event_type = event;
    p->loop = loop;
    p->done = std::move(done);
    const auto cancel = o.cancel;
    std::optional<result<void>> at_once;
    {
      const std::lock_guard lock(mutex_);
      sent_.push_back({event, message, std::move(to), std::move(o)});
      if (automatic_)
        at_once = automatic_(event);
      else
        pending_.push_back(p);
      changed_.notify_all();
    }
    // The loop may outlive the test that holds the gate.
    if (at_once)
      loop->post([self = shared_from_this(), p, r = *at_once] { self->end(*p, r); });
    else
      loop->post([gate = weak_from_this(), p, cancel] {
        p->on_cancel.emplace(cancel, [gate, weak = std::weak_ptr(p)] {
          const auto still = weak.lock();
          const auto self = gate.lock();
          if (still && self)
            still->loop->post(
                [self, still] { self->end(*still, failure(errc::cancelled, "cancelled")); });
        });
      });
  }
  void end(pending& p, const result<void>& r) {
    send_completion done;
    {
      const std::lock_guard lock(mutex_);
      done = std::exchange(p.done, {});
      changed_.notify_all();
    }
    p.on_cancel.reset();
    if (!done) return;
    if (r)
      done(reply{});
    else
      done(r.error());
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<held> sent_;
  std::deque<std::shared_ptr<pending>> pending_;
  transport_health health_;
  std::function<result<void>(const std::string&)> automatic_;
};

class gated_driver final : public stub_driver {
 public:
  gated_driver(std::shared_ptr<gate_keeper> k, driver_environment env)
      : stub_driver(std::move(env.loop)), keeper_(std::move(k)) {}
  void send_notification(target to, outgoing_message m, notification_format, send_options o,
                         send_completion done) override {
    keeper_->take(loop_, std::move(to), std::move(m), std::move(o), std::move(done));
  }
  transport_health health() const override { return keeper_->health(); }

 private:
  std::shared_ptr<gate_keeper> keeper_;
};

inline transport open_gated(std::shared_ptr<gate_keeper> keeper, transport_options o = {}) {
  driver_registry registry;
  registry.add("gated", [keeper](const transport_url&, driver_environment env) {
    return std::make_unique<gated_driver>(keeper, std::move(env));
  });
  return transport::open("gated://", std::move(o), registry);
}

}  // namespace oslo::messaging::testing
