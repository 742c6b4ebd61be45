// What a connection knows about one of its channels.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "protocol/amqp091/ack_folder.hpp"
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
  incoming_content() = default;
  incoming_content(const incoming_content&) = delete;  // it has views of itself
  incoming_content& operator=(const incoming_content&) = delete;

  enum class stage : std::uint8_t { none, header, body };
  stage at = stage::none;
  method what = method::none;  // basic.deliver or basic.return
  bool skip = false;           // refused: count the body, store nothing
  std::uint64_t left = 0;
  std::string arguments;  // of the method
  // What the method says, as views of `arguments`; `what` tells which of both is on its way.
  delivery delivered;
  returned_message returned;
  properties props;
  std::string body;  // only when it came in several frames
};

struct channel {
  enum class phase : std::uint8_t { opening, open, closing };

  phase now = phase::opening;
  bool number_was_used = false;  // by a channel that the broker may still send something of
  bool confirming = false;
  bool acks_listed = false;  // in the connection's list of channels to flush
  std::deque<pending_request> pending;
  incoming_content content;
  ack_folder acks;
  std::uint64_t last_published = 0;  // the sequence number, in confirm mode
  std::vector<std::string> no_ack_consumers, stream_consumers;
  close_reason why_closing;
};

}  // namespace amqp091
