// What publishes: windows of unconfirmed messages that survive channels and connections.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <set>
#include <string>

#include "core/unique_id.hpp"
#include "drivers/rabbit/lane.hpp"
#include "drivers/rabbit/pending_send.hpp"
#include "drivers/rabbit/reader_watch.hpp"
#include "drivers/rabbit/routes.hpp"
#include "net/link.hpp"
#include "wire/deadline.hpp"

namespace oslo::messaging::rabbit {

/// What the publisher reports to.
class send_owner {
 public:
  virtual ~send_owner() = default;
  /// The broker has the message, or why it never will. Called once for each send, possibly before
  /// `publish` returns.
  virtual void published(const send_ptr& s, result<void> r) = 0;
  /// The publisher wants `on_tick` no later than then.
  virtual void wake_at(pending_send::instant when) = 0;
  /// What `is_blocked` answers has changed.
  virtual void blocked_changed() = 0;
};

/// Publishes with confirms, in order for each destination. What is unconfirmed when a link or
/// channel is lost is published again, before anything newer, with the same body.
///
/// Whose fault is it? A refused declaration fails the messages that need it. When the broker closes
/// the channel over a message and does not say which, all that were on it are suspects: they are
/// published again one at a time, until one of them ends the channel alone. Nothing that the broker
/// may have taken gets a definite error for what comes later.
///
/// RabbitMQ stops a whole channel over the first message for a queue that has lost its quorum, for
/// a minute and more. A channel that has long been silent, while the broker opens another, is left
/// for that one, and the destination of its oldest message goes through a channel of its own, until
/// it confirms again.
///
/// A channel of RabbitMQ may go on refusing what goes to a queue that has moved to another node.
/// One that only refuses is left, in between two messages, so that nothing is repeated for it.
///
/// No socket and no clock of its own: time comes with `on_tick` and from the link.
/// Not thread safe; lives on the loop.
class publisher final : public net::link_user {
 public:
  using instant = pending_send::instant;

  /// A confirm that has not come for so long will not come. While the broker blocks us, no time
  /// passes.
  static constexpr std::chrono::seconds confirm_limit{30};
  /// A channel that confirms nothing for so long is looked into.
  static constexpr std::chrono::seconds silence_limit{10};
  static constexpr std::chrono::milliseconds again_after{250};
  /// A message that ends its channel does so by then.
  static constexpr std::chrono::milliseconds probe_limit{200};
  /// A channel that refuses (nack) all for a destination for so long may know an old way to its
  /// queue: another one follows. While that does not help, after a pause that doubles up to 16 s.
  static constexpr std::chrono::seconds refusal_limit{1};
  /// Of one destination, and of all.
  static constexpr std::size_t most_of_route = 100'000, most = 2 * most_of_route;
  static constexpr std::size_t most_bytes_of_route = 128u << 20, most_bytes = 256u << 20;

  publisher(net::link& link, send_owner& owner) : link_(link), owner_(owner) {}

  /// From now on queues that are fed and not read are looked for that often; 0: never.
  void watch_readers(std::chrono::seconds period) { readers_ = reader_watch(period); }

  /// Takes the message. Its owner learns once: with nothing once it is confirmed, or
  /// `errc::undeliverable`, `rejected`, `not_sent`, `outcome_unknown`, `unreachable`,
  /// `limit_exceeded` or a verdict of the broker.
  void publish(const send_ptr& s);
  /// Nobody waits for it any more.
  void abandon(pending_send& s);
  /// Sends that need the reply queue are held back before it is there, and after it is lost.
  void set_reply_queue(bool ready);
  /// The broker refuses the reply queue: what waits for it fails.
  void fail_reply_queue(const failure& why);
  /// A pass over the hosts has failed for the link of the reply queue.
  void reply_queue_unreachable(const net::link_loss& loss);
  /// Ends everything still pending: with `why`, or `outcome_unknown` for what may have arrived.
  void fail_all(const failure& why);
  /// Nothing is tried again: what pauses fails with `why`. `done` is called (once) as soon as
  /// nothing waits for the broker, or the broker cannot answer.
  void drain(const failure& why, unique_function<void()> done);

  bool idle() const noexcept { return count_ == 0; }
  std::size_t pending() const noexcept { return count_; }
  std::size_t pending_bytes() const noexcept { return cost_; }
  const std::string& blocked_reason() const noexcept { return blocked_reason_; }

  void on_tick(instant now);
  /// `instant::max()`: nothing to wait for.
  instant next_deadline() const;

  void link_up() override;
  void link_down(const net::link_loss& loss) override;
  void output_drained() override { pump(); }
  void input_done() override;

  void on_channel_open(amqp091::channel_id ch) override;
  void on_channel_closed(amqp091::channel_id, const amqp091::close_reason& why) override;
  void on_return(const amqp091::returned_message& m) override;
  void on_request_ok(amqp091::channel_id ch, amqp091::request_id request, std::string_view name,
                     std::uint32_t messages, std::uint32_t consumers) override;
  void on_confirm(amqp091::channel_id, std::uint64_t sequence, bool multiple, bool ack) override;
  void on_blocked(std::string_view reason) override;
  void on_unblocked() override;

 private:
  using name_set = std::set<std::string, std::less<>>;
  using send_queue = std::deque<send_ptr>;
  using condition = std::function<bool(const pending_send&)>;

