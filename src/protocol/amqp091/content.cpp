// Messages from the broker: deliver or return, header, body.
#include <algorithm>
#include <string>

#include "protocol/amqp091/connection_impl.hpp"

namespace amqp091 {
namespace {

/// A body buffer that grew beyond this is given back after use.
constexpr std::size_t kept_body = 1u << 20;

}  // namespace

void connection::impl::on_content_method(channel_id id, channel& ch, method m,
                                         std::string_view arguments) {
  incoming_content& c = ch.content;
  c.arguments = arguments;
  reader in{c.arguments};
  if (m == method::basic_deliver) {
    delivery& d = c.delivered;
    d.channel = id;
    d.consumer_tag = in.shortstr();
    d.delivery_tag = in.u64();
    d.redelivered = (in.u8() & 1) != 0;
    d.exchange = in.shortstr();
    d.routing_key = in.shortstr();
    d.props = &c.props;
  } else {
    returned_message& r = c.returned;
    r.channel = id;
    r.code = in.u16();
    r.text = in.shortstr();
    r.exchange = in.shortstr();
    r.routing_key = in.shortstr();
  }
  in.finish();
  c.what = m;
  c.at = incoming_content::stage::header;
}

void connection::impl::on_header(channel_id id, std::string_view payload) {
  if (is_over(id)) return;
  channel& ch = known_channel(id);
  if (ch.now == channel::phase::closing) return;
  incoming_content& c = ch.content;
  if (c.at != incoming_content::stage::header)
    throw violation(reply_code::unexpected_frame, "a content header came where none was due");
  current_method_ = c.what;
  if (payload.size() < 14)
    throw violation(reply_code::frame_error, "a content header is too short");
  reader in{payload};
  const std::uint16_t content_class = in.u16();
  const std::uint16_t weight = in.u16();
  c.left = in.u64();
  if (content_class != class_id::basic || weight != 0)
    throw violation(reply_code::frame_error, "a content header has class " +
                                                 std::to_string(content_class) + " and weight " +
                                                 std::to_string(weight));
  const bool returned = c.what == method::basic_return;
  const auto is_of = [&](const std::vector<std::string>& consumers) {
    return std::ranges::find(consumers, c.delivered.consumer_tag) != consumers.end();
  };
  if (!returned && !is_of(ch.no_ack_consumers))
    ch.acks.delivered(c.delivered.delivery_tag, is_of(ch.stream_consumers));
  c.skip = false;
  c.body.clear();
  c.at = c.left == 0 ? incoming_content::stage::none : incoming_content::stage::body;
  // From here on it is the publisher who is to blame, and only the message may suffer.
  if (c.left > options_.max_body) {
    refuse(id, ch,
           "its body of " + std::to_string(c.left) + " bytes exceeds the limit of " +
               std::to_string(options_.max_body) + " bytes");
    return;
  }
  try {
    if (!returned) {
      read_properties(in, c.props);
      in.finish();
    }
  } catch (const violation& v) {
    refuse(id, ch, "its properties cannot be read: " + v.text());
    return;
  }
  if (c.left == 0) hand_over(c, {});
}

void connection::impl::refuse(channel_id id, channel& ch, std::string_view why) {
  incoming_content& c = ch.content;
  c.skip = true;
  if (c.what == method::basic_return) {
    hand_over(c, {});
    return;
  }
  c.props = {};
  c.delivered.body = {};
  reject(id, c.delivered.delivery_tag, false);
  handler_.on_delivery_refused(c.delivered, why);
}

void connection::impl::on_body(channel_id id, std::string_view payload) {
  if (is_over(id)) return;
  channel& ch = known_channel(id);
  if (ch.now == channel::phase::closing) return;
  incoming_content& c = ch.content;
  if (c.at != incoming_content::stage::body)
    throw violation(reply_code::unexpected_frame, "a content body came where none was due");
  current_method_ = c.what;
  if (payload.size() > c.left)
    throw violation(reply_code::frame_error, "a body is " +
                                                 std::to_string(payload.size() - c.left) +
                                                 " bytes longer than its header says");
  c.left -= payload.size();
  if (c.left == 0) c.at = incoming_content::stage::none;
  if (c.skip) return;
  if (c.left == 0 && c.body.empty()) {
    hand_over(c, payload);
    return;
  }
  c.body.append(payload);
  if (c.left != 0) return;
  hand_over(c, c.body);
  if (c.body.capacity() > kept_body) c.body = {};
}

void connection::impl::hand_over(incoming_content& c, std::string_view body) {
  if (c.what == method::basic_deliver) {
    c.delivered.body = body;
    handler_.on_delivery(c.delivered);
  } else {
    c.returned.body = body;
    handler_.on_return(c.returned);
  }
}

}  // namespace amqp091
