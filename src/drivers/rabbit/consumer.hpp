// What consumes: subscriptions that are set up again after every loss.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "core/unique_id.hpp"
#include "drivers/rabbit/queue_watch.hpp"
#include "drivers/rabbit/stream_watch.hpp"
#include "drivers/rabbit/topology.hpp"
#include "net/link.hpp"
#include "protocol/backoff.hpp"

namespace oslo::messaging::rabbit {

/// What one listener consumes: a channel of its own with one or more queues.
///
/// A delivery tag is only good for the channel it came from; `lifetime()` tells one channel from
/// the next, and settling with an old one does nothing.
class consumer_channel {
 public:
  virtual ~consumer_channel() = default;

  std::uint64_t lifetime() const noexcept { return lifetime_; }
  bool is_ready() const noexcept { return missing_ == 0 && channel_ != 0; }
  virtual bool is_ending() const noexcept { return false; }  ///< its owner takes nothing more

  // All on the loop.
  virtual void on_ready() = 0;  ///< every queue is being consumed, again
  virtual void on_removed() {}  ///< by `consumer::remove`; no delivery will come
  virtual void on_gone() {}     ///< after it, once the broker has nothing of it any more
  virtual void on_lost() {}     ///< the channel is gone; unsettled deliveries come again
  /// The broker refuses the topology, or us. It is tried again, slowly, unless the owner removes
  /// it.
  virtual void on_refused(const failure& why) = 0;
  /// A pass over the hosts has failed.
  virtual void on_unreachable(const net::link_loss& loss) { (void)loss; }
  /// May throw: then the message is dropped as one that cannot be read.
  virtual void on_delivery(const amqp091::delivery& d) = 0;
  /// A message was dropped because it cannot be read: its publisher's fault.
  virtual void on_malformed() {}
  virtual void on_input_done() {}

 protected:
  /// Where the message stands in the stream that it came from; nothing when that is a queue.
  std::optional<std::uint64_t> stream_offset(const amqp091::delivery& d) const;
  /// In `on_lost`: what came from there on was not handled.
  void read_stream_again_from(std::uint64_t offset) noexcept { position_.back_to(offset); }

  /// Before it is added, in place of what the constructor got.
  void read_from(std::vector<source> sources) { sources_ = std::move(sources); }

  /// `prefetch`: 0 asks the broker for no limit; none does not ask.
  consumer_channel(std::vector<source> sources, std::optional<std::uint16_t> prefetch)
      : sources_(std::move(sources)), prefetch_(prefetch), backoff_({}, random_bits()) {}

 private:
  friend class consumer;
  using instant = net::link::instant;
  std::vector<source> sources_;
  std::vector<std::string> tags_;
  std::string stream_tag_;  ///< of the consumer of a stream; a channel has one at most
  stream_position position_;
  stream_watch watch_;
  queue_watch queues_;
  std::optional<std::uint16_t> prefetch_;
  amqp091::channel_id channel_ = 0;
  std::uint64_t lifetime_ = 0;
  bool opened_ = false;      ///< the broker has given it its channel
  unsigned unopened_ = 0;    ///< times in a row that it did not in time
  std::size_t missing_ = 0;  ///< consume-ok frames still to come
  instant retry_at_ = instant::max();
  instant ready_by_ = instant::max();  ///< while it is being set up
  std::size_t outstanding_ = 0;        ///< deliveries that are not settled
  bool added_ = false;
  bool was_ready_ = false;
  unsigned taken_ = 0;      ///< times in a row that another consumer had its queue
  bool starved_ = false;    ///< no channel was left for it
  bool forbidden_ = false;  ///< it ends the connection: not set up before `retry_at_`
  std::string told_;        ///< what the log says of it, and since when
  instant told_at_{};
  protocol::backoff backoff_;
  instant ready_since_ = instant::max();
};
using channel_ptr = std::shared_ptr<consumer_channel>;

/// What the consumer reports to.
class consumer_owner {
 public:
  virtual ~consumer_owner() = default;
  /// The consumer wants `on_tick` no later than then.
  virtual void wake_at(net::link::instant when) = 0;
  /// Around the events of one read: what handlers publish meanwhile can leave in one write.
  virtual void input_begins() = 0;
  virtual void input_done() = 0;
};

/// No socket and no clock of its own. Not thread safe; lives on the loop.
class consumer final : public net::link_user {
 public:
  using instant = net::link::instant;

