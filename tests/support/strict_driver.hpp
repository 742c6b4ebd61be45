// fake:// that notes what is done to its listeners anywhere but on the loop.
#pragma once

#include <memory>
#include <mutex>
#include <oslo/messaging/transport.hpp>
#include <string>
#include <utility>
#include <vector>

namespace oslo::messaging::testing {

/// What was done, in order, each with " off the loop" where that is so. Any thread.
class loop_notes {
 public:
  void add(const scheduler& loop, std::string what) {
    if (!loop.running_here()) what += " off the loop";
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(what));
  }
  std::vector<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> all_;
};

class strict_listener final : public listener {
 public:
  strict_listener(std::shared_ptr<listener> inner, std::shared_ptr<scheduler> loop,
                  std::shared_ptr<loop_notes> notes)
      : inner_(std::move(inner)), loop_(std::move(loop)), notes_(std::move(notes)) {}
  ~strict_listener() override { notes_->add(*loop_, "let go"); }
  void next(std::size_t max, unique_function<void(incoming_batch)> done) override {
    notes_->add(*loop_, "next");
    inner_->next(max, std::move(done));
  }
  void stop() override {
    notes_->add(*loop_, "stop");
    inner_->stop();
  }
  void ready(unique_function<void(result<void>)> done) override {
    notes_->add(*loop_, "ready");
    inner_->ready(std::move(done));
  }
  void when_gone(unique_function<void()> done) override {
    notes_->add(*loop_, "when_gone");
    inner_->when_gone(std::move(done));
  }
  bool consuming() const noexcept override { return inner_->consuming(); }
  void watch(unique_function<void()> changed) override {
    notes_->add(*loop_, "watch");
    inner_->watch(std::move(changed));
  }

 private:
  std::shared_ptr<listener> inner_;
  std::shared_ptr<scheduler> loop_;
  std::shared_ptr<loop_notes> notes_;
};

class strict_driver final : public driver {
 public:
  strict_driver(driver_environment env, std::shared_ptr<loop_notes> notes)
      : loop_(env.loop),
        notes_(std::move(notes)),
        inner_(default_drivers().make(transport_url::parse("fake://"), std::move(env))) {}

  capabilities caps() const noexcept override { return inner_->caps(); }
  void send(target to, outgoing_message m, send_options o, send_completion done) override {
    inner_->send(std::move(to), std::move(m), std::move(o), std::move(done));
  }
  void send_notification(target to, outgoing_message m, notification_format f, send_options o,
                         send_completion done) override {
    inner_->send_notification(std::move(to), std::move(m), f, std::move(o), std::move(done));
  }
  std::shared_ptr<listener> listen(target on, listen_options o) override {
    notes_->add(*loop_, "listen");
    return std::make_shared<strict_listener>(inner_->listen(std::move(on), o), loop_, notes_);
  }
  std::shared_ptr<listener> listen_for_notifications(std::vector<notification_topic> topics,
                                                     std::optional<std::string> pool,
                                                     listen_options o) override {
    notes_->add(*loop_, "listen");
    return std::make_shared<strict_listener>(
        inner_->listen_for_notifications(std::move(topics), std::move(pool), o), loop_, notes_);
  }
  void close(std::chrono::milliseconds limit, unique_function<void()> done) override {
    inner_->close(limit, std::move(done));
  }

 private:
  std::shared_ptr<scheduler> loop_;
  std::shared_ptr<loop_notes> notes_;
  std::unique_ptr<driver> inner_;
};

inline transport open_strict(std::shared_ptr<loop_notes> notes, transport_options o = {}) {
  driver_registry registry;
  registry.add("strict", [notes](const transport_url&, driver_environment env) {
    return std::make_unique<strict_driver>(std::move(env), notes);
  });
  return transport::open("strict://", std::move(o), registry);
}

}  // namespace oslo::messaging::testing
