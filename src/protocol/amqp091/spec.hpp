// Numbers of AMQP 0-9-1 with RabbitMQ's extensions: frame types, reply codes, class and method ids.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace amqp091 {

enum class frame_type : std::uint8_t { method = 1, header = 2, body = 3, heartbeat = 8 };
inline constexpr std::uint8_t frame_end = 0xCE;
/// Type, channel and size in front of the payload.
inline constexpr std::size_t frame_header_size = 7;
/// What a frame adds to its payload: header and end byte. frame-max counts them.
inline constexpr std::size_t frame_overhead = frame_header_size + 1;
inline constexpr std::uint32_t frame_min_size = 4096;
inline constexpr std::string_view protocol_header{"AMQP\x00\x00\x09\x01", 8};

namespace reply_code {
inline constexpr std::uint16_t success = 200, content_too_large = 311, no_route = 312,
                               no_consumers = 313, connection_forced = 320, invalid_path = 402,
                               access_refused = 403, not_found = 404, resource_locked = 405,
                               precondition_failed = 406, frame_error = 501, syntax_error = 502,
                               command_invalid = 503, channel_error = 504, unexpected_frame = 505,
                               resource_error = 506, not_allowed = 530, not_implemented = 540,
                               internal_error = 541;
}  // namespace reply_code

namespace class_id {
inline constexpr std::uint16_t connection = 10, channel = 20, exchange = 40, queue = 50, basic = 60,
                               confirm = 85, tx = 90;
}  // namespace class_id

/// Class id in the upper half, method id in the lower: the first four bytes of a method frame.
enum class method : std::uint32_t {
  none = 0,
  connection_start = 10u << 16 | 10,
  connection_start_ok = 10u << 16 | 11,
  connection_secure = 10u << 16 | 20,
  connection_secure_ok = 10u << 16 | 21,
  connection_tune = 10u << 16 | 30,
  connection_tune_ok = 10u << 16 | 31,
  connection_open = 10u << 16 | 40,
  connection_open_ok = 10u << 16 | 41,
  connection_close = 10u << 16 | 50,
  connection_close_ok = 10u << 16 | 51,
  connection_blocked = 10u << 16 | 60,
  connection_unblocked = 10u << 16 | 61,
  channel_open = 20u << 16 | 10,
  channel_open_ok = 20u << 16 | 11,
  channel_flow = 20u << 16 | 20,
  channel_flow_ok = 20u << 16 | 21,
  channel_close = 20u << 16 | 40,
  channel_close_ok = 20u << 16 | 41,
  exchange_declare = 40u << 16 | 10,
  exchange_declare_ok = 40u << 16 | 11,
  exchange_delete = 40u << 16 | 20,
  exchange_delete_ok = 40u << 16 | 21,
  queue_declare = 50u << 16 | 10,
  queue_declare_ok = 50u << 16 | 11,
  queue_bind = 50u << 16 | 20,
  queue_bind_ok = 50u << 16 | 21,
  queue_purge = 50u << 16 | 30,
  queue_purge_ok = 50u << 16 | 31,
  queue_delete = 50u << 16 | 40,
  queue_delete_ok = 50u << 16 | 41,
  queue_unbind = 50u << 16 | 50,
  queue_unbind_ok = 50u << 16 | 51,
  basic_qos = 60u << 16 | 10,
  basic_qos_ok = 60u << 16 | 11,
  basic_consume = 60u << 16 | 20,
  basic_consume_ok = 60u << 16 | 21,
  basic_cancel = 60u << 16 | 30,
  basic_cancel_ok = 60u << 16 | 31,
  basic_publish = 60u << 16 | 40,
  basic_return = 60u << 16 | 50,
  basic_deliver = 60u << 16 | 60,
  basic_get = 60u << 16 | 70,
  basic_get_ok = 60u << 16 | 71,
  basic_get_empty = 60u << 16 | 72,
  basic_ack = 60u << 16 | 80,
  basic_reject = 60u << 16 | 90,
  basic_recover_async = 60u << 16 | 100,
  basic_recover = 60u << 16 | 110,
  basic_recover_ok = 60u << 16 | 111,
  basic_nack = 60u << 16 | 120,
  confirm_select = 85u << 16 | 10,
  confirm_select_ok = 85u << 16 | 11,
  tx_select = 90u << 16 | 10,
  tx_select_ok = 90u << 16 | 11,
  tx_commit = 90u << 16 | 20,
  tx_commit_ok = 90u << 16 | 21,
  tx_rollback = 90u << 16 | 30,
  tx_rollback_ok = 90u << 16 | 31,
};

