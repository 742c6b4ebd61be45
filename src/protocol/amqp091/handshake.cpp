// start, tune, open: from the protocol header to an open connection.
#include <algorithm>
#include <stdexcept>

#include "protocol/amqp091/connection_impl.hpp"

namespace amqp091 {
namespace {

std::string sasl_response(const connection_options& o) {
  std::string response;
  if (o.mechanism == "AMQPLAIN") {
    writer{response}.table_entries({{"LOGIN", o.username}, {"PASSWORD", o.password}});
  } else if (o.mechanism == "PLAIN") {
    response.append(1, '\0').append(o.username).append(1, '\0').append(o.password);
  } else if (o.mechanism != "EXTERNAL") {
    throw std::invalid_argument("The login mechanism \"" + o.mechanism +
                                "\" is none of AMQPLAIN, PLAIN and EXTERNAL.");
  }
  return response;
}

/// Frames are small until connection.tune. Users see this text: it names what is too long, and
/// nothing of what it holds.
void check_start_ok(const connection_options& o, std::size_t frame, std::size_t response) {
  if (frame <= frame_min_size) return;
  const std::size_t excess = frame - frame_min_size;
  const std::size_t login = o.username.size() + o.password.size();
  if (response == 0 || excess > login)
    throw std::length_error("The client properties take " + std::to_string(excess) +
                            " bytes too many for the login, which AMQP limits to 4096 bytes.");
  throw std::length_error("The user name and password take " + std::to_string(login) +
                          " bytes together, and the login has room for " +
                          std::to_string(login - excess) + ".");
}

field_table with_capabilities(field_table properties) {
  field_table capabilities;
  if (const field_value* given = properties.find("capabilities"))
    if (const field_table* t = given->as_table()) capabilities = *t;
  for (const char* name :
       {"authentication_failure_close", "connection.blocked", "consumer_cancel_notify",
        "publisher_confirms", "basic.nack", "exchange_exchange_bindings"})
    if (capabilities.find(name) == nullptr) capabilities.append(name, true);
  properties.set("capabilities", std::move(capabilities));
  return properties;
}

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t n = std::min(words.find(' '), words.size());
    if (words.substr(0, n) == word) return true;
    words.remove_prefix(std::min(n + 1, words.size()));
  }
  return false;
}

/// Bytes of the peer for a message: printable ones as they are.
std::string shown(std::string_view bytes, std::size_t limit) {
  std::string text;
  for (const char c : bytes.substr(0, limit)) {
    if (c >= ' ' && c < 127 && c != '"' && c != '\\') {
      text += c;
    } else {
      constexpr char hex[] = "0123456789abcdef";
      const auto u = static_cast<unsigned char>(c);
      text.append("\\x").append(1, hex[u >> 4]).append(1, hex[u & 15]);
    }
  }
  return text;
}

}  // namespace

void connection::impl::encode_start_ok() {
  const std::string response = sasl_response(options_);
  writer start_ok{start_ok_};
  std::size_t start = start_ok.begin_method(0, method::connection_start_ok);
  start_ok.table(with_capabilities(options_.client_properties));
  start_ok.shortstr(options_.mechanism);
  start_ok.longstr(response);
  start_ok.shortstr("en_US");
  check_start_ok(options_, start_ok_.size() + 1, response.size());  // and the byte that ends it
  start_ok.end_frame(start, frame_min_size);

  if (options_.vhost.size() > 255)
    throw std::length_error("The virtual host takes " + std::to_string(options_.vhost.size()) +
                            " bytes, and AMQP allows 255.");
  writer open{open_};
  start = open.begin_method(0, method::connection_open);
  open.shortstr(options_.vhost);
  open.shortstr("");
  open.u8(0);
  open.end_frame(start, frame_min_size);
}

