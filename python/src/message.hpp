// A message that arrived, as Python holds it.
#pragma once

#include <memory>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "forks.hpp"
#include "pending.hpp"

namespace oslo::messaging::python {

/// Thread safety: one thread at a time, any thread; the interpreter's lock sees to that.
class message {
 public:
  explicit message(std::unique_ptr<incoming_message> m) : message_(std::move(m)) {}
  message(message&&) noexcept = default;
  ~message() {
    if (born_ != forks()) (void)message_.release();
  }

  /// The whole inner message as JSON text.
  std::string_view body() const noexcept { return message_->body(); }
  bool redelivered() const noexcept { return message_->redelivered(); }
  void acknowledge() { message_->acknowledge(); }
  void requeue() { message_->requeue(); }
  /// Hands over a result, one JSON text. Nothing to wait for.
  void reply(std::string json) { message_->reply({.result = std::move(json)}); }
  /// Hands over a failure, JSON as Python's library writes it.
  void reply_failure(std::string json) {
    remote_failure f;
    f.json = std::move(json);
    message_->reply({.failure = std::move(f)});
  }
  /// Completes with the verdict of the broker.
  std::shared_ptr<pending> heartbeat() {
    auto done = std::make_shared<pending>();
    message_->heartbeat([done](result<void> r) {
      if (r)
        done->complete(std::string());
      else
        done->complete(r.error());
    });
    return done;
  }

 private:
  std::unique_ptr<incoming_message> message_;
  int born_ = forks();
};

}  // namespace oslo::messaging::python
