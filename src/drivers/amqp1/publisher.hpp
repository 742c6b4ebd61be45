// What sends: one link for each destination, with what waits for it and what is on its way.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <string>

#include "core/unique_id.hpp"
#include "drivers/amqp1/link.hpp"
#include "drivers/amqp1/pending_send.hpp"
#include "wire/deadline.hpp"

namespace oslo::messaging::amqp1 {

/// What the publisher reports to.
class send_owner {
 public:
  virtual ~send_owner() = default;
  /// The broker has the message, or why it never will. Called once for each send, possibly before
  /// `publish` returns.
  virtual void published(const send_ptr& s, result<void> r) = 0;
  /// The publisher wants `on_tick` no later than then.
  virtual void wake_at(pending_send::instant when) = 0;
};

/// Sends in order for each destination, as many as the broker gives credit for. What has no outcome
/// when its link is lost is sent again, before anything newer, with the same id. What the broker
/// gives back comes again after a pause.
///
/// Not thread safe; lives on the loop.
class publisher {
 public:
  using instant = pending_send::instant;

  static constexpr std::chrono::milliseconds again_after{250};
  /// Bytes that the engine may hold without having written them.
  static constexpr std::size_t most_backlog = std::size_t{4} << 20;
  /// Of one destination, and of all.
  static constexpr std::size_t most_of_route = 100'000, most = 2 * most_of_route;
  static constexpr std::size_t most_bytes_of_route = 128u << 20, most_bytes = 256u << 20;

  publisher(link& l, send_owner& owner, const address_rules& rules,
            std::chrono::milliseconds idle_sender)
      : link_(l), owner_(owner), rules_(rules), idle_sender_(idle_sender) {}

  /// Takes the message. Its owner learns once: with nothing once the broker has it, or
  /// `errc::undeliverable`, `rejected`, `not_sent`, `outcome_unknown`, `unreachable`,
  /// `limit_exceeded` or a verdict of the broker.
  void publish(const send_ptr& s);
  /// Nobody waits for it any more.
  void abandon(pending_send& s);
  /// Where replies come to; empty: calls wait for it.
  void set_reply_address(std::string address);
  /// The broker refuses it: calls fail.
  void fail_calls(const failure& why);
  /// Makes the node exist where the broker makes nodes for senders only.
  void make_node(const destination& d);
  /// Ends everything still pending: with `why`, or `outcome_unknown` for what may have arrived.
  void fail_all(const failure& why);
  /// Nothing is tried again: what pauses fails with `why`. `done` is called (once) as soon as
  /// nothing waits for the broker.
  void drain(const failure& why, unique_function<void()> done);

  bool idle() const noexcept { return count_ == 0; }
  std::size_t pending() const noexcept { return count_; }
  /// One link serves all replies.
  bool relays() const noexcept { return peer_.anonymous_relay; }
  addressing mode() const noexcept { return mode_for(rules_.mode, peer_.product); }

  void link_up(const peer_description& peer);
  void link_down(const link_loss& loss);
  // False: the link is none of these.
  bool on_link_open(link_id l);
  bool on_link_closed(link_id l, const condition& why);
  bool on_credit(link_id l);
  bool on_outcome(link_id l, delivery_id message, const disposition& v);
  void output_drained();
  void on_tick(instant now);
  /// `instant::max()`: nothing to wait for.
  instant next_deadline() const;

 private:
  using send_queue = std::deque<send_ptr>;
  struct route {
    destination to;
    send_queue ready{};
    std::map<delivery_id, send_ptr> written{};
    link_id sender = 0;
    bool open = false;
    bool wanted = false;  ///< opened although nothing waits
    instant reopen_at{};
    instant used{};
    std::string address{};  ///< of the link
    std::size_t count = 0, cost = 0;
    std::size_t husks = 0;  ///< abandoned sends that still have a place in `ready`
    bool pumping = false;
  };

  route& route_of(const destination& d);
  route* route_on(link_id l) noexcept;
  void attach(route& r);
  void pump(route& r);
  bool can_write(const route& r);
  void write(route& r, const send_ptr& s);
  bool goes_settled(const route& r, const pending_send& s) const;
  void encode(const route& r, const pending_send& s);
  void came_back(route& r, const send_ptr& s, const std::string& how);
  void take_back(route& r);
  void no_node(route& r, const condition& why);
  void nobody_there(route& r, const send_ptr& s, const std::string& words);
  void end(route& r, const send_ptr& s, result<void> outcome);
  void give_up(route& r, const send_ptr& s, const failure& why);
  void discharge(route& r, pending_send& s);
  template <class Which>
  void fail_ready(route& r, const failure& why, Which which);
  void resume_due(instant now);
  void close_idle(instant now);
  void check_idle();
  std::string named(const destination& d) const { return rules_.name_of(d); }

  link& link_;
  send_owner& owner_;
  const address_rules& rules_;
  std::chrono::milliseconds idle_sender_;
  peer_description peer_;
  std::map<destination, route> routes_;
  std::map<link_id, route*> by_link_;
  struct paused_send {
    send_ptr send;
    instant until;
  };
  std::deque<paused_send> pausing_;  ///< all pauses are alike, so the front is the next
  std::string reply_address_;
  std::optional<failure> away_{};  ///< why the last pass over the hosts failed
  std::size_t count_ = 0, cost_ = 0;
  bool crowded_ = false;  ///< something waits only because the engine holds enough
  wire::time_stamp stamp_{random_bits()};
  std::string encoded_;  ///< kept for its memory
  unique_function<void()> idle_done_;
};

}  // namespace oslo::messaging::amqp1
