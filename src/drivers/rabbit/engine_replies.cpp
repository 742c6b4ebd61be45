// The engine's reply queue, and what comes back on it.
#include <chrono>
#include <utility>

#include "core/unique_id.hpp"
#include "drivers/rabbit/body.hpp"
#include "drivers/rabbit/engine.hpp"
#include "wire/reply.hpp"

namespace oslo::messaging::rabbit {
namespace {

/// Nothing is lost when acknowledgements of replies come late, and none of them costs a write.
constexpr std::size_t reply_acks_at_once = 64;
constexpr std::chrono::milliseconds reply_ack_delay{10};

}  // namespace

/// The one queue that all replies of the transport come to.
class reply_channel final : public consumer_channel {
 public:
  reply_channel(engine& e, const std::string& unique)
      : consumer_channel({reply_source(e.opts(), unique)}, std::nullopt), engine_(e) {}
  void on_ready() override { engine_.reply_queue_ready(); }
  void on_refused(const failure& why) override { engine_.reply_queue_refused(why); }
  void on_unreachable(const net::link_loss& loss) override {
    engine_.reply_refusal_.reset();  // no longer what is wrong
    engine_.publisher_->reply_queue_unreachable(loss);
  }
  void on_lost() override {
    unacknowledged_.clear();
    engine_.publisher_->set_reply_queue(false);
  }
  void on_malformed() override { engine_.count("rpc_client_malformed_replies_total"); }
  void on_delivery(const amqp091::delivery& d) override {
    if (!engine_.opts().unacknowledged_replies) {
      unacknowledged_.push_back(d.delivery_tag);
      if (unacknowledged_.size() >= reply_acks_at_once)
        acknowledge();
      else if (unacknowledged_.size() == 1)
        engine_.acknowledge_replies_later();
    }
    engine_.on_reply(d);
  }
  void acknowledge() {
    for (const auto tag : unacknowledged_) engine_.consumer_->ack(*this, lifetime(), tag);
    unacknowledged_.clear();
  }

 private:
  std::vector<std::uint64_t> unacknowledged_;
  engine& engine_;  // owns the consumer that owns this
};

void engine::ensure_reply_queue() {
  if (reply_channel_ || naming_ || closed_) return;
  naming_ = true;
  publish_link_->open();
  name_queue([weak = weak_from_this()](const std::string& unique) {
    if (const auto self = weak.lock()) self->reply_queue_named(unique);
  });
}

void engine::reply_queue_named(const std::string& unique) {
  naming_ = false;
  if (closed_) return;
  reply_queue_ = "reply_" + unique;
  reply_channel_ = std::make_shared<reply_channel>(*this, unique);
  consumer_->add(reply_channel_);
  for (auto& go : std::exchange(unnamed_, {})) go();
}

void engine::reply_queue_ready() {
  reply_refusal_.reset();
  publisher_->set_reply_queue(true);
}

/// Without a reply queue no call can succeed: they fail until the broker has changed its mind.
void engine::reply_queue_refused(const failure& why) {
  reply_refusal_ = why;
  publisher_->fail_reply_queue(why);
}

void engine::acknowledge_replies_later() {
  if (std::exchange(reply_acks_due_, true)) return;
  loop_->run_at(loop_->now() + reply_ack_delay, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->reply_acks_due_ = false;
    if (self->reply_channel_) self->reply_channel_->acknowledge();
  });
}

void engine::on_reply(const amqp091::delivery& d) {
  if (health_->is_deaf()) health_->set_deaf(false);
  std::string decompressed;
  const auto body = body_of(d, options_.link.amqp.max_body, decompressed);
  auto read = body ? wire::read_reply(*body) : result<wire::incoming_reply>(body.error());
  if (read.has_error()) {
    env_.log(log_level::error,
             "A reply on " + reply_queue_ + " is dropped: " + read.error().message());
    count("rpc_client_malformed_replies_total");
    return;
  }
  auto& r = *read;
  if (r.is_heartbeat()) {
    sends_.heartbeat(r.msg_id, loop_->now());
    return;
  }
  const auto* found = sends_.find(r.msg_id);
  if (found == nullptr || !(*found)->wants_reply) {
    env_.log(log_level::info, "No call waits for the reply to message ID " + r.msg_id + ".");
    count("rpc_client_late_replies_total");
    return;
  }
  const auto s = *found;
  if (!r.ending && !r.failure) {
    s->early_result = std::move(r.result);
    return;
  }
  if (r.failure) return conclude(*s, failure(std::move(*r.failure)));
  if (r.result == "null" && !s->early_result.empty()) r.result = std::move(s->early_result);
  conclude(*s, messaging::reply{std::move(r.result)});
}

bool engine::has_reply_queue() const noexcept {
  return reply_channel_ && reply_channel_->is_ready();
}

}  // namespace oslo::messaging::rabbit
