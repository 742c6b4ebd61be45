// A notification that came out of a topic.
#pragma once

#include <cstddef>
#include <memory>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drivers/kafka/body.hpp"
#include "drivers/kafka/offset_ledger.hpp"

namespace oslo::messaging::kafka {

class subscription;

/// An assigned partition, as its messages know it.
struct partition_work {
  partition_name name;
  std::size_t in_work = 0;  ///< messages handed out and not settled; on the loop
};

/// What was read of a record. It stays in memory until it is settled: that is where another
/// delivery comes from.
struct content {
  incoming_body body;
  std::vector<message_header> headers;
  std::shared_ptr<partition_work> from;
  offset_ticket ticket;
  bool redelivered = false;
  std::string text{};  ///< of `incoming_message::body`, once somebody has asked
};

/// One delivery of it. One thread at a time, any thread.
class kafka_message final : public incoming_message {
 public:
  kafka_message(std::shared_ptr<subscription> from, std::shared_ptr<content> what) noexcept
      : from_(std::move(from)), what_(std::move(what)) {}
  ~kafka_message() override;
  kafka_message(const kafka_message&) = delete;
  kafka_message& operator=(const kafka_message&) = delete;

  std::span<const message_field> fields() const noexcept override {
    return what_->body.message.fields;
  }
  const context& ctxt() const noexcept override { return what_->body.ctxt; }
  std::string_view body() const noexcept override;
  std::string_view message_id() const noexcept override { return {}; }
  bool redelivered() const noexcept override { return what_->redelivered; }
  std::span<const message_header> headers() const noexcept override { return what_->headers; }

  void acknowledge() override { settle(true); }
  void requeue() override { settle(false); }
  /// Nobody waits for an answer to a notification, nor for what `heartbeat` says.
  void reply(outgoing_reply, unique_function<void(result<void>)> done) override {
    if (done) done({});
  }
  void heartbeat(unique_function<void(result<void>)> done) override { reply({}, std::move(done)); }

 private:
  void settle(bool acknowledged);

  std::shared_ptr<subscription> from_;
  std::shared_ptr<content> what_;
  bool settled_ = false;
};

}  // namespace oslo::messaging::kafka