  consumer(net::link& link, consumer_owner& owner)
      : link_(link), owner_(owner), random_(random_bits()) {}

  void add(channel_ptr s);
  /// Asks for no further deliveries; what was delivered can still be settled.
  void stop_deliveries(const channel_ptr& s);
  /// Stops consuming, gives unsettled deliveries back and deletes private queues.
  void remove(const channel_ptr& s);
  void remove_all();

  /// `lifetime` is the subscription's at the time of the delivery. When many are in work,
  /// acknowledgements leave in groups, at the latest after 2 ms.
  void ack(consumer_channel& s, std::uint64_t lifetime, std::uint64_t tag);
  void reject(consumer_channel& s, std::uint64_t lifetime, std::uint64_t tag, bool requeue);

  /// The message turned out to be unreadable when it was taken.
  void drop(consumer_channel& s, std::uint64_t lifetime, const amqp091::delivery& d,
            std::string_view why);

  void on_tick(instant now);
  /// `instant::max()`: nothing to wait for.
  instant next_deadline() const;

  void link_up() override;
  void link_down(const net::link_loss& loss) override;
  void input_begins() override { owner_.input_begins(); }
  void input_done() override;

  void on_channel_open(amqp091::channel_id ch) override;
  void on_channel_closed(amqp091::channel_id ch, const amqp091::close_reason& why) override;
  void on_request_ok(amqp091::channel_id ch, amqp091::request_id request, std::string_view name,
                     std::uint32_t messages, std::uint32_t consumers) override;
  void on_delivery(const amqp091::delivery& d) override;
  void on_delivery_refused(const amqp091::delivery& refused, std::string_view why) override;
  void on_consumer_cancelled(amqp091::channel_id ch, std::string_view tag) override;

 private:
  void establish(consumer_channel& s);
  void request_everything(consumer_channel& s);
  void give_up_late(instant now);
  void look_at_queues(instant now);
  void refused(consumer_channel& s, const failure& why);
  void complain(consumer_channel& s, const std::string& text);
  std::vector<channel_ptr> ended_by(const net::link_loss& loss) const;
  bool is_alone(consumer_channel& s, amqp091::request_id request, std::string_view queue,
                std::uint32_t consumers);
  void flush_acks();
  void overfed(consumer_channel& s, std::size_t most);
  void lost(consumer_channel& s);
  void everything_is_gone();
  void retry(consumer_channel& s, std::chrono::milliseconds pause);
  void consume_again(consumer_channel& s);
  void dropped(consumer_channel* s, const amqp091::delivery& d, std::string_view why);
  // consumer_streams.cpp
  static constexpr amqp091::request_id counting_stream = 4;
  void look_at_streams(instant now);
  void counted(consumer_channel& s, std::uint32_t messages);
  channel_ptr find(amqp091::channel_id ch) const;
  consumer_channel* at(amqp091::channel_id ch) const noexcept {
    return ch < by_channel_.size() ? by_channel_[ch] : nullptr;
  }
  std::chrono::milliseconds refused_pause();

  net::link& link_;
  consumer_owner& owner_;
  random_engine random_;
  std::vector<channel_ptr> channels_;
  std::vector<consumer_channel*> by_channel_;
  struct leaving {
    amqp091::channel_id channel;
    channel_ptr what;
    instant until;
  };
  std::vector<leaving> leaving_;  ///< until close-ok
  bool lost_a_link_ = false;
  std::size_t noted_acks_ = 0;  ///< not yet flushed
  instant acks_due_ = instant::max();
  std::uint64_t next_lifetime_ = 1;
  std::uint64_t next_tag_ = 1;
};

}  // namespace oslo::messaging::rabbit
