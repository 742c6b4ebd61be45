// The one connection of a transport as its users see it.
#pragma once

#include <chrono>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/logger.hpp>
#include <string>

#include "drivers/amqp1/connection.hpp"
#include "protocol/link_action.hpp"

namespace oslo::messaging::amqp1 {

using protocol::link_loss;

/// Keeps one connection alive for its `link_user`. Not thread safe: everything is on the loop.
class link {
 public:
  using instant = connection::instant;

  virtual ~link() = default;
  /// Starts connecting unless that is under way or done.
  virtual void open() = 0;
  /// False from the moment the connection ends, also before `link_down`.
  virtual bool is_open() const noexcept = 0;
  /// The transport has closed it: nothing is connected any more.
  virtual bool is_shut() const noexcept = 0;
  /// Precondition: `is_open()`.
  virtual connection& machine() noexcept = 0;
  /// Writes what the machine has pending, at the end of the loop's current turn.
  virtual void flush_later() = 0;
  /// Where the link is or was last trying to be: "host:port".
  virtual const std::string& broker_name() const noexcept = 0;
  /// Why the link is not open; nothing before the first pass has ended.
  virtual const std::optional<failure>& last_failure() const noexcept = 0;
  virtual const logger& log() const noexcept = 0;
  virtual instant now() const = 0;
};

/// What lives on a link and is set up anew on every connection. Called on the loop.
class link_user : public connection_events {
 public:
  virtual void link_up(const peer_description& peer) = 0;
  virtual void link_down(const link_loss& loss) = 0;
  /// Every event of one read has been delivered.
  virtual void input_done() {}
  /// The socket took all output that there was.
  virtual void output_drained() {}

  void on_open(const peer_description&) final {}
  void on_closed(const ending&) final {}
};

}  // namespace oslo::messaging::amqp1
