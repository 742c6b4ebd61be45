// A scripted AMQP 0-9-1 broker for tests without a socket: builds the frames of a server, records
// the events of a client connection as lines of text, and reads bytes from a readable notation.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/amqp091/codec.hpp"
#include "protocol/amqp091/connection.hpp"

namespace amqp_script {

using namespace amqp091;
using namespace std::chrono_literals;

/// Bytes from hex digits, "text" and 'c'; blanks separate. `bytes("0000 01\"t\" 'I' 00000005")`.
inline std::string bytes(std::string_view notation) {
  std::string out;
  int half = -1;
  for (std::size_t i = 0; i < notation.size(); ++i) {
    const char c = notation[i];
    if (c == ' ') continue;
    if (c == '"' || c == '\'') {
      const std::size_t end = notation.find(c, i + 1);
      if (end == notation.npos) throw std::invalid_argument("open quote");
      out += notation.substr(i + 1, end - i - 1);
      i = end;
      continue;
    }
    const auto digit = std::string_view{"0123456789abcdef"}.find(c);
    if (digit == std::string_view::npos) throw std::invalid_argument("not a hex digit");
    if (half < 0) {
      half = static_cast<int>(digit);
    } else {
      out += static_cast<char>(half * 16 + static_cast<int>(digit));
      half = -1;
    }
  }
  if (half >= 0) throw std::invalid_argument("odd number of digits");
  return out;
}

inline std::string frame(frame_type type, channel_id ch, std::string_view payload) {
  std::string out;
  writer w{out};
  const std::size_t start = w.begin_frame(type, ch);
  w.bytes(payload);
  w.end_frame(start, 0xFFFFFFFF);
  return out;
}

/// `fill(writer&)` writes the arguments.
template <class Fill>
std::string method_frame(channel_id ch, method m, Fill fill) {
  std::string out;
  writer w{out};
  const std::size_t start = w.begin_method(ch, m);
  fill(w);
  w.end_frame(start, 0xFFFFFFFF);
  return out;
}
inline std::string method_frame(channel_id ch, method m) {
  return method_frame(ch, m, [](writer&) {});
}
/// Arguments in the notation of `bytes`.
inline std::string method_hex(channel_id ch, method m, std::string_view notation) {
  return method_frame(ch, m, [&](writer& w) { w.bytes(bytes(notation)); });
}

// What a server sends.
inline std::string start(std::string_view mechanisms = "PLAIN AMQPLAIN",
                         const field_table& properties = {{"product", "RabbitMQ"}}) {
  return method_frame(0, method::connection_start, [&](writer& w) {
    w.u8(0);
    w.u8(9);
    w.table(properties);
    w.longstr(mechanisms);
    w.longstr("en_US");
  });
}
inline std::string tune(std::uint16_t channel_max = 2047, std::uint32_t frame_max = 131072,
                        std::uint16_t heartbeat = 60) {
  return method_frame(0, method::connection_tune, [&](writer& w) {
    w.u16(channel_max);
    w.u32(frame_max);
    w.u16(heartbeat);
  });
}
inline std::string open_ok() {
  return method_hex(0, method::connection_open_ok, "00");
}
inline std::string close_frame(channel_id ch, std::uint16_t code, std::string_view text,
                               method cause = method::none) {
  return method_frame(ch, ch == 0 ? method::connection_close : method::channel_close,
                      [&](writer& w) {
                        w.u16(code);
                        w.shortstr(text);
                        w.u16(class_of(cause));
                        w.u16(method_of(cause));
                      });
}
inline std::string close_ok(channel_id ch) {
  return method_frame(ch, ch == 0 ? method::connection_close_ok : method::channel_close_ok);
}
inline std::string channel_open_ok(channel_id ch) {
  return method_hex(ch, method::channel_open_ok, "00000000");
}
inline std::string flow_ok(channel_id ch) {
  return method_hex(ch, method::channel_flow_ok, "01");
}
inline std::string declare_ok(channel_id ch, std::string_view name, std::uint32_t messages = 0,
                              std::uint32_t consumers = 0) {
  return method_frame(ch, method::queue_declare_ok, [&](writer& w) {
    w.shortstr(name);
    w.u32(messages);
    w.u32(consumers);
  });
}
inline std::string consume_ok(channel_id ch, std::string_view tag) {
  return method_frame(ch, method::basic_consume_ok, [&](writer& w) { w.shortstr(tag); });
}
inline std::string confirm(channel_id ch, method ack_or_nack, std::uint64_t tag, bool multiple) {
  return method_frame(ch, ack_or_nack, [&](writer& w) {
    w.u64(tag);
    w.u8(multiple ? 1 : 0);
  });
}
/// `list`: the flags and what follows, well-formed or not.
inline std::string header_with(channel_id ch, std::uint64_t size, std::string_view list) {
  std::string payload;
  writer w{payload};
  w.u16(class_id::basic);
  w.u16(0);
  w.u64(size);
  w.bytes(list);
  return frame(frame_type::header, ch, payload);
}
inline std::string header_frame(channel_id ch, std::uint64_t size, const properties& p = {}) {
  std::string list;
  writer w{list};
  write_properties(w, p);
  return header_with(ch, size, list);
}
/// Header and body frames.
inline std::string content(channel_id ch, std::string_view body, const properties& p = {},
                           std::size_t piece = 131064) {
  std::string out = header_frame(ch, body.size(), p);
  for (std::size_t at = 0; at < body.size(); at += piece)
    out += frame(frame_type::body, ch, body.substr(at, piece));
  return out;
}
inline std::string deliver_method(channel_id ch, std::uint64_t delivery_tag,
                                  std::string_view consumer_tag = "1", bool redelivered = false,
                                  std::string_view exchange = "openstack",
                                  std::string_view routing_key = "t") {
  return method_frame(ch, method::basic_deliver, [&](writer& w) {
    w.shortstr(consumer_tag);
    w.u64(delivery_tag);
    w.u8(redelivered ? 1 : 0);
    w.shortstr(exchange);
    w.shortstr(routing_key);
  });
}
inline std::string deliver(channel_id ch, std::uint64_t delivery_tag, std::string_view body,
                           const properties& p = {}, std::size_t piece = 131064) {
  return deliver_method(ch, delivery_tag) + content(ch, body, p, piece);
}
inline std::string return_method(channel_id ch, std::string_view exchange,
                                 std::string_view routing_key) {
  return method_frame(ch, method::basic_return, [&](writer& w) {
    w.u16(312);
    w.shortstr("NO_ROUTE");
    w.shortstr(exchange);
    w.shortstr(routing_key);
  });
}
inline std::string returned(channel_id ch, std::string_view exchange, std::string_view routing_key,
                            std::string_view body) {
  return return_method(ch, exchange, routing_key) + content(ch, body);
}

inline std::string_view origin_name(close_reason::origin o) {
  switch (o) {
    case close_reason::origin::local: return "local";
    case close_reason::origin::broker: return "broker";
    case close_reason::origin::transport: return "transport";
    case close_reason::origin::heartbeat: return "heartbeat";
    case close_reason::origin::deaf: return "deaf";
    case close_reason::origin::timeout: return "timeout";
    case close_reason::origin::protocol: return "protocol";
  }
  return "?";
}

/// Each event as one line.
class recorder : public event_handler {
 public:
  std::vector<std::string> lines;

