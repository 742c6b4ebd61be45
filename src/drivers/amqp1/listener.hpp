// A subscription: its links, what has arrived on them, and what was handed out.
#pragma once

#include <atomic>
#include <chrono>
#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <set>
#include <string>
#include <vector>

#include "drivers/amqp1/engine.hpp"
#include "protocol/copy_report.hpp"
#include "protocol/dedup_window.hpp"
#include "wire/request.hpp"
#include "wire/sender_clocks.hpp"

namespace oslo::messaging::amqp1 {

class incoming;

/// A delivery on one of the connections that there were.
struct delivery_place {
  std::uint64_t connection = 0;
  link_id link = 0;
  delivery_id message = 0;  ///< 0: the broker has forgotten it
  auto operator<=>(const delivery_place&) const = default;
};

/// By which a second copy of a message is recognised.
struct message_mark {
  std::string id;  ///< empty: by nothing
  std::uint64_t content = 0;
  auto operator<=>(const message_mark&) const = default;
};

/// Shared by the engine, the messages and, by way of a handle, the listener's owner. On the loop.
class amqp1_listener final : public listener, public std::enable_shared_from_this<amqp1_listener> {
 public:
  using instant = connection::instant;
  /// A detach that the broker does not confirm counts as confirmed then.
  static constexpr std::chrono::seconds farewell_limit{15};

  amqp1_listener(std::shared_ptr<engine> e, std::vector<destination> from, std::uint32_t credit);

  /// For the owner: stops it when the last copy is destroyed, on any thread.
  std::shared_ptr<listener> handle();

  void next(std::size_t max, unique_function<void(incoming_batch)> done) override;
  void stop() override;
  void ready(unique_function<void(result<void>)> done) override;
  void when_gone(unique_function<void()> done) override;
  void watch(unique_function<void()> changed) override { changed_ = std::move(changed); }
  bool consuming() const noexcept override { return consuming_.load(); }

  // For the messages.
  void acknowledge_later(message_mark of);
  void settle(const delivery_place& where, const message_mark& of, bool ack);
  engine& owner() noexcept { return *engine_; }

  // For the engine.
  void link_up();
  void link_down();
  /// The transport ends.
  void remove();
  bool on_link_open(link_id l);
  bool on_link_closed(link_id l, const condition& why);
  bool on_link_gone(link_id l);
  bool on_delivery(link_id l, delivery_id message, std::string_view bytes, bool settled);
  void serve();
  void on_tick(instant now);
  instant next_deadline() const noexcept;

 private:
  struct source {
    destination from;
    link_id link = 0;
    bool open = false;
    std::uint32_t debt = 0;  ///< credit that is to be given again
    int missing = 0;         ///< how often the broker did not know the node
    instant reopen_at{};
  };

  source* on(link_id l) noexcept;
  void attach(source& s);
  bool is_ready() const noexcept;
  void became_ready();
  void give_credit(source& s, std::uint32_t messages);
  void settle_now(const delivery_place& where, settlement how);
  bool is_copy(const incoming& m);
  void answer_ready(const result<void>& r);
  void remove_when_settled();
  void gone_if_closed();
  void set_consuming(bool now);

  std::shared_ptr<engine> engine_;
  std::vector<source> sources_;
  std::uint32_t credit_;
  std::deque<std::unique_ptr<incoming>> arrived_;
  std::set<delivery_place> out_;  ///< handed out, on the present connection
  std::size_t handed_out_ = 0;    ///< on any
  std::size_t want_ = 0;
  unique_function<void(incoming_batch)> waiting_;
  std::vector<unique_function<void(result<void>)>> ready_waiters_;
  std::optional<failure> refused_;  ///< until the broker changes its mind
  protocol::dedup_window seen_;
  protocol::copy_report copies_;
  wire::sender_clocks clocks_;
  /// Messages that are acknowledged after their work, and copies of them that came meanwhile.
  std::map<message_mark, std::vector<delivery_place>> in_work_;
  std::vector<unique_function<void()>> gone_waiters_;
  instant farewell_until_ = instant::max();
  unique_function<void()> changed_;
  std::atomic<bool> consuming_{false};
  bool serving_ = false;
  bool stopped_ = false;
  bool gone_ = false;
};

/// One thread at a time, any thread.
class incoming final : public incoming_message {
 public:
  struct content {
    delivery_place where;
    wire::incoming_request request;
    std::string reply_to;
    std::string message_id;       ///< as it came, to be given back
    std::string message_id_text;  ///< empty for a cast
    message_mark mark;
    std::vector<message_header> headers;
    std::optional<scheduler::time_point> deadline;
    bool redelivered = false;
  };
  incoming(std::shared_ptr<amqp1_listener> from, content c)
      : from_(std::move(from)), c_(std::move(c)) {}
  ~incoming() override { settle(false); }

  std::span<const message_field> fields() const noexcept override { return c_.request.fields; }
  const context& ctxt() const noexcept override;
  std::string_view body() const noexcept override;
  std::string_view message_id() const noexcept override { return c_.message_id_text; }
  std::optional<double> client_timeout() const noexcept override {
    return c_.request.client_timeout;
  }
  bool redelivered() const noexcept override { return c_.redelivered; }
  std::span<const message_header> headers() const noexcept override { return c_.headers; }
  std::optional<scheduler::time_point> deadline() const noexcept override { return c_.deadline; }

  void acknowledge() override { settle(true); }
  void acknowledge_later() override;
  void requeue() override { settle(false); }
  void reply(outgoing_reply r, unique_function<void(result<void>)> done) override;
  void heartbeat(unique_function<void(result<void>)> done) override;

  const delivery_place& where() const noexcept { return c_.where; }
  const message_mark& mark() const noexcept { return c_.mark; }
  /// Never handed out and not to be given back either.
  void forget() noexcept { settled_ = true; }

 private:
  void settle(bool ack);

  std::shared_ptr<amqp1_listener> from_;
  content c_;
  bool settled_ = false;
  // Built when somebody asks.
  mutable std::optional<context> ctxt_;
  mutable std::optional<std::string> body_;
};

}  // namespace oslo::messaging::amqp1
