// What a connection knows about one of its channels.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "protocol/amqp091/ack_folder.hpp"
#include "protocol/amqp091/confirm_tracker.hpp"
#include "protocol/amqp091/connection.hpp"
#include "protocol/amqp091/spec.hpp"

namespace amqp091 {

/// A request whose answer is due. Answers come in the order of the requests, except those for
/// consumers: in RabbitMQ the queue sends them, past what its channel answers meanwhile, so they
/// are told apart by their tag.
struct pending_request {
  method answer;
  request_id id;
  bool no_ack = false;       // basic.consume
  std::string consumer_tag;  // basic.consume and basic.cancel; empty: the broker makes one up

  bool is_for_consumer() const noexcept {
    return answer == method::basic_consume_ok || answer == method::basic_cancel_ok;
  }
};

/// A message on its way in: method, then header, then body until `left` is 0.
struct incoming_content {
  enum class stage : std::uint8_t { none, header, body };
  stage at = stage::none;
  method what = method::none;  // basic.deliver or basic.return
  bool skip = false;           // refused: count the body, store nothing
  std::uint64_t left = 0;
  std::string arguments;  // of the method; views of it go out with the event
  properties props;
  std::string body;  // only when it came in several frames
};

struct channel {
  enum class phase : std::uint8_t { opening, open, closing };

  explicit channel(std::size_t max_unconfirmed) : confirms(max_unconfirmed) {}

  phase now = phase::opening;
  bool confirming = false;
  bool acks_listed = false;  // in the connection's list of channels to flush
  std::deque<pending_request> pending;
  incoming_content content;
  ack_folder acks;
  confirm_tracker confirms;
  std::vector<std::string> no_ack_consumers;
  close_reason why_closing;
};

}  // namespace amqp091
