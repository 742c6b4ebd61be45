// A subscription seen through the driver SPI, and the messages that come out of it.
#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "drivers/rabbit/consumer.hpp"
#include "drivers/rabbit/engine.hpp"
#include "protocol/copy_report.hpp"
#include "protocol/dedup_window.hpp"
#include "wire/request.hpp"
#include "wire/sender_clocks.hpp"

namespace oslo::messaging::rabbit {

class rabbit_message;

/// By which a second copy of a message is recognised.
struct message_mark {
  std::string unique_id;  ///< empty: by nothing
  std::uint64_t content = 0;
  auto operator<=>(const message_mark&) const = default;
};

/// A message that came compressed, and waits so: a few bytes may be many megabytes.
struct packed_message {
  amqp091::properties props;
  std::string routing_key;
  std::string body;
  std::uint64_t tag;
  bool redelivered;
  std::optional<scheduler::time_point> deadline;
};

/// Shared by the consumer, the messages and, by way of a handle, the listener's owner. On the loop.
class rabbit_listener final : public listener,
                              public consumer_channel,
                              public std::enable_shared_from_this<rabbit_listener> {
 public:
  rabbit_listener(std::shared_ptr<engine> e, std::uint16_t prefetch);

  /// Once; does nothing when it has been stopped meanwhile.
  void begin(std::vector<source> sources);
  /// For the owner: stops it when the last copy is destroyed, on any thread.
  std::shared_ptr<listener> handle();

  void next(std::size_t max, unique_function<void(incoming_batch)> done) override;
  void stop() override;
  void ready(unique_function<void(result<void>)> done) override;
  void when_gone(unique_function<void()> done) override;
  void watch(unique_function<void()> changed) override { changed_ = std::move(changed); }
  bool consuming() const noexcept override { return consuming_.load(); }
  /// Second copies of that message are tied to it until it is settled.
  void acknowledge_later(message_mark of);
  /// A handed-out message that came compressed is gone.
  void unpacked_gone(std::size_t bytes);
  /// A handed-out message was settled or dropped.
  void settle(std::uint64_t lifetime, std::uint64_t tag, std::string_view unique_id,
              std::uint64_t content, bool ack);

  bool is_ending() const noexcept override { return stopped_; }
  engine& owner() noexcept { return *engine_; }

 private:
  void on_ready() override;
  void on_lost() override;
  void on_removed() override;
  void on_gone() override;
  void on_refused(const failure& why) override;
  void on_delivery(const amqp091::delivery& d) override;
  void on_malformed() override { engine_->count("server_malformed_messages_total"); }
  void on_input_done() override { serve(); }

  struct arrival {
    std::variant<std::unique_ptr<rabbit_message>, packed_message> message;
    std::optional<std::uint64_t> stream_offset{};
  };

  void serve();
  std::unique_ptr<rabbit_message> take(arrival a);
  std::unique_ptr<rabbit_message> read(const amqp091::delivery& d, bool compressed,
                                       std::optional<scheduler::time_point> deadline);
  bool must_wait(const arrival& a) const noexcept;
  bool is_copy(const rabbit_message& m);
  void report_copy(std::string_view unique_id);
  void answer_ready(const result<void>& r);
  void remove_when_settled();
  void set_consuming(bool now);

  std::shared_ptr<engine> engine_;
  std::deque<arrival> arrived_;
  std::size_t handed_out_ = 0;
  std::size_t unpacked_ = 0;  ///< bytes of handed-out messages that came compressed
  std::size_t want_ = 0;
  unique_function<void(incoming_batch)> waiting_;
  std::vector<unique_function<void(result<void>)>> ready_waiters_;
  std::optional<failure> refused_;  ///< until the broker changes its mind
  protocol::dedup_window seen_;
  protocol::copy_report copies_;
  scheduler::timer_id copies_timer_ = scheduler::timer_id::none;
  wire::sender_clocks clocks_;
  struct copy {
    std::uint64_t lifetime;
    std::uint64_t tag;
  };
  /// Messages that are acknowledged after their work, and copies of them that came meanwhile.
  std::map<message_mark, std::vector<copy>> in_work_;
  std::vector<unique_function<void()>> gone_waiters_;
  unique_function<void()> changed_;
  std::atomic<bool> consuming_{false};
  bool gone_ = false;
  bool serving_ = false;
  bool stopped_ = false;
};

/// One thread at a time, any thread.
class rabbit_message final : public incoming_message {
 public:
  rabbit_message(std::shared_ptr<rabbit_listener> from, std::uint64_t lifetime,
                 const amqp091::delivery& d, wire::incoming_request r,
                 std::optional<scheduler::time_point> deadline, std::size_t unpacked);
  ~rabbit_message() override;

  std::span<const message_field> fields() const noexcept override { return request_.fields; }
  const context& ctxt() const noexcept override;
  std::string_view body() const noexcept override { return request_.text; }
  std::string_view message_id() const noexcept override { return request_.msg_id; }
  std::optional<double> client_timeout() const noexcept override { return request_.client_timeout; }
  bool redelivered() const noexcept override { return redelivered_; }
  std::optional<std::size_t> requeues() const noexcept override { return requeues_; }
  std::span<const message_header> headers() const noexcept override { return headers_; }
  std::optional<scheduler::time_point> deadline() const noexcept override { return deadline_; }

  void acknowledge() override { settle(true); }
  void acknowledge_later() override;
  void requeue() override { settle(false); }
  void reply(outgoing_reply r, unique_function<void(result<void>)> done) override;
  void heartbeat(unique_function<void(result<void>)> done) override;

  std::string_view unique_id() const noexcept { return request_.unique_id; }
  /// A hash of the body.
  std::uint64_t content() const noexcept { return content_; }
  std::uint64_t tag() const noexcept { return tag_; }
  /// Never handed out and not to be given back either.
  void forget() noexcept { settled_ = true; }

 private:
  void settle(bool ack);
  message_mark mark() const { return {std::string(request_.unique_id), content_}; }

  std::shared_ptr<rabbit_listener> from_;
  std::uint64_t lifetime_;
  std::uint64_t tag_;
  std::uint64_t content_;
  std::size_t unpacked_;  ///< its bytes, when it came compressed
  bool redelivered_;
  bool settled_ = false;
  std::optional<std::size_t> requeues_;  ///< only quorum queues count them
  std::vector<message_header> headers_;  ///< those that are text, and the application's
  std::optional<scheduler::time_point> deadline_;
  wire::incoming_request request_;
  mutable std::optional<context> ctxt_;  ///< built when somebody asks
};

}  // namespace oslo::messaging::rabbit