  // publisher.cpp: the way of a message.
  bool has_room(const pending_send& s, const route& r) const noexcept;
  void enter(const send_ptr& s);
  void admit(const send_ptr& s);
  send_ptr take_front(send_queue& q);
  void leave_window(pending_send& s);
  void discharge(pending_send& s);
  bool can_write(const lane& l) noexcept;
  void pump();
  void pump(lane& l);
  void write(lane& l, const send_ptr& s, instant now);
  amqp091::properties& properties_for(const pending_send& s, instant now);
  void confirmed(lane& l, const send_ptr& s, bool ack);
  bool comes_again(const pending_send& s, bool refused) const;
  void pause(const send_ptr& s);
  void resume_due(instant now);
  void choose_patience();

  // publisher_ends.cpp: how it ends.
  void end(const send_ptr& s, result<void> r);
  void give_up(const send_ptr& s, const failure& why);
  void add_husk();
  void sweep();
  void check_idle();

  // publisher_topology.cpp: what has to exist before.
  void ensure_destination(lane& l, route& r, const destination& to, instant now);
  void declare_queue(lane& l, const destination& to, bool again);

  // publisher_silence.cpp: confirms that do not come.
  instant silent_since(const lane& l) const;
  bool is_silent(instant now) const;
  instant silence_deadline(const lane& l) const;
  void look_into_silence(instant now);
  void leave_silent_channel();
  void set_oldest_apart();
  void bring_back(route& r) noexcept;
  void close_apart();
  void forget_old_confirms(lane& l, instant now);

  // publisher_staleness.cpp: channels that go on refusing.
  void weigh(lane& l, route& r, const destination& to, bool ack);
  void leave_when_drained(lane& l, instant now);

  // publisher_faults.cpp: channels and connections that end.
  lane* lane_of(amqp091::channel_id ch) noexcept;
  void open_channel(lane& l);
  void begin_channel(lane& l, amqp091::channel_id ch);
  bool needs_channel(const lane& l) const noexcept;
  void reopen_channel(lane& l, instant now);
  send_queue take_written(lane& l);
  void requeue(const send_queue& sends);
  void write_again(lane& l);
  void put_in_doubt(const send_queue& sends);
  static bool is_alone(const lane& l) noexcept;
  void channel_lost(lane& l, const failure& reason);
  void clear_silent_suspects(lane& l, instant now);
  void message_refused(lane& l, const send_queue& written, bool alone, const failure& reason,
                       bool connection);
  void clear_suspicion(pending_send& s) noexcept;
  void pass_failed(const net::link_loss& loss, bool reply_queue);
  send_queue unwritten(const condition& which);

  // publisher_refusals.cpp: what the broker refuses to have.
  /// A message that ended so many channels, or whose topology did, is given up. A connection is
  /// more than a channel: one may end for a reason of its own while a single message is on the way.
  static constexpr std::uint8_t most_strikes = 3;
  void refuse(const send_queue& written, const condition& concerns, const failure& reason,
              bool vanished, bool for_good);
  void topology_refused(lane& l, const failure& reason, std::uint16_t code);
  const failure* prohibition_of(const pending_send& s) const;
  void transient_queues_forbidden(const failure& reason);
  void declaration_forbidden(const failure& reason);
  void destination_refused(lane& l, const amqp091::close_reason& why, const failure& reason);
  void strike(const send_ptr& s, const failure& reason, bool vanished);

  net::link& link_;
  send_owner& owner_;

  send_queue gated_;  ///< wait for the reply queue
  lane main_{most};
  /// For destinations that are silent. So few that the broker, which stops to read from a
  /// connection when some hundred messages wait for one of its channels, never does.
  lane apart_{64};
  struct paused_send {
    send_ptr send;
    instant until;
  };
  std::deque<paused_send> pausing_;  ///< all pauses are alike, so the front is the next
  route_table routes_;
  bool reply_queue_ready_ = false;
  std::optional<failure> away_{};  ///< why the last pass over the hosts failed
  std::size_t count_ = 0;          ///< pending, wherever they are
  std::size_t cost_ = 0;           ///< bytes of these
  std::size_t husks_ = 0;          ///< abandoned sends that still have a place in a queue

  std::uint64_t lives_ = 0;            ///< of channels, so far
  bool one_channel_ = false;           ///< the broker ends a connection over a second one
  instant looked_at_{};                ///< when `next_main_` was last asked for
  amqp091::channel_id next_main_ = 0;  ///< to follow the present one, which is silent
  std::optional<instant> next_main_open_{};
  instant leave_again_at_{};  ///< not before is a channel left because it refuses
  std::chrono::seconds leave_pause_{};
  name_set foreign_;  ///< exists with other properties: not declared
  struct prohibition {
    failure why;
    instant until;
    std::optional<declaration> of{};  ///< none: all queues that are not durable
  };
  std::optional<prohibition> forbidden_{};
  reader_watch readers_;

  amqp091::properties properties_;
  amqp091::properties timed_properties_;  ///< of messages that expire
  wire::time_stamp stamp_{random_bits()};
  amqp091::properties aging_properties_;  ///< of those with a time to live in their queue
  std::string blocked_reason_;
  std::optional<instant> told_block_;  ///< when the log last said so: alarms come and go
  bool tell_blocks_ = true;            ///< and this one is told
  instant confirms_from_{};            ///< confirms are waited for since then at the earliest
  bool crowded_ = false;               ///< many are unconfirmed
  bool pumping_ = false;
  unique_function<void()> idle_done_;
};

}  // namespace oslo::messaging::rabbit
