// One recorded session of a broker with a client that uses everything: for replay tests and as a
// seed for fuzzing.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "support/amqp_script.hpp"

namespace amqp_script {

/// A client that asks for everything as soon as it may, and whose wishes do not depend on what it
/// is told, so that any bytes may be fed to it.
class busy_client : public recorder {
 public:
  connection* machine = nullptr;
  instant now;

  void on_open(const field_table& properties) override {
    recorder::on_open(properties);
    connection& m = *machine;
    const channel_id a = open_channel(), b = open_channel();
    if (b == 0) return;
    m.basic_qos(a, 1, 100, false);
    m.exchange_declare(a, 2, "openstack", "topic", false, false, false, {});
    m.queue_declare(a, 3, "t", false, false, false, false, {{"x-expires", 1800000}});
    m.queue_bind(a, 4, "t", "openstack", "t");
    m.basic_consume(a, 5, "t", "1", false, false);
    m.basic_consume(a, 6, "t", "2", true, false);
    m.confirm_select(b, 7);
    for (int i = 0; i < 6; ++i) m.publish(b, "openstack", "t", true, {}, "body");
  }
  void on_delivery(const delivery& d) override {
    recorder::on_delivery(d);
    if (d.delivery_tag % 3 == 0)
      machine->reject(d.channel, d.delivery_tag, true);
    else
      machine->ack(d.channel, d.delivery_tag);
  }
  void on_channel_closed(channel_id ch, const close_reason& why) override {
    recorder::on_channel_closed(ch, why);
    if (lines.size() > 100) return;
    if (const channel_id again = open_channel()) machine->queue_delete(again, 8, "t", false, false);
  }
  void on_consumer_cancelled(channel_id ch, std::string_view tag) override {
    recorder::on_consumer_cancelled(ch, tag);
    if (tag == "1") machine->close_channel(ch, 200, "consumer is gone");
  }
  void on_confirm(channel_id ch, std::uint64_t sequence, bool multiple, bool ack) override {
    recorder::on_confirm(ch, sequence, multiple, ack);
    if (sequence < 20 && machine->has_channel(ch)) machine->publish(ch, "", "t", false, {}, "next");
  }
  void on_unblocked() override {
    recorder::on_unblocked();
    if (machine->has_channel(2)) machine->basic_cancel(2, 9, "2");
  }

 private:
  /// 0 when the broker allows no more.
  channel_id open_channel() {
    try {
      return machine->open_channel();
    } catch (const std::length_error&) {
      return 0;
    }
  }
};

struct session_result {
  std::vector<std::string> lines;
  std::string output;
};

/// Feeds `input` to a busy client in portions, then ends the stream.
inline session_result play(std::string_view input, std::size_t portion,
                           connection_options options = {.max_body = 1000}) {
  busy_client handler;
  client c{std::move(options), handler};
  handler.machine = &c.machine;
  handler.now = c.now;
  session_result result;
  for (std::size_t at = 0; at < input.size(); at += portion) {
    c.feed(input.substr(at, portion));
    c.machine.on_tick(c.now);
  }
  c.machine.on_stream_end("end of input", c.now);
  result.output = c.sent();
  result.lines = handler.lines;
  return result;
}

inline std::string session() {
  properties p;
  p.content_type = "application/json";
  p.content_encoding = "utf-8";
  p.headers = field_table{{"compression", "application/zstd"},
                          {"x-death", field_array{field_table{{"count", std::int64_t{1}}}}}};
  p.delivery_mode = 2;
  p.priority = 0;
  return start("PLAIN AMQPLAIN",
               {{"capabilities", field_table{{"basic.nack", true}, {"publisher_confirms", true}}},
                {"product", "RabbitMQ"}}) +
         tune(100, 4096, 60) + open_ok() + channel_open_ok(1) + channel_open_ok(2) +
         method_frame(1, method::basic_qos_ok) + method_frame(1, method::exchange_declare_ok) +
         declare_ok(1, "t", 3, 0) + method_frame(1, method::queue_bind_ok) + consume_ok(1, "1") +
         consume_ok(1, "2") + method_frame(2, method::confirm_select_ok) +
         deliver(1, 1, "{\"a\": 1}", p) + deliver(1, 2, std::string(500, 'm'), p, 200) +
         deliver_method(1, 3, "2", true) + content(1, "") +
         confirm(2, method::basic_ack, 2, false) + returned(2, "openstack", "t", "body") +
         confirm(2, method::basic_ack, 3, true) + confirm(2, method::basic_nack, 5, false) +
         method_hex(0, method::connection_blocked, "03\"low\"") +
         frame(frame_type::heartbeat, 0, "") + method_frame(0, method::connection_unblocked) +
         method_hex(2, method::basic_cancel_ok, "01\"2\"") +
         method_hex(2, method::channel_flow, "01") + deliver_method(1, 4) + header_frame(1, 1001) +
         frame(frame_type::body, 1, std::string(300, 'l')) +
         frame(frame_type::body, 1, std::string(400, 'l')) +
         frame(frame_type::body, 1, std::string(301, 'l')) + deliver_method(1, 5) +
         header_with(1, 4, bytes("0001 0000")) + frame(frame_type::body, 1, "flag") +
         deliver(1, 6, "last") + close_frame(2, 406, "PRECONDITION_FAILED", method::basic_ack) +
         channel_open_ok(2) + method_hex(2, method::queue_delete_ok, "00000000") +
         method_hex(1, method::basic_cancel, "01\"1\" 00") + close_ok(1) +
         close_frame(0, 320, "CONNECTION_FORCED");
}

}  // namespace amqp_script