void connection::impl::not_amqp(std::string_view in) const {
  if (in.starts_with("AMQP")) {
    const auto octet = [&](std::size_t i) {
      return std::to_string(static_cast<unsigned char>(in[i]));
    };
    throw violation(reply_code::not_implemented, "it speaks version " + octet(4) + "-" + octet(5) +
                                                     "-" + octet(6) + "-" + octet(7) +
                                                     " of AMQP and not 0-9-1");
  }
  std::string text = "it does not speak AMQP, its first bytes are \"" + shown(in, 16) + "\"";
  if (in.starts_with("\x15\x03") || in.starts_with("\x16\x03"))
    text += ", which looks like TLS";
  else if (in.starts_with("HTTP/"))
    text += ", which looks like HTTP";
  throw violation(reply_code::frame_error, std::move(text));
}

std::string_view connection::impl::step_name() const noexcept {
  switch (step_) {
    case step::start: return "waiting for connection.start";
    case step::tune: return "waiting for connection.tune, after the credentials were sent";
    case step::open_ok:
      return "waiting for connection.open-ok, after the virtual host was asked for";
    case step::done: break;
  }
  return "open";
}

void connection::impl::on_handshake_method(method m, reader& in) {
  if (step_ == step::start && m == method::connection_start) {
    on_start(in);
  } else if (step_ == step::tune && m == method::connection_tune) {
    on_tune(in);
  } else if (step_ == step::tune && m == method::connection_secure) {
    throw violation(reply_code::command_invalid,
                    "it asks a question that the mechanism " + options_.mechanism + " has not");
  } else if (step_ == step::open_ok && m == method::connection_open_ok) {
    in.shortstr();
    in.finish();
    step_ = step::done;
    state_ = state::open;
    handler_.on_open(server_properties_);
  } else {
    throw violation(reply_code::command_invalid, "a method came while " + std::string{step_name()});
  }
}

void connection::impl::on_start(reader& in) {
  const std::uint8_t major = in.u8();
  const std::uint8_t minor = in.u8();
  server_properties_ = in.table();
  const std::string_view mechanisms = in.longstr();
  in.longstr();  // locales; en_US is mandatory
  in.finish();
  if (major != 0 || minor != 9)
    throw violation(reply_code::not_implemented, "it speaks version " + std::to_string(major) +
                                                     "-" + std::to_string(minor) +
                                                     " of AMQP and not 0-9");
  if (!has_word(mechanisms, options_.mechanism)) {
    end({.from = close_reason::origin::protocol,
         .code = reply_code::access_refused,
         .text = "The broker does not offer the login mechanism " + options_.mechanism +
                 ", only \"" + shown(mechanisms, 100) + "\".",
         .class_id = class_id::connection,
         .method_id = method_of(method::connection_start)});
    return;
  }
  out_ += start_ok_;
  start_ok_ = {};
  step_ = step::tune;
}

void connection::impl::on_tune(reader& in) {
  const std::uint16_t channel_max = in.u16();
  const std::uint32_t frame_max = in.u32();
  const std::uint16_t heartbeat = in.u16();
  in.finish();
  if (frame_max != 0 && frame_max < frame_min_size)
    throw violation(reply_code::frame_error, "it asks for frames of " + std::to_string(frame_max) +
                                                 " bytes at most, and 4096 is the minimum");
  const auto smaller_nonzero = [](auto ours, auto theirs) {
    return ours == 0 ? theirs : theirs == 0 ? ours : std::min(ours, theirs);
  };
  channel_max_ = smaller_nonzero(options_.channel_max, channel_max);
  if (channel_max_ == 0) channel_max_ = 65535;
  frame_max_ = frame_max == 0 ? options_.frame_max : std::min(options_.frame_max, frame_max);
  heartbeat_ =
      options_.heartbeat == 0 ? std::uint16_t{0} : smaller_nonzero(options_.heartbeat, heartbeat);
  heartbeat_due_ = heard_ + interval() / 2;
  send_method(0, method::connection_tune_ok, [&](writer& w) {
    w.u16(channel_max_);
    w.u32(frame_max_);
    w.u16(heartbeat_);
  });
  out_ += open_;
  step_ = step::open_ok;
}

}  // namespace amqp091
