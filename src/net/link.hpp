// A link to a message broker as its user sees it: who keeps the connection, and what lives on it.
#pragma once

#include <chrono>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/logger.hpp>
#include <string>

#include "protocol/amqp091/connection.hpp"
#include "protocol/amqp_failure.hpp"
#include "protocol/link_action.hpp"
#include "protocol/read_patience.hpp"

namespace oslo::messaging::net {

using protocol::is_verdict;
using protocol::link_loss;
using protocol::patience;
using protocol::to_failure;

/// Keeps one AMQP connection alive for its `link_user`. Not thread safe: everything is on the loop.
class link {
 public:
  using instant = std::chrono::steady_clock::time_point;

  virtual ~link() = default;
  /// Starts connecting unless that is under way or done.
  virtual void open() = 0;
  /// False from the moment the connection ends, also before `link_down`.
  virtual bool is_open() const noexcept = 0;
  /// The transport has closed it: nothing is connected any more.
  virtual bool is_shut() const noexcept = 0;
  /// The broker takes no publishes now (connection.blocked).
  virtual bool is_blocked() const noexcept = 0;
  /// Precondition: `is_open()`.
  virtual amqp091::connection& machine() noexcept = 0;
  /// Leaves the present connection, on which the broker does not answer, for a new one. The user's
  /// `link_down` follows, in a later turn of the loop.
  virtual void renew(failure why) = 0;
  /// Writes what the machine has pending, at the end of the loop's current turn.
  virtual void flush_later() = 0;
  /// From now on input may lie unread that long.
  virtual void read_with(patience p) = 0;
  /// Where the link is or was last trying to be: "host:port".
  virtual const std::string& broker_name() const noexcept = 0;
  /// Why the link is not open; nothing before the first pass has ended.
  virtual const std::optional<failure>& last_failure() const noexcept = 0;
  /// The same when it was a verdict of every host.
  virtual const failure* verdict() const noexcept = 0;
  virtual const logger& log() const noexcept = 0;
  virtual instant now() const = 0;
};

/// What lives on a link and is set up anew on every connection. Called on the loop. The events of
/// the connection come through the base class, except for `on_open` and `on_closed`.
class link_user : public amqp091::event_handler {
 public:
  /// The connection is open: declare, consume, publish again.
  virtual void link_up() = 0;
  virtual void link_down(const link_loss& loss) = 0;
  /// The events of one read are about to be delivered.
  virtual void input_begins() {}
  /// Every event of one read has been delivered.
  virtual void input_done() {}
  /// A socket that was full took everything.
  virtual void output_drained() {}

  void on_open(const amqp091::field_table&) final {}
  void on_closed(const amqp091::close_reason&) final {}
};

}  // namespace oslo::messaging::net
