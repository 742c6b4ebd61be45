// fake:// that throws in the member that a test names, as a driver of an application may.
#pragma once

#include <memory>
#include <mutex>
#include <oslo/messaging/transport.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace oslo::messaging::testing {

/// What a test and its driver share. Any thread.
class throw_plan {
 public:
  enum class kind { standard, odd, of_library };
  /// `member` throws from now on; with `times`, only that often.
  void throw_in(std::string member, kind what = kind::standard, int times = -1) {
    const std::lock_guard lock(mutex_);
    member_ = std::move(member);
    kind_ = what;
    left_ = times;
  }
  void stop() { throw_in(""); }
  /// Each member calls it with its name.
  void reach(std::string_view member) {
    const std::lock_guard lock(mutex_);
    if (member != member_ || left_ == 0) return;
    if (left_ > 0) --left_;
    if (kind_ == kind::odd) throw 5;
    if (kind_ == kind::of_library) throw messaging_error({errc::rejected, "I refuse."});
    throw std::runtime_error("boom");
  }

 private:
  std::mutex mutex_;
  std::string member_;
  kind kind_ = kind::standard;
  int left_ = -1;
};

class throwing_message final : public incoming_message {
 public:
  throwing_message(std::unique_ptr<incoming_message> inner, std::shared_ptr<throw_plan> plan)
      : inner_(std::move(inner)), plan_(std::move(plan)) {}
  std::span<const message_field> fields() const noexcept override { return inner_->fields(); }
  const context& ctxt() const noexcept override { return inner_->ctxt(); }
  std::string_view body() const noexcept override { return inner_->body(); }
  std::string_view message_id() const noexcept override { return inner_->message_id(); }
  std::optional<double> client_timeout() const noexcept override {
    return inner_->client_timeout();
  }
  bool redelivered() const noexcept override { return inner_->redelivered(); }
  void acknowledge() override {
    plan_->reach("acknowledge");
    inner_->acknowledge();
  }
  void acknowledge_later() override {
    inner_->acknowledge_later();
    plan_->reach("acknowledge_later");
  }
  void requeue() override {
    plan_->reach("requeue");
    inner_->requeue();
  }
  void reply(outgoing_reply r, unique_function<void(result<void>)> done) override {
    plan_->reach("reply");
    inner_->reply(std::move(r), std::move(done));
  }
  void heartbeat(unique_function<void(result<void>)> done) override {
    plan_->reach("heartbeat");
    inner_->heartbeat(std::move(done));
  }

 private:
  std::unique_ptr<incoming_message> inner_;
  std::shared_ptr<throw_plan> plan_;
};

class throwing_listener final : public listener {
 public:
  throwing_listener(std::shared_ptr<listener> inner, std::shared_ptr<throw_plan> plan)
      : inner_(std::move(inner)), plan_(std::move(plan)) {}
  void next(std::size_t max, unique_function<void(incoming_batch)> done) override {
    plan_->reach("next");
    inner_->next(max, [plan = plan_, done = std::move(done)](incoming_batch batch) mutable {
      for (auto& m : batch) m = std::make_unique<throwing_message>(std::move(m), plan);
      done(std::move(batch));
    });
  }
  void stop() override {
    plan_->reach("stop");
    inner_->stop();
  }
  void ready(unique_function<void(result<void>)> done) override {
    plan_->reach("ready");
    inner_->ready(std::move(done));
  }
  void when_gone(unique_function<void()> done) override {
    plan_->reach("when_gone");
    inner_->when_gone(std::move(done));
  }
  void watch(unique_function<void()> changed) override {
    plan_->reach("watch");
    inner_->watch(std::move(changed));
  }

 private:
  std::shared_ptr<listener> inner_;
  std::shared_ptr<throw_plan> plan_;
};

class throwing_driver final : public driver {
 public:
  throwing_driver(driver_environment env, std::shared_ptr<throw_plan> plan)
      : plan_(std::move(plan)),
        inner_(default_drivers().make(transport_url::parse("fake://"), std::move(env))) {}

  capabilities caps() const noexcept override { return inner_->caps(); }
  void send(target to, outgoing_message m, send_options o, send_completion done) override {
    plan_->reach("send");
    inner_->send(std::move(to), std::move(m), std::move(o), std::move(done));
    plan_->reach("send, at its end");
  }
  void send_notification(target to, outgoing_message m, notification_format f, send_options o,
                         send_completion done) override {
    plan_->reach("send_notification");
    inner_->send_notification(std::move(to), std::move(m), f, std::move(o), std::move(done));
  }
  std::shared_ptr<listener> listen(target on, listen_options o) override {
    plan_->reach("listen");
    return watched(inner_->listen(std::move(on), o));
  }
  std::shared_ptr<listener> listen_for_notifications(std::vector<notification_topic> topics,
                                                     std::optional<std::string> pool,
                                                     listen_options o) override {
    plan_->reach("listen_for_notifications");
    return watched(inner_->listen_for_notifications(std::move(topics), std::move(pool), o));
  }
  transport_health health() const override {
    plan_->reach("health");
    return inner_->health();
  }
  void watch_health(unique_function<void(const transport_health&)> changed) override {
    plan_->reach("watch_health");
    inner_->watch_health(std::move(changed));
  }
  void probe(std::chrono::milliseconds limit,
             unique_function<void(result<std::chrono::microseconds>)> done) override {
    plan_->reach("probe");
    inner_->probe(limit, std::move(done));
  }
  void close(std::chrono::milliseconds limit, unique_function<void()> done) override {
    plan_->reach("close");
    inner_->close(limit, std::move(done));
  }

 private:
  std::shared_ptr<listener> watched(std::shared_ptr<listener> l) const {
    return std::make_shared<throwing_listener>(std::move(l), plan_);
  }

  std::shared_ptr<throw_plan> plan_;
  std::unique_ptr<driver> inner_;
};

inline transport open_throwing(std::shared_ptr<throw_plan> plan, transport_options o = {}) {
  driver_registry registry;
  registry.add("third", [plan](const transport_url&, driver_environment env) {
    plan->reach("make");
    return std::make_unique<throwing_driver>(std::move(env), plan);
  });
  return transport::open("third://", std::move(o), registry);
}

}  // namespace oslo::messaging::testing