  void on_open(const field_table&) override { add("open"); }
  void on_closed(const close_reason& why) override { add("closed", reason(why)); }
  void on_channel_open(channel_id ch) override { add("channel-open", ch); }
  void on_channel_closed(channel_id ch, const close_reason& why) override {
    add("channel-closed", ch, reason(why));
  }
  void on_request_ok(channel_id ch, request_id id, std::string_view name, std::uint32_t messages,
                     std::uint32_t consumers) override {
    std::string rest;
    if (!name.empty()) rest.append(" ").append(name);
    if (messages + consumers != 0)
      rest += " " + std::to_string(messages) + " " + std::to_string(consumers);
    add("ok", ch, "#" + std::to_string(id) + rest);
  }
  void on_delivery(const delivery& d) override {
    add("delivery", d.channel, describe(d), shorten(d.body));
  }
  void on_delivery_refused(const delivery& d, std::string_view why) override {
    add("refused", d.channel, describe(d), why);
  }
  void on_consumer_cancelled(channel_id ch, std::string_view tag) override {
    add("cancelled", ch, tag);
  }
  void on_return(const returned_message& r) override {
    add("return", r.channel, r.code, r.text, quoted(r.exchange), quoted(r.routing_key),
        shorten(r.body));
  }
  void on_confirm(channel_id ch, std::uint64_t sequence, bool multiple, bool ack) override {
    add(ack ? "ack" : "nack", ch, (multiple ? "up to " : "") + std::to_string(sequence));
  }
  void on_blocked(std::string_view why) override { add("blocked", why); }
  void on_unblocked() override { add("unblocked"); }

