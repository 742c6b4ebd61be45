// What the broker says on a channel, except for messages.
#include <algorithm>
#include <string>

#include "protocol/amqp091/connection_impl.hpp"

namespace amqp091 {

void connection::impl::drop_channel(channel_id id) {
  channels_[id].reset();
  std::erase(channels_with_acks_, id);
  free_ids_.push_back(id);
}

void connection::impl::forget_consumer(channel& ch, std::string_view tag) {
  std::erase(ch.no_ack_consumers, tag);
  std::erase(ch.stream_consumers, tag);
}

void connection::impl::on_channel_close(channel_id id, channel& ch, reader& in) {
  auto why = read_close(in);
  answer(id, method::channel_close_ok, [](writer&) {});
  if (ch.now == channel::phase::closing) {
    // Both sides closed at once. The id is free only when our own close is answered.
    ch.why_closing = std::move(why);
    return;
  }
  drop_channel(id);
  handler_.on_channel_closed(id, why);
}

void connection::impl::on_closing_channel(channel_id id, channel& ch, method m, reader& in) {
  if (m == method::channel_close) {
    on_channel_close(id, ch, in);
  } else if (m == method::channel_close_ok) {
    in.finish();
    const close_reason why = std::move(ch.why_closing);
    drop_channel(id);
    handler_.on_channel_closed(id, why);
  }
}

void connection::impl::on_answer(channel_id id, channel& ch, method m, reader& in) {
  const auto unexpected = [](const pending_request* due) {
    const std::string_view expected = due == nullptr ? "no answer" : method_name(due->answer);
    return violation(reply_code::command_invalid,
                     "a method came where " + std::string{expected} + " was due");
  };
  // Before its arguments are read: it may be a method of which we do not know them.
  if (std::ranges::find(ch.pending, m, &pending_request::answer) == ch.pending.end())
    throw unexpected(ch.pending.empty() ? nullptr : &ch.pending.front());

  std::string_view name;
  std::uint32_t messages = 0, consumers = 0;
  switch (m) {
    case method::queue_declare_ok:
      name = in.shortstr();
      messages = in.u32();
      consumers = in.u32();
      break;
    case method::queue_purge_ok:
    case method::queue_delete_ok: messages = in.u32(); break;
    case method::basic_consume_ok:
    case method::basic_cancel_ok: name = in.shortstr(); break;
    default: break;
  }
  in.finish();
  const auto due =
      std::find_if(ch.pending.begin(), ch.pending.end(), [&](const pending_request& p) {
        if (m != method::basic_consume_ok && m != method::basic_cancel_ok)
          return !p.is_for_consumer();
        return p.answer == m && (p.consumer_tag.empty() || p.consumer_tag == name);
      });
  if (due == ch.pending.end()) throw unexpected(&ch.pending.front());
  if (due->answer != m) throw unexpected(&*due);
  const pending_request answered = std::move(*due);
  ch.pending.erase(due);
  if (m == method::basic_consume_ok && answered.no_ack)
    ch.no_ack_consumers.emplace_back(name);
  else if (m == method::basic_cancel_ok)
    forget_consumer(ch, name);
  handler_.on_request_ok(id, answered.id, name, messages, consumers);
}

void connection::impl::on_confirm(channel_id id, channel& ch, method m, reader& in) {
  const std::uint64_t tag = in.u64();
  const std::uint8_t bits = in.u8();
  in.finish();
  const bool multiple = (bits & 1) != 0;
  const bool ack = m == method::basic_ack;
  if (!ch.confirming)
    throw violation(reply_code::command_invalid,
                    "a confirm came on a channel that is not in confirm mode");
  if (tag > ch.last_published || (tag == 0 && !multiple))
    throw violation(reply_code::command_invalid, "publish number " + std::to_string(tag) +
                                                     " is confirmed, and the last was " +
                                                     std::to_string(ch.last_published));
  // 0 with `multiple` stands for everything so far, which may be nothing.
  const std::uint64_t sequence = tag == 0 ? ch.last_published : tag;
  if (sequence != 0) handler_.on_confirm(id, sequence, multiple, ack);
}

void connection::impl::on_cancel(channel_id id, channel& ch, reader& in) {
  const std::string_view tag = in.shortstr();
  const std::uint8_t bits = in.u8();
  in.finish();
  forget_consumer(ch, tag);
  if ((bits & 1) == 0) answer(id, method::basic_cancel_ok, [&](writer& w) { w.shortstr(tag); });
  handler_.on_consumer_cancelled(id, tag);
}

}  // namespace amqp091
