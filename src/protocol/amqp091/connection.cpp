#include "protocol/amqp091/connection.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "protocol/amqp091/connection_impl.hpp"

namespace amqp091 {
namespace {

/// An output buffer that grew beyond this is given back after use.
constexpr std::size_t kept_buffer = 4u << 20;

std::uint16_t big_endian_16(std::string_view at) {
  return reader{at.substr(0, 2)}.u16();
}
std::uint32_t big_endian_32(std::string_view at) {
  return reader{at.substr(0, 4)}.u32();
}

}  // namespace

connection::impl::impl(connection_options options, event_handler& handler, instant now)
    : options_(std::move(options)), handler_(handler) {
  if (options_.frame_max < frame_min_size)
    throw std::invalid_argument("frame_max must be at least 4096 bytes, not " +
                                std::to_string(options_.frame_max) + ".");
  encode_start_ok();
  limit_ = now + options_.handshake_timeout;
  heard_ = spoke_ = stimulus_ = now;
  out_ = protocol_header;
}

void connection::impl::on_bytes(std::string_view bytes, instant now) {
  if (state_ == state::closed || bytes.empty()) return;
  heard_ = stimulus_ = now;
  try {
    consume(bytes);
  } catch (const violation& v) {
    return broken(v);
  }
  if (!partial_.empty() && partial_[0] != static_cast<char>(frame_type::heartbeat)) peer_spoke();
}

void connection::impl::consume(std::string_view in) {
  while (!in.empty() && state_ != state::closed) {
    current_method_ = method::none;
    current_channel_ = 0;
    if (partial_.empty()) {
      const std::size_t size = frame_size(in);
      if (size == 0 || in.size() < size) {
        partial_ = in;
        return;
      }
      on_frame(in.substr(0, size));
      in.remove_prefix(size);
      continue;
    }
    // Only as much as the frame needs is copied, so that each byte is copied once at most.
    const std::size_t size = frame_size(partial_);
    const std::size_t wanted = (size != 0 ? size : frame_overhead) - partial_.size();
    const std::size_t n = std::min(wanted, in.size());
    partial_.append(in.substr(0, n));
    in.remove_prefix(n);
    if (frame_size(partial_) == partial_.size()) {
      on_frame(partial_);
      partial_.clear();
    }
  }
}

/// Size of the frame that `in` starts with, checked as far as it can be; 0 when more is needed.
std::size_t connection::impl::frame_size(std::string_view in) const {
  if (step_ == step::start && in[0] != static_cast<char>(frame_type::method)) {
    if (in.size() >= protocol_header.size() ||
        !std::string_view{"AMQP"}.starts_with(in.substr(0, 4)))
      not_amqp(in);
    return 0;
  }
  switch (static_cast<frame_type>(in[0])) {
    case frame_type::method:
    case frame_type::header:
    case frame_type::body:
    case frame_type::heartbeat: break;
    default:
      throw violation(
          reply_code::frame_error,
          "a frame has the unknown type " + std::to_string(static_cast<unsigned char>(in[0])));
  }
  if (in.size() < frame_header_size) return 0;
  const channel_id channel = big_endian_16(in.substr(1));
  const std::size_t size = big_endian_32(in.substr(3));
  if (size > frame_max_ - frame_overhead)
    throw violation(reply_code::frame_error, "a frame with " + std::to_string(size) +
                                                 " bytes of payload exceeds the limit of " +
                                                 std::to_string(frame_max_) + " bytes for a frame");
  if (channel > channel_max_)
    throw violation(reply_code::channel_error,
                    "a frame came for channel " + std::to_string(channel) +
                        ", but the highest is " + std::to_string(channel_max_));
  return size + frame_overhead;
}

void connection::impl::broken(const violation& v) {
  std::string text = v.text();
  if (current_method_ != method::none || current_channel_ != 0) {
    text += " (";
    if (const std::string_view name = method_name(current_method_); !name.empty())
      text.append(name).append(", ");
    text += "channel " + std::to_string(current_channel_) + ")";
  }
  if (state_ == state::open)
    send_method(0, method::connection_close, [&](writer& w) {
      w.u16(v.code());
      w.shortstr(std::string_view{text}.substr(0, 255));
      w.u16(class_of(current_method_));
      w.u16(method_of(current_method_));
    });
  end({.from = close_reason::origin::protocol,
       .code = v.code(),
       .text = "The broker broke the protocol: " + text + ".",
       .class_id = class_of(current_method_),
       .method_id = method_of(current_method_)});
}

void connection::impl::end(close_reason why) {
  state_ = state::closed;
  channels_.clear();
  channels_with_acks_.clear();
  partial_ = {};
  handler_.on_closed(why);
}

void connection::impl::on_stream_end(std::string_view error_text, instant now) {
  stimulus_ = now;
  if (state_ == state::closed) return;
  if (state_ == state::closing) {
    end(std::move(why_closing_));
    return;
  }
  std::string text = "The connection ended";
  if (state_ == state::handshake) text.append(" while ").append(step_name());
  text.append(error_text.empty() ? "." : ": ").append(error_text);
  end({.from = close_reason::origin::transport, .text = std::move(text)});
}

void connection::impl::on_tick(instant now) {
  const auto since = std::exchange(stimulus_, now);
  switch (state_) {
    case state::closed: return;
    case state::handshake:
      if (now >= limit_)
        end({.from = close_reason::origin::timeout,
             .text = "The handshake took longer than " +
                     std::to_string(options_.handshake_timeout.count()) + " ms, " +
                     std::string{step_name()} + "."});
      return;
    case state::closing:
      if (now < limit_) return;
      if (step_ == step::done) {
        why_closing_.from = close_reason::origin::timeout;
        why_closing_.text = "The broker did not answer connection.close within " +
                            std::to_string(options_.close_timeout.count()) + " ms.";
      }
      end(std::move(why_closing_));
      return;
    case state::open: return watch_peer(now, since);
  }
}

instant connection::impl::next_deadline() const {
  switch (state_) {
    case state::handshake:
    case state::closing: return limit_;
    case state::open: return next_watch();
    case state::closed: break;
  }
  return instant::max();
}

void connection::impl::take_output(std::string& buffer, instant now) {
  stimulus_ = now;
  flush_all_acks();
  buffer.clear();
  if (buffer.capacity() > kept_buffer) buffer = {};
  buffer.swap(out_);
  answers_ = 0;
  if (!buffer.empty()) note_sent(now);
}

void connection::impl::flush_acks(channel_id id, channel& ch) {
  writer w{out_};
  ch.acks.flush([&](std::uint64_t tag, bool multiple) {
    const std::size_t start = w.begin_method(id, method::basic_ack);
    w.u64(tag);
    w.u8(multiple ? 1 : 0);
    w.end_frame(start, frame_max_);
  });
}

void connection::impl::flush_all_acks() {
  for (const channel_id id : channels_with_acks_)
    if (channel* ch = find_usable(id); ch != nullptr && ch->acks_listed) {
      flush_acks(id, *ch);
      ch->acks_listed = false;
    }
  channels_with_acks_.clear();
}

void connection::impl::close(std::uint16_t code, std::string_view text, instant now) {
  if (state_ != state::handshake && state_ != state::open) return;
  text = text.substr(0, 255);
  why_closing_ = {.from = close_reason::origin::local, .code = code, .text = std::string{text}};
  if (state_ == state::handshake) {
    limit_ = now;
  } else {
    flush_all_acks();
    send_method(0, method::connection_close, [&](writer& w) {
      w.u16(code);
      w.shortstr(text);
      w.u32(0);
    });
    limit_ = now + options_.close_timeout;
  }
  state_ = state::closing;
}

bool connection::impl::has_channel(channel_id id) const noexcept {
  return state_ == state::open && id < channels_.size() && channels_[id] != nullptr &&
         channels_[id]->now != channel::phase::closing;
}

connection::connection(connection_options options, event_handler& handler, instant now)
    : impl_(std::make_unique<impl>(std::move(options), handler, now)) {}
connection::~connection() = default;

void connection::on_bytes(std::span<const std::byte> bytes, instant now) {
  impl_->on_bytes({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, now);
}
void connection::on_stream_end(std::string_view error_text, instant now) {
  impl_->on_stream_end(error_text, now);
}
void connection::on_tick(instant now) {
  impl_->on_tick(now);
}
instant connection::next_deadline() const {
  return impl_->next_deadline();
}
void connection::output_moves(instant now) {
  impl_->output_moves(now);
}
const field_table& connection::server_properties() const noexcept {
  return impl_->server_properties();
}
bool connection::has_output() const noexcept {
  return impl_->has_output();
}
std::size_t connection::output_size() const noexcept {
  return impl_->output_size();
}
void connection::take_output(std::string& buffer, instant now) {
  impl_->take_output(buffer, now);
}
void connection::close(std::uint16_t code, std::string_view text, instant now) {
  impl_->close(code, text, now);
}
channel_id connection::open_channel() {
  return impl_->open_channel();
}
bool connection::has_channel(channel_id ch) const noexcept {
  return impl_->has_channel(ch);
}
void connection::close_channel(channel_id ch, std::uint16_t code, std::string_view text) {
  impl_->close_channel(ch, code, text);
}

}  // namespace amqp091