  static std::string reason(const close_reason& why) {
    std::string text{origin_name(why.from)};
    text += " " + std::to_string(why.code) + " " + why.text;
    return text;
  }

 private:
  static std::string quoted(std::string_view v) { return "'" + std::string{v} + "'"; }
  static std::string shorten(std::string_view body) {
    if (body.size() <= 40) return quoted(body);
    return quoted(body.substr(0, 10)) + "+" + std::to_string(body.size() - 10);
  }
  static std::string describe(const delivery& d) {
    return std::to_string(d.delivery_tag) + (d.redelivered ? " again " : " ") +
           std::string{d.consumer_tag} + " " + quoted(d.exchange) + " " + quoted(d.routing_key);
  }
  static std::string text(std::string_view v) { return std::string{v}; }
  static std::string text(std::uint64_t v) { return std::to_string(v); }
  template <class... Parts>
  void add(const Parts&... parts) {
    std::string line;
    ((line += (line.empty() ? "" : " ") + text(parts)), ...);
    lines.push_back(std::move(line));
  }
};

/// A connection with its recorder and a clock that stands still until it is moved.
class client {
 public:
  explicit client(connection_options options = {}) : client(std::move(options), own_) {}
  client(connection_options options, event_handler& handler)
      : machine(std::move(options), handler, now) {}

  recorder own_;
  instant now{std::chrono::hours(1)};
  connection machine;

  void feed(std::string_view data) {
    machine.on_bytes({reinterpret_cast<const std::byte*>(data.data()), data.size()}, now);
  }
  void feed_bytewise(std::string_view data) {
    for (const char& c : data) feed({&c, 1});
  }
  /// What the client wants to send.
  std::string sent() {
    std::string out;
    machine.take_output(out, now);
    return out;
  }
  /// The events since the last call.
  std::vector<std::string> events() { return std::exchange(own_.lines, {}); }

  /// Goes through the handshake; drops its output and its events.
  client& open(std::uint16_t channel_max = 2047, std::uint32_t frame_max = 131072,
               std::uint16_t heartbeat = 60) {
    feed(start() + tune(channel_max, frame_max, heartbeat) + open_ok());
    sent();
    events();
    return *this;
  }
  /// Opens a channel; drops output and events.
  channel_id channel(bool confirms = false) {
    const channel_id ch = machine.open_channel();
    std::string answers = channel_open_ok(ch);
    if (confirms) {
      machine.confirm_select(ch, 0);
      answers += method_frame(ch, method::confirm_select_ok);
    }
    feed(answers);
    sent();
    events();
    return ch;
  }
};

}  // namespace amqp_script
