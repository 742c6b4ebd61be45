// A message of a listener, in the hands of whoever handles it.
#pragma once

#include <memory>
#include <optional>

#include "drivers/zmq/inbox.hpp"

namespace oslo::messaging::zmq {

class zmq_message final : public incoming_message {
 public:
  zmq_message(std::shared_ptr<inbox> from, arrived_ptr what)
      : from_(std::move(from)), what_(std::move(what)) {}
  ~zmq_message() override;
  zmq_message(const zmq_message&) = delete;
  zmq_message& operator=(const zmq_message&) = delete;

  std::span<const message_field> fields() const noexcept override;
  const context& ctxt() const noexcept override;
  std::string_view body() const noexcept override;
  std::string_view message_id() const noexcept override {
    return what_->wants_reply ? std::string_view(what_->id) : std::string_view();
  }
  std::optional<double> client_timeout() const noexcept override;
  bool redelivered() const noexcept override { return what_->again; }
  std::optional<std::size_t> requeues() const noexcept override { return what_->requeues; }
  std::span<const message_header> headers() const noexcept override { return what_->headers; }
  std::optional<scheduler::time_point> deadline() const noexcept override {
    return what_->deadline;
  }

  void acknowledge() override;
  void requeue() override;
  void reply(outgoing_reply r, unique_function<void(result<void>)> done) override;
  void heartbeat(unique_function<void(result<void>)> done) override;

 private:
  const std::shared_ptr<inbox> from_;
  const arrived_ptr what_;
  mutable std::optional<context> ctxt_;
  mutable std::optional<std::string> text_;  // of an old peer's
  bool settled_ = false;
};

}  // namespace oslo::messaging::zmq
