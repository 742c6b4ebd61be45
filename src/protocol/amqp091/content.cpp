// Messages from the broker: deliver or return, header, body.
#include <algorithm>
#include <string>

#include "protocol/amqp091/connection_impl.hpp"

namespace amqp091 {
namespace {

/// A body buffer that grew beyond this is given back after use.
constexpr std::size_t kept_body = 1u << 20;

}  // namespace

void connection::impl::on_content_method(channel& ch, method m, std::string_view arguments) {
  incoming_content& c = ch.content;
  c.arguments = arguments;
  reader in{c.arguments};
  if (m == method::basic_deliver) {
    in.shortstr();  // consumer tag
    in.u64();       // delivery tag
    in.u8();        // redelivered
  } else {
    in.u16();       // reply code
    in.shortstr();  // reply text
  }
  in.shortstr();  // exchange
  in.shortstr();  // routing key
  in.finish();
  c.what = m;
  c.at = incoming_content::stage::header;
}

delivery connection::impl::read_delivery(channel_id id, const channel& ch) const {
  reader in{ch.content.arguments};
  delivery d;
  d.channel = id;
  d.consumer_tag = in.shortstr();
  d.delivery_tag = in.u64();
  d.redelivered = (in.u8() & 1) != 0;
  d.exchange = in.shortstr();
  d.routing_key = in.shortstr();
  return d;
}

void connection::impl::on_header(channel_id id, std::string_view payload) {
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
  if (c.what == method::basic_deliver) {
    const delivery d = read_delivery(id, ch);
    if (std::ranges::find(ch.no_ack_consumers, d.consumer_tag) == ch.no_ack_consumers.end())
      ch.acks.delivered(d.delivery_tag);
  }
  c.skip = false;
  c.body.clear();
  c.at = c.left == 0 ? incoming_content::stage::none : incoming_content::stage::body;
  try {
    read_properties(in, c.props);
    in.finish();
  } catch (const limit_violation& v) {
    refuse(id, ch, v.text());
    return;
  }
  if (c.left > options_.max_body) {
    refuse(id, ch,
           "its body of " + std::to_string(c.left) + " bytes exceeds the limit of " +
               std::to_string(options_.max_body) + " bytes");
    return;
  }
  if (c.left == 0) hand_over(id, ch, {});
}

void connection::impl::refuse(channel_id id, channel& ch, std::string_view why) {
  incoming_content& c = ch.content;
  c.skip = true;
  c.props = {};
  if (c.what == method::basic_return) {
    // Ours would have passed the same limits when it was published, so it matches nothing.
    hand_over_return(id, ch, {});
    return;
  }
  delivery d = read_delivery(id, ch);
  d.props = &c.props;
  if (ch.acks.settle(d.delivery_tag))
    answer(id, method::basic_reject, [&](writer& w) {
      w.u64(d.delivery_tag);
      w.u8(0);
    });
  handler_.on_delivery_refused(d, why);
}

void connection::impl::on_body(channel_id id, std::string_view payload) {
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
    hand_over(id, ch, payload);
    return;
  }
  c.body.append(payload);
  if (c.left != 0) return;
  hand_over(id, ch, c.body);
  if (c.body.capacity() > kept_body) c.body = {};
}

void connection::impl::hand_over(channel_id id, channel& ch, std::string_view body) {
  if (ch.content.what == method::basic_deliver)
    hand_over_delivery(id, ch, body);
  else
    hand_over_return(id, ch, body);
}

void connection::impl::hand_over_delivery(channel_id id, channel& ch, std::string_view body) {
  delivery d = read_delivery(id, ch);
  d.props = &ch.content.props;
  d.body = body;
  handler_.on_delivery(d);
}

void connection::impl::hand_over_return(channel_id id, channel& ch, std::string_view body) {
  reader in{ch.content.arguments};
  returned_message r;
  r.channel = id;
  r.code = in.u16();
  r.text = in.shortstr();
  r.exchange = in.shortstr();
  r.routing_key = in.shortstr();
  r.props = &ch.content.props;
  r.body = body;
  std::uint64_t sequence = 0;
  if (ch.confirming && !ch.content.skip) {
    const auto& message_id = ch.content.props.message_id;
    sequence = ch.confirms.match_return(return_fingerprint(
        r.exchange, r.routing_key, message_id ? std::string_view{*message_id} : "", body));
  }
  handler_.on_return(r, sequence);
}

}  // namespace amqp091
