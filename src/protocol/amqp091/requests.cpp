// What the user asks for: channels, requests, publishes, acknowledgements.
#include <algorithm>
#include <stdexcept>
#include <string>

#include "protocol/amqp091/connection_impl.hpp"

namespace amqp091 {
namespace {

std::uint8_t bits(bool b0, bool b1 = false, bool b2 = false, bool b3 = false) {
  return static_cast<std::uint8_t>(b0 | b1 << 1 | b2 << 2 | b3 << 3);
}

}  // namespace

channel_id connection::impl::open_channel() {
  if (state_ != state::open)
    throw std::logic_error("A channel was asked for on a connection that is not open.");
  channel_id id = 0;
  const bool used_before = !free_ids_.empty();
  if (used_before) {
    id = free_ids_.back();
    free_ids_.pop_back();
  } else {
    if (channels_.empty()) channels_.emplace_back();  // id 0 is the connection's
    if (channels_.size() > channel_max_)
      throw std::length_error("All " + std::to_string(channel_max_) +
                              " channels of the connection are in use.");
    id = static_cast<channel_id>(channels_.size());
    channels_.emplace_back();
  }
  channels_[id] = std::make_unique<channel>();
  channels_[id]->number_was_used = used_before;
  send_method(id, method::channel_open, [](writer& w) { w.shortstr(""); });
  return id;
}

void connection::impl::close_channel(channel_id id, std::uint16_t code, std::string_view text) {
  channel* ch = find_usable(id);
  if (ch == nullptr) return;
  text = text.substr(0, 255);
  flush_acks(id, *ch);
  std::erase(channels_with_acks_, id);
  send_method(id, method::channel_close, [&](writer& w) {
    w.u16(code);
    w.shortstr(text);
    w.u32(0);
  });
  ch->why_closing = {.from = close_reason::origin::local, .code = code, .text = std::string{text}};
  ch->now = channel::phase::closing;
}

channel* connection::impl::find_usable(channel_id id) noexcept {
  return has_channel(id) ? channels_[id].get() : nullptr;
}

channel& connection::impl::usable(channel_id id) {
  channel* ch = find_usable(id);
  if (ch == nullptr) throw std::logic_error("Channel " + std::to_string(id) + " is not open.");
  return *ch;
}

void connection::impl::confirm_select(channel_id id, request_id req) {
  request(id, req, method::confirm_select, method::confirm_select_ok, [](writer& w) { w.u8(0); });
  usable(id).confirming = true;
}

std::uint64_t connection::impl::publish(channel_id id, std::string_view exchange,
                                        std::string_view routing_key, bool mandatory,
                                        const properties& props, std::string_view body) {
  channel& ch = usable(id);
  if (body.size() > options_.max_body)
    throw std::length_error("A message body of " + std::to_string(body.size()) +
                            " bytes exceeds the limit of " + std::to_string(options_.max_body) +
                            " bytes.");
  output_mark mark{out_};
  writer w{out_};
  std::size_t start = w.begin_method(id, method::basic_publish);
  w.u16(0);
  w.shortstr(exchange);
  w.shortstr(routing_key);
  w.u8(bits(mandatory));
  w.end_frame(start, frame_max_);

  start = w.begin_frame(frame_type::header, id);
  w.u16(class_id::basic);
  w.u16(0);
  w.u64(body.size());
  write_properties(w, props);
  w.end_frame(start, frame_max_);

  const std::size_t piece = frame_max_ - frame_overhead;
  for (std::string_view rest = body; !rest.empty();
       rest.remove_prefix(std::min(rest.size(), piece))) {
    start = w.begin_frame(frame_type::body, id);
    w.bytes(rest.substr(0, piece));
    w.end_frame(start, frame_max_);
  }
  mark.keep();
  return ch.confirming ? ++ch.last_published : 0;
}

void connection::impl::reads_stream(channel_id id, std::string_view consumer_tag) {
  usable(id).stream_consumers.emplace_back(consumer_tag);
}

void connection::impl::ack(channel_id id, std::uint64_t tag) {
  channel* ch = find_usable(id);
  if (ch == nullptr || !ch->acks.ack(tag) || ch->acks_listed) return;
  ch->acks_listed = true;
  channels_with_acks_.push_back(id);
}

void connection::impl::reject(channel_id id, std::uint64_t tag, bool requeue) {
  channel* ch = find_usable(id);
  if (ch == nullptr) return;
  if (ch->acks.is_from_stream(tag)) return ack(id, tag);
  if (!ch->acks.settle(tag)) return;
  answer(id, method::basic_reject, [&](writer& w) {
    w.u64(tag);
    w.u8(bits(requeue));
  });
}

void connection::exchange_declare(channel_id ch, request_id req, std::string_view name,
                                  std::string_view type, bool passive, bool durable,
                                  bool auto_delete, const field_table& arguments) {
  impl_->request(ch, req, method::exchange_declare, method::exchange_declare_ok, [&](writer& w) {
    w.u16(0);
    w.shortstr(name);
    w.shortstr(type);
    w.u8(bits(passive, durable, auto_delete));
    w.table(arguments);
  });
}

void connection::exchange_delete(channel_id ch, request_id req, std::string_view name,
                                 bool if_unused) {
  impl_->request(ch, req, method::exchange_delete, method::exchange_delete_ok, [&](writer& w) {
    w.u16(0);
    w.shortstr(name);
    w.u8(bits(if_unused));
  });
}

void connection::queue_declare(channel_id ch, request_id req, std::string_view name, bool passive,
                               bool durable, bool exclusive, bool auto_delete,
                               const field_table& arguments) {
  impl_->request(ch, req, method::queue_declare, method::queue_declare_ok, [&](writer& w) {
    w.u16(0);
    w.shortstr(name);
    w.u8(bits(passive, durable, exclusive, auto_delete));
    w.table(arguments);
  });
}

void connection::queue_bind(channel_id ch, request_id req, std::string_view queue,
                            std::string_view exchange, std::string_view routing_key,
                            const field_table& arguments) {
  impl_->request(ch, req, method::queue_bind, method::queue_bind_ok, [&](writer& w) {
    w.u16(0);
    w.shortstr(queue);
    w.shortstr(exchange);
    w.shortstr(routing_key);
    w.u8(0);
    w.table(arguments);
  });
}

void connection::queue_unbind(channel_id ch, request_id req, std::string_view queue,
                              std::string_view exchange, std::string_view routing_key,
                              const field_table& arguments) {
  impl_->request(ch, req, method::queue_unbind, method::queue_unbind_ok, [&](writer& w) {
    w.u16(0);
    w.shortstr(queue);
    w.shortstr(exchange);
    w.shortstr(routing_key);
    w.table(arguments);
  });
}

void connection::queue_purge(channel_id ch, request_id req, std::string_view queue) {
  impl_->request(ch, req, method::queue_purge, method::queue_purge_ok, [&](writer& w) {
    w.u16(0);
    w.shortstr(queue);
    w.u8(0);
  });
}

void connection::queue_delete(channel_id ch, request_id req, std::string_view queue, bool if_unused,
                              bool if_empty) {
  impl_->request(ch, req, method::queue_delete, method::queue_delete_ok, [&](writer& w) {
    w.u16(0);
    w.shortstr(queue);
    w.u8(bits(if_unused, if_empty));
  });
}

void connection::basic_qos(channel_id ch, request_id req, std::uint16_t prefetch, bool global) {
  impl_->request(ch, req, method::basic_qos, method::basic_qos_ok, [&](writer& w) {
    w.u32(0);
    w.u16(prefetch);
    w.u8(bits(global));
  });
}

void connection::basic_consume(channel_id ch, request_id req, std::string_view queue,
                               std::string_view consumer_tag, bool no_ack, bool exclusive,
                               const field_table& arguments) {
  impl_->request(
      ch, req, method::basic_consume, method::basic_consume_ok,
      [&](writer& w) {
        w.u16(0);
        w.shortstr(queue);
        w.shortstr(consumer_tag);
        w.u8(bits(false, no_ack, exclusive));
        w.table(arguments);
      },
      no_ack, consumer_tag);
  if (arguments.find("x-stream-offset") != nullptr) impl_->reads_stream(ch, consumer_tag);
}

void connection::basic_cancel(channel_id ch, request_id req, std::string_view consumer_tag) {
  impl_->request(
      ch, req, method::basic_cancel, method::basic_cancel_ok,
      [&](writer& w) {
        w.shortstr(consumer_tag);
        w.u8(0);
      },
      false, consumer_tag);
}

void connection::confirm_select(channel_id ch, request_id req) {
  impl_->confirm_select(ch, req);
}

std::uint64_t connection::publish(channel_id ch, std::string_view exchange,
                                  std::string_view routing_key, bool mandatory,
                                  const properties& props, std::string_view body) {
  return impl_->publish(ch, exchange, routing_key, mandatory, props, body);
}

void connection::ack(channel_id ch, std::uint64_t delivery_tag) {
  impl_->ack(ch, delivery_tag);
}

void connection::reject(channel_id ch, std::uint64_t delivery_tag, bool requeue) {
  impl_->reject(ch, delivery_tag, requeue);
}

}  // namespace amqp091
