// Deliveries, and how they are settled.
#include <algorithm>

#include "drivers/rabbit/consumer.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr std::chrono::milliseconds ack_delay{2};
constexpr std::size_t many_outstanding = 16;
/// Of one channel without a prefetch, far below what would cost the connection.
constexpr std::size_t most_without_prefetch = 1'000'000;

}  // namespace

void consumer::ack(consumer_channel& s, std::uint64_t lifetime, std::uint64_t tag) {
  if (s.lifetime_ != lifetime || s.channel_ == 0 || !link_.is_open()) return;
  link_.machine().ack(s.channel_, tag);
  // With many messages in work the broker is in no hurry to know, unless it waits for room to send
  // more: in groups it takes fewer frames, fewer writes here, and fewer wake-ups there.
  const bool few = s.outstanding_ < many_outstanding;
  if (s.outstanding_ != 0) --s.outstanding_;
  ++noted_acks_;
  const bool waits_for_room = s.prefetch_ != 0 && noted_acks_ * 4 >= s.prefetch_.value_or(0);
  if (few || waits_for_room) return flush_acks();
  if (acks_due_ != instant::max()) return;
  acks_due_ = link_.now() + ack_delay;
  owner_.wake_at(acks_due_);
}

void consumer::flush_acks() {
  noted_acks_ = 0;
  acks_due_ = instant::max();
  link_.flush_later();
}

void consumer::reject(consumer_channel& s, std::uint64_t lifetime, std::uint64_t tag,
                      bool requeue) {
  if (s.lifetime_ != lifetime || s.channel_ == 0 || !link_.is_open()) return;
  link_.machine().reject(s.channel_, tag, requeue);
  if (s.outstanding_ != 0) --s.outstanding_;
  link_.flush_later();
}

/// Whatever is wrong with a message hurts that message only.
void consumer::on_delivery(const amqp091::delivery& d) {
  auto* s = at(d.channel);
  if (s == nullptr) return;
  const auto most =
      s->prefetch_ == 0 ? most_without_prefetch : 2 * s->sources_.size() * s->prefetch_.value_or(0);
  if (++s->outstanding_ > most && most != 0) return overfed(*s, most);
  if (const auto at = s->stream_offset(d)) {
    if (s->position_.goes_back(*at)) return consume_again(*s);
    s->position_.received(*at);
    s->watch_.end();
  }
  try {
    s->on_delivery(d);
  } catch (const std::exception& e) {
    link_.machine().reject(d.channel, d.delivery_tag, false);
    if (s->outstanding_ != 0) --s->outstanding_;
    link_.flush_later();
    dropped(s, d, e.what());
  }
}

/// Each consumer of a channel has the prefetch for itself. No broker sends twice as much, unless it
/// heeds no prefetch at all, or there is none: then nothing else would bound what waits here.
void consumer::overfed(consumer_channel& s, std::size_t most) {
  link_.log()(log_level::error, "[consume] " + link_.broker_name() + " sent more than " +
                                    std::to_string(most) + " messages of " +
                                    s.sources_.front().to.name + " ahead; consuming again.");
  consume_again(s);
}

void consumer::on_delivery_refused(const amqp091::delivery& d, std::string_view why) {
  auto* const s = at(d.channel);
  if (s != nullptr && d.consumer_tag == s->stream_tag_) s->watch_.end();
  dropped(s, d, why);
}

void consumer::drop(consumer_channel& s, std::uint64_t lifetime, const amqp091::delivery& d,
                    std::string_view why) {
  reject(s, lifetime, d.delivery_tag, false);
  dropped(&s, d, why);
}

void consumer::dropped(consumer_channel* s, const amqp091::delivery& d, std::string_view why) {
  std::string text = "Failed to process message from " + std::string(d.routing_key) + ": ";
  text += why;
  if (!why.ends_with('.')) text += '.';
  link_.log()(log_level::error, text + " Skipping it.");
  if (s != nullptr) s->on_malformed();
}

void consumer::input_done() {
  if (acks_due_ != instant::max()) flush_acks();
  for (const auto& s : std::vector(channels_)) s->on_input_done();  // handlers add and remove
  owner_.input_done();
}

}  // namespace oslo::messaging::rabbit