constexpr std::uint16_t class_of(method m) noexcept {
  return static_cast<std::uint16_t>(static_cast<std::uint32_t>(m) >> 16);
}
constexpr std::uint16_t method_of(method m) noexcept {
  return static_cast<std::uint16_t>(static_cast<std::uint32_t>(m) & 0xFFFF);
}

struct method_entry {
  method id;
  std::string_view name;  ///< "basic.deliver"
};
/// Every method, in the order of the ids.
inline constexpr auto method_table = std::to_array<method_entry>({
    {method::connection_start, "connection.start"},
    {method::connection_start_ok, "connection.start-ok"},
    {method::connection_secure, "connection.secure"},
    {method::connection_secure_ok, "connection.secure-ok"},
    {method::connection_tune, "connection.tune"},
    {method::connection_tune_ok, "connection.tune-ok"},
    {method::connection_open, "connection.open"},
    {method::connection_open_ok, "connection.open-ok"},
    {method::connection_close, "connection.close"},
    {method::connection_close_ok, "connection.close-ok"},
    {method::connection_blocked, "connection.blocked"},
    {method::connection_unblocked, "connection.unblocked"},
    {method::channel_open, "channel.open"},
    {method::channel_open_ok, "channel.open-ok"},
    {method::channel_flow, "channel.flow"},
    {method::channel_flow_ok, "channel.flow-ok"},
    {method::channel_close, "channel.close"},
    {method::channel_close_ok, "channel.close-ok"},
    {method::exchange_declare, "exchange.declare"},
    {method::exchange_declare_ok, "exchange.declare-ok"},
    {method::exchange_delete, "exchange.delete"},
    {method::exchange_delete_ok, "exchange.delete-ok"},
    {method::queue_declare, "queue.declare"},
    {method::queue_declare_ok, "queue.declare-ok"},
    {method::queue_bind, "queue.bind"},
    {method::queue_bind_ok, "queue.bind-ok"},
    {method::queue_purge, "queue.purge"},
    {method::queue_purge_ok, "queue.purge-ok"},
    {method::queue_delete, "queue.delete"},
    {method::queue_delete_ok, "queue.delete-ok"},
    {method::queue_unbind, "queue.unbind"},
    {method::queue_unbind_ok, "queue.unbind-ok"},
    {method::basic_qos, "basic.qos"},
    {method::basic_qos_ok, "basic.qos-ok"},
    {method::basic_consume, "basic.consume"},
    {method::basic_consume_ok, "basic.consume-ok"},
    {method::basic_cancel, "basic.cancel"},
    {method::basic_cancel_ok, "basic.cancel-ok"},
    {method::basic_publish, "basic.publish"},
    {method::basic_return, "basic.return"},
    {method::basic_deliver, "basic.deliver"},
    {method::basic_get, "basic.get"},
    {method::basic_get_ok, "basic.get-ok"},
    {method::basic_get_empty, "basic.get-empty"},
    {method::basic_ack, "basic.ack"},
    {method::basic_reject, "basic.reject"},
    {method::basic_recover_async, "basic.recover-async"},
    {method::basic_recover, "basic.recover"},
    {method::basic_recover_ok, "basic.recover-ok"},
    {method::basic_nack, "basic.nack"},
    {method::confirm_select, "confirm.select"},
    {method::confirm_select_ok, "confirm.select-ok"},
    {method::tx_select, "tx.select"},
    {method::tx_select_ok, "tx.select-ok"},
    {method::tx_commit, "tx.commit"},
    {method::tx_commit_ok, "tx.commit-ok"},
    {method::tx_rollback, "tx.rollback"},
    {method::tx_rollback_ok, "tx.rollback-ok"},
});

/// Empty for an id that no specification has. Slow: for messages of errors.
constexpr std::string_view method_name(method m) noexcept {
  for (const method_entry& e : method_table)
    if (e.id == m) return e.name;
  return {};
}

}  // namespace amqp091
