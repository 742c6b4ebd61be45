// The publishing connection: a bounded window of unconfirmed messages that survives reconnects.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <set>
#include <string>
#include <vector>

#include "core/unique_id.hpp"
#include "drivers/rabbit/reader_watch.hpp"
#include "drivers/rabbit/topology.hpp"
#include "net/amqp_link.hpp"
#include "wire/deadline.hpp"

namespace oslo::messaging::rabbit {

/// One message from `publisher::publish` until the broker has taken responsibility for it.
struct publication {
  enum class stage : std::uint8_t {
    waiting,    ///< not yet written: no link, blocked, or window full
    written,    ///< on the wire, not confirmed
    settled,    ///< confirmed, refused, or failed
    abandoned,  ///< nobody waits any more; never written again
  };

  destination to;
  std::string body;
  std::vector<message_header> headers{};
  bool mandatory = false;
  bool fail_fast = false;
  /// Somebody waits for `done`. That of others may come some 20 ms late; with many messages on the
  /// wire any may come 1 ms late.
  bool awaited = true;
  /// Set: the message carries what is left until then (wire/deadline.hpp).
  std::optional<std::chrono::steady_clock::time_point> expires{};
  std::chrono::milliseconds lifetime{0};  ///< the expiration as the caller asked for it
  int retry = -1;                         ///< attempts to connect after the first; -1 = for ever
  unique_function<void(result<void>)> done;

  stage at = stage::waiting;
  bool ever_written = false;
  bool returned = false;
  std::uint16_t return_code = 0;
  std::uint8_t channel_losses = 0;
  int failed_attempts = 0;
};
using publication_ptr = std::shared_ptr<publication>;

/// Publishes in order with confirms. What is unconfirmed when the link or the channel is lost is
/// published again, before anything newer, with the same body.
///
/// Not thread safe; lives on the loop.
class publisher final : public net::amqp_link {
 public:
  using amqp_link::amqp_link;

  /// From now on queues that are fed and not read are looked for that often; 0: never.
  void watch_readers(std::chrono::seconds period) { readers_ = reader_watch(period); }

  /// Takes the message. `p->done` is called once, possibly before this returns: with nothing once
  /// confirmed, or `errc::undeliverable`, `rejected`, `not_sent`, `outcome_unknown`, `unreachable`,
  /// `limit_exceeded` or a verdict of the broker.
  void publish(const publication_ptr& p);
  /// Forgets the message; `done` is not called.
  void abandon(publication& p);
  /// Ends everything still pending: with `why`, or `outcome_unknown` for what was on the wire.
  void fail_all(const failure& why);
  /// True when nothing waits for the broker.
  bool idle() const noexcept { return waiting_.empty() && unconfirmed_count_ == 0; }
  /// Called (once) as soon as `idle()` holds.
  void when_idle(unique_function<void()> done);

  std::size_t pending() const noexcept { return waiting_.size() + unconfirmed_count_; }
  bool is_blocked() const noexcept { return blocked_; }
  const std::string& blocked_reason() const noexcept { return blocked_reason_; }

 private:
  void link_up() override;
  void link_down(const failure& why, bool was_open) override;
  void output_drained() override { pump(); }
  void input_done() override;

  void on_channel_closed(amqp091::channel_id, const amqp091::close_reason& why) override;
  void on_return(const amqp091::returned_message& m, std::uint64_t sequence) override;
  void on_request_ok(amqp091::channel_id ch, amqp091::request_id request, std::string_view name,
                     std::uint32_t messages, std::uint32_t consumers) override;
  void on_confirm(amqp091::channel_id, std::uint64_t sequence, bool ack) override;
  void on_blocked(std::string_view reason) override;
  void on_unblocked() override;

  bool can_write() noexcept;
  void pump();
  void write(const publication_ptr& p);
  void ensure_destination(const destination& to);
  void declare_queue(const destination& to);
  void open_channel();
  void requeue_unconfirmed();
  bool adopt(const std::deque<publication_ptr>& pending, const amqp091::close_reason& why);
  void settle(publication& p, result<void> r);
  void give_up(publication& p, const failure& why);
  void forget_abandoned();
  void check_idle();
  void choose_patience();

  std::deque<publication_ptr> waiting_;
  std::deque<publication_ptr>
      unconfirmed_;  ///< front has sequence `first_sequence_`; null: settled
  std::uint64_t first_sequence_ = 1;
  std::size_t unconfirmed_count_ = 0;
  std::size_t awaited_count_ = 0;  ///< of these, those somebody waits for
  bool crowded_ = false;           ///< many are unconfirmed
  amqp091::channel_id channel_ = 0;
  using name_set = std::set<std::string, std::less<>>;
  /// On this channel: exchanges, and the queues bound to each.
  std::map<std::string, name_set, std::less<>> declared_;
  name_set foreign_;  ///< exists with other properties: not declared
  amqp091::properties properties_;
  amqp091::properties timed_properties_;  ///< of messages that expire
  wire::time_stamp stamp_{random_bits()};
  amqp091::properties aging_properties_;  ///< of those with a time to live in their queue
  reader_watch readers_;
  bool blocked_ = false;
  std::string blocked_reason_;
  bool pumping_ = false;
  unique_function<void()> idle_done_;
};

}  // namespace oslo::messaging::rabbit
