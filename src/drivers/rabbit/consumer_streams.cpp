// Where a consumer is in its stream, and whether that is still the one it was.
#include <algorithm>

#include "drivers/rabbit/consumer.hpp"

namespace oslo::messaging::rabbit {

/// Publishers may write such a header, too, but not into a stream: the broker writes its own.
std::optional<std::uint64_t> consumer_channel::stream_offset(const amqp091::delivery& d) const {
  if (stream_tag_.empty() || d.consumer_tag != stream_tag_ || !d.props->headers)
    return std::nullopt;
  return stream_position::offset_in(&*d.props->headers);
}

void consumer::look_at_streams(instant now) {
  for (const auto& s : channels_) {
    if (s->is_ending()) s->watch_.end();
    if (s->watch_.due() > now) continue;
    s->watch_.asked(now);
    owner_.wake_at(s->watch_.due());
    const auto stream = std::ranges::find_if(s->sources_, &source::is_stream);
    link_.machine().queue_declare(s->channel_, counting_stream, stream->to.name, true, false, false,
                                  false, {});
    link_.flush_later();
  }
}

void consumer::counted(consumer_channel& s, std::uint32_t messages) {
  if (!s.watch_.is_on()) return s.watch_.declared(messages);
  if (!s.watch_.answered(messages)) return;
  link_.log()(log_level::warning, "[consume] Stream " + s.sources_.back().to.name + " at " +
                                      link_.broker_name() +
                                      " grows and gives nothing: it is another one than before.");
  s.position_.doubt(s.watch_.since());
  consume_again(s);
}

}  // namespace oslo::messaging::rabbit
