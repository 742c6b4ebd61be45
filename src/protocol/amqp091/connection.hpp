// One AMQP 0-9-1 client connection as a state machine: bytes, time and wishes go in; bytes and
// events come out. No socket, no clock, no thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/amqp091/field_table.hpp"

namespace amqp091 {

using instant = std::chrono::steady_clock::time_point;
using channel_id = std::uint16_t;
/// Names a synchronous request (declare, bind, consume …) in events. Chosen by the caller.
using request_id = std::uint64_t;

/// Class basic content properties. Absent ones are not written.
struct properties {
  std::optional<std::string> content_type, content_encoding, correlation_id, reply_to, expiration,
      message_id, type, user_id, app_id, cluster_id;
  std::optional<field_table> headers;
  std::optional<std::uint8_t> delivery_mode, priority;
  std::optional<std::uint64_t> timestamp;
  bool operator==(const properties&) const = default;
};

struct connection_options {
  std::string mechanism = "AMQPLAIN";  ///< AMQPLAIN, PLAIN or EXTERNAL
  std::string username = "guest";
  std::string password = "guest";
  std::string vhost = "/";
  field_table client_properties;     ///< capabilities are added by the machine
  std::uint16_t heartbeat = 60;      ///< seconds asked for; 0 = none
  std::uint32_t frame_max = 131072;  ///< our cap; 0 from the broker means this cap
  std::uint16_t channel_max = 2047;
  /// Bytes of one message body, both ways. A longer incoming one is not stored: see
  /// `on_delivery_refused`.
  std::size_t max_body = 128u << 20;
  std::chrono::milliseconds handshake_timeout{10'000};
  std::chrono::milliseconds close_timeout{2'000};
};

/// Why a connection or a channel ended.
struct close_reason {
  enum class origin {
    local,      ///< we asked for it
    broker,     ///< connection.close or channel.close from the broker: code and text are its words
    transport,  ///< the byte stream ended or failed
    heartbeat,  ///< nothing was heard for two intervals
    timeout,    ///< handshake or close took too long
    protocol,   ///< the broker broke the protocol; text says how and where
  };
  origin from = origin::local;
  std::uint16_t code = 0;  ///< AMQP reply code, 0 when there is none
  std::string text;
  /// The method at fault: the one that the broker blames, or the one that broke the protocol. 0
  /// when there is none; `method_name` in spec.hpp has the names.
  std::uint16_t class_id = 0, method_id = 0;
};

/// Views are valid only during the callback.
struct delivery {
  channel_id channel = 0;
  std::string_view consumer_tag;
  std::uint64_t delivery_tag = 0;
  bool redelivered = false;
  std::string_view exchange, routing_key;
  const properties* props = nullptr;
  std::string_view body;
};
/// Its properties are those of the publish and are not read again.
struct returned_message {
  channel_id channel = 0;
  std::uint16_t code = 0;
  std::string_view text, exchange, routing_key;
  std::string_view body;  ///< empty when it is longer than `max_body`, so not one of ours
};

/// Receives what happened. Called from inside `on_bytes`, `on_tick` and `on_stream_end`; every
/// member of the connection except those three and the destructor may be called from here.
/// Implementations must not throw.
class event_handler {
 public:
  virtual ~event_handler() = default;
  virtual void on_open(const field_table& server_properties) { (void)server_properties; }
  /// The last event of the connection. Every channel is gone with it, without an
  /// `on_channel_closed` of its own. What `take_output` still gives (close-ok, or our
  /// connection.close after a violation) should be sent before the stream is shut.
  virtual void on_closed(const close_reason& why) = 0;
  virtual void on_channel_open(channel_id) {}
  /// Pending requests and unconfirmed publishes of the channel will not be answered.
  virtual void on_channel_closed(channel_id, const close_reason&) {}
  /// A synchronous request succeeded. `name`: the queue or consumer tag that the broker reports;
  /// the counts are those of queue.declare-ok (messages: also purge-ok and delete-ok), else 0.
  virtual void on_request_ok(channel_id, request_id, std::string_view name, std::uint32_t messages,
                             std::uint32_t consumers) {
    (void)name, (void)messages, (void)consumers;
  }
  virtual void on_delivery(const delivery&) {}
  /// A message that cannot be handed over: its body is longer than `max_body`, or its properties
  /// cannot be read. That is its publisher's doing and not the broker's, which passes most of it
  /// through, so it ends this message alone: it was rejected without requeue (unless the consumer
  /// needs no acknowledgement; see `reject`), its body is skipped as it comes, and the channel goes
  /// on. Of `refused`, body and properties are empty.
  virtual void on_delivery_refused(const delivery& refused, std::string_view why) {
    (void)refused, (void)why;
  }
  /// The broker ended a consumer (its queue was deleted or moved).
  virtual void on_consumer_cancelled(channel_id, std::string_view consumer_tag) {
    (void)consumer_tag;
  }
  /// A mandatory publish found no queue. Returns come in the order of publishing, and each before
  /// the confirm of its message, which is an ack. A return carries no number: the publisher knows
  /// its message by what is unique in it.
  virtual void on_return(const returned_message&) {}
  /// The publish `sequence` was confirmed (`ack`) or refused; with `multiple` everything up to and
  /// including it that was not settled before. The number was given out by `publish`: one that was
  /// not is a violation. The connection keeps no list of what is unconfirmed, so a broker may
  /// repeat itself here; whoever publishes ignores what is settled already.
  virtual void on_confirm(channel_id, std::uint64_t sequence, bool multiple, bool ack) {
    (void)sequence, (void)multiple, (void)ack;
  }
  virtual void on_blocked(std::string_view reason) { (void)reason; }
  virtual void on_unblocked() {}
};

/// Sans-IO AMQP 0-9-1 client connection.
///
/// Use: construct, send `take_output()`, feed `on_bytes`, call `on_tick` no later than
/// `next_deadline()`, until `on_closed`. Everything asked for before `on_open`, after the end, or
/// of a channel that is not open or opening throws `std::logic_error` (`ack`, `reject`, `close` and
/// `close_channel` are ignored then, as they race with the end). A channel may be used from
/// `open_channel` on. Arguments that cannot be encoded (a name above 255 bytes, a table beyond a
/// frame, a body above `max_body`) throw `std::length_error` and leave the connection unharmed.
/// Every name, length and limit that the broker sends is checked; a violation closes the connection
/// with reply code 501, 502, 503, 504, 505 or 506 as the specification has it. What is wrong inside
/// a message is no violation: see `on_delivery_refused`.
///
/// Bytes may come in any portions. A frame that is complete in the input is read in place, and a
/// body that came in one frame is handed over as a view of it.
///
/// Requests and channel.close have no deadline here: heartbeats tell whether the broker lives.
/// channel.flow is answered and otherwise ignored (RabbitMQ never sends it).
///
/// Thread safety: none; one strand owns a connection.
class connection {
 public:
  /// Throws `std::invalid_argument` (unknown mechanism, frame_max below 4096) or
  /// `std::length_error` (the virtual host above 255 bytes, or user name, password and client
  /// properties that do not fit in a frame of 4096 bytes); the text names what is too long.
  connection(connection_options options, event_handler& handler, instant now);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  // Stimuli.
  void on_bytes(std::span<const std::byte> bytes, instant now);
  void on_stream_end(std::string_view error_text, instant now);
  /// Heartbeats and time limits. When the caller itself was stopped for longer than an interval,
  /// half an interval is granted to read what arrived in the meantime.
  void on_tick(instant now);
  /// `instant::max()` when there is nothing to wait for.
  instant next_deadline() const;

  /// True when `take_output` would give something.
  bool has_output() const noexcept;
  /// Bytes that wait in the output buffer, for back-pressure.
  std::size_t output_size() const noexcept;
  /// Swaps the pending output (folded acks included) into `buffer`, whose memory is reused.
  void take_output(std::string& buffer, instant now);

  /// What the broker said of itself in connection.start; empty before that.
  const field_table& server_properties() const noexcept;

  // Connection.
  /// Orderly end; `on_closed` follows when the broker answers or `close_timeout` has passed, and
  /// nothing else is reported until then. During the handshake the next `on_tick` ends it.
  void close(std::uint16_t code, std::string_view text, instant now);

  // Channels.
  /// Throws `std::length_error` when as many channels are open as were negotiated.
  channel_id open_channel();
  /// True from `open_channel` until `close_channel` or the end of the channel.
  bool has_channel(channel_id ch) const noexcept;
  void close_channel(channel_id ch, std::uint16_t code = 200, std::string_view text = "");

  // Requests; each is answered by on_request_ok or by the end of its channel. They may be
  // pipelined.
  void exchange_declare(channel_id, request_id, std::string_view name, std::string_view type,
                        bool passive, bool durable, bool auto_delete, const field_table& arguments);
  void exchange_delete(channel_id, request_id, std::string_view name, bool if_unused);
  void queue_declare(channel_id, request_id, std::string_view name, bool passive, bool durable,
                     bool exclusive, bool auto_delete, const field_table& arguments);
  void queue_bind(channel_id, request_id, std::string_view queue, std::string_view exchange,
                  std::string_view routing_key, const field_table& arguments = {});
  void queue_unbind(channel_id, request_id, std::string_view queue, std::string_view exchange,
                    std::string_view routing_key, const field_table& arguments = {});
  void queue_purge(channel_id, request_id, std::string_view queue);
  void queue_delete(channel_id, request_id, std::string_view queue, bool if_unused, bool if_empty);
  void basic_qos(channel_id, request_id, std::uint16_t prefetch, bool global);
  void basic_consume(channel_id, request_id, std::string_view queue, std::string_view consumer_tag,
                     bool no_ack, bool exclusive, const field_table& arguments = {});
  void basic_cancel(channel_id, request_id, std::string_view consumer_tag);
  void confirm_select(channel_id, request_id);

  // Messages.
  /// Encodes method, header and body frames. Returns the confirm sequence number of the channel
  /// (1, 2, …) as soon as `confirm_select` was asked for, else 0.
  std::uint64_t publish(channel_id, std::string_view exchange, std::string_view routing_key,
                        bool mandatory, const properties& props, std::string_view body);
  /// Notes an acknowledgement; neighbours are folded into one `multiple` frame when the output is
  /// taken. Tags that were never delivered or are settled already are ignored.
  void ack(channel_id, std::uint64_t delivery_tag);
  /// What came from a stream is acknowledged in place of it: a stream takes nothing back, and
  /// RabbitMQ before 3.13 ends the connection over a reject. `basic_consume` with the argument
  /// x-stream-offset reads a stream.
  void reject(channel_id, std::uint64_t delivery_tag, bool requeue);

 private:
  class impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace amqp091
