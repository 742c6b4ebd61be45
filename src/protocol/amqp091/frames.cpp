// From frames to methods: which frame may come when, and who handles it.
#include <string>

#include "protocol/amqp091/connection_impl.hpp"

namespace amqp091 {
namespace {

/// Three times the rejects of as many messages as the largest prefetch allows.
constexpr std::size_t most_answers = 4u << 20;

/// What the broker sends on a channel of its own accord.
bool is_unasked(method m) noexcept {
  switch (m) {
    case method::basic_deliver:
    case method::basic_return:
    case method::basic_ack:
    case method::basic_nack:
    case method::basic_cancel: return true;
    default: return false;
  }
}

}  // namespace

void connection::impl::on_frame(std::string_view whole) {
  reader header{whole};
  frame f{};
  f.type = static_cast<frame_type>(header.u8());
  f.channel = header.u16();
  f.payload = whole.substr(frame_header_size, header.u32());
  current_channel_ = f.channel;
  if (static_cast<std::uint8_t>(whole.back()) != frame_end)
    throw violation(reply_code::frame_error, "a frame does not end with the byte 206");
  dispatch(f);
  if (state_ == state::open && answers_ > most_answers)
    throw violation(reply_code::resource_error, "it asks for answers and does not read them");
}

void connection::impl::dispatch(const frame& f) {
  if (f.type != frame_type::heartbeat) peer_spoke();
  if (f.type == frame_type::method) {
    on_method(f);
    return;
  }
  if (f.type == frame_type::heartbeat) {
    if (f.channel != 0 || !f.payload.empty())
      throw violation(reply_code::frame_error, "a heartbeat has a channel or a payload");
    return;
  }
  if (state_ == state::closing) return;
  if (state_ == state::handshake)
    throw violation(reply_code::unexpected_frame, "a content frame came during the handshake");
  if (f.channel == 0)
    throw violation(reply_code::channel_error, "a content frame came on channel 0");
  if (f.type == frame_type::header)
    on_header(f.channel, f.payload);
  else
    on_body(f.channel, f.payload);
}

void connection::impl::on_method(const frame& f) {
  if (f.payload.size() < 4)
    throw violation(reply_code::frame_error, "a method frame has no room for a method");
  reader in{f.payload};
  current_method_ = static_cast<method>(in.u32());
  if ((f.channel == 0) != (class_of(current_method_) == class_id::connection))
    throw violation(reply_code::command_invalid,
                    "a method of class " + std::to_string(class_of(current_method_)) +
                        " came on a channel that it does not belong to");
  if (f.channel == 0)
    on_connection_method(current_method_, in);
  else
    on_channel_method(f.channel, current_method_, in, f.payload.substr(4));
}

close_reason connection::impl::read_close(reader& in) {
  close_reason why{.from = close_reason::origin::broker};
  why.code = in.u16();
  why.text = in.shortstr();
  why.class_id = in.u16();
  why.method_id = in.u16();
  in.finish();
  return why;
}

void connection::impl::on_connection_method(method m, reader& in) {
  switch (m) {
    case method::connection_close: {
      auto why = read_close(in);
      send_empty_method(0, method::connection_close_ok);
      end(std::move(why));
      return;
    }
    case method::connection_close_ok:
      if (state_ != state::closing) break;
      in.finish();
      end(std::move(why_closing_));
      return;
    case method::connection_blocked:
      if (state_ != state::open) break;
      {
        const std::string_view reason = in.shortstr();
        in.finish();
        blocked_ = true;
        handler_.on_blocked(reason);
      }
      return;
    case method::connection_unblocked:
      if (state_ != state::open) break;
      in.finish();
      blocked_ = false;
      handler_.on_unblocked();
      return;
    default: break;
  }
  if (state_ == state::closing) return;
  if (state_ == state::handshake) {
    on_handshake_method(m, in);
    return;
  }
  throw violation(reply_code::command_invalid, "a method came that is not expected");
}

channel& connection::impl::known_channel(channel_id id) {
  if (id >= channels_.size() || channels_[id] == nullptr)
    throw violation(reply_code::channel_error, "a frame came for a channel that is not open");
  return *channels_[id];
}

/// RabbitMQ may send messages, returns and confirms of a channel after its channel.close, and
/// before it has opened the next one of that number. They are nobody's: the broker takes back what
/// it delivered there.
bool connection::impl::is_over(channel_id id) const noexcept {
  if (id == 0 || id >= channels_.size()) return false;
  const auto& ch = channels_[id];
  return ch == nullptr || (ch->now == channel::phase::opening && ch->number_was_used);
}

void connection::impl::on_channel_method(channel_id id, method m, reader& in,
                                         std::string_view arguments) {
  if (state_ == state::closing) return;
  if (state_ == state::handshake)
    throw violation(reply_code::channel_error, "a channel's frame came during the handshake");
  if (is_unasked(m) && is_over(id)) return;
  channel& ch = known_channel(id);
  if (ch.now == channel::phase::closing) {
    on_closing_channel(id, ch, m, in);
    return;
  }
  if (ch.content.at != incoming_content::stage::none)
    throw violation(reply_code::unexpected_frame,
                    "a method came where the content of a message had to go on");
  if (m == method::channel_close) {
    on_channel_close(id, ch, in);
    return;
  }
  if (ch.now == channel::phase::opening) {
    if (m != method::channel_open_ok)
      throw violation(reply_code::command_invalid, "a method came before channel.open-ok");
    in.longstr();
    in.finish();
    ch.now = channel::phase::open;
    handler_.on_channel_open(id);
    return;
  }
  switch (m) {
    case method::basic_deliver:
    case method::basic_return: on_content_method(id, ch, m, arguments); return;
    case method::basic_ack:
    case method::basic_nack: on_confirm(id, ch, m, in); return;
    case method::basic_cancel: on_cancel(id, ch, in); return;
    case method::channel_flow: {
      const std::uint8_t active = in.u8();
      in.finish();
      answer(id, method::channel_flow_ok, [&](writer& w) { w.u8(active & 1); });
      return;
    }
    default: on_answer(id, ch, m, in); return;
  }
}

}  // namespace amqp091
