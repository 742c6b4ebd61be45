#include "drivers/rabbit/consumer.hpp"

#include <algorithm>

#include "drivers/rabbit/mismatch.hpp"
#include "net/amqp_failure.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr amqp091::request_id uninteresting = 0;
constexpr amqp091::request_id consuming = 1;
constexpr std::chrono::milliseconds refused_pause{10'000};
/// A set-up that lasted shorter does not count as good, so that pauses grow.
constexpr std::chrono::seconds good_after{2};

}  // namespace

consumer::consumer(boost::asio::any_io_executor ex, net::link_settings settings, logger log,
                   unique_function<void()> before_input, unique_function<void()> after_input)
    : amqp_link(ex, std::move(settings), std::move(log)),
      executor_(std::move(ex)),
      before_input_(std::move(before_input)),
      after_input_(std::move(after_input)) {}

void consumer::add(subscription_ptr s) {
  if (is_shut()) return s->on_refused({errc::closed, "The transport was closed."});
  subscriptions_.push_back(s);
  if (is_open()) {
    establish(*s);
    flush_later();
  } else if (last_failure() && net::is_verdict(last_failure()->code())) {
    s->on_refused(*last_failure());
  } else {
    open();
  }
}

void consumer::stop_deliveries(const subscription_ptr& s) {
  if (s->channel_ == 0 || !is_open()) return;
  for (const auto& tag : std::exchange(s->tags_, {}))
    machine().basic_cancel(s->channel_, uninteresting, tag);
  flush_later();
}

void consumer::remove(const subscription_ptr& s) {
  if (std::erase(subscriptions_, s) == 0) return;
  if (s->channel_ != 0 && is_open()) {
    const auto ch = s->channel_;
    for (const auto& src : s->sources_)
      if (src.private_to_us) machine().queue_delete(ch, uninteresting, src.to.name, false, false);
    machine().close_channel(ch);
    leaving_.emplace_back(ch, s);
    flush_later();
    lost(*s);
    s->on_removed();
    return;
  }
  lost(*s);
  s->on_removed();
  s->on_gone();
}

void consumer::everything_is_gone() {
  for (const auto& [ch, s] : std::exchange(leaving_, {})) s->on_gone();
}

void consumer::remove_all() {
  for (const auto& s : std::vector(subscriptions_)) remove(s);
  everything_is_gone();  // with the connection, which ends now
}

void consumer::ack(const subscription& s, std::uint64_t lifetime, std::uint64_t tag) {
  if (s.lifetime_ != lifetime || s.channel_ == 0 || !is_open()) return;
  machine().ack(s.channel_, tag);
  flush_later();
}

void consumer::reject(const subscription& s, std::uint64_t lifetime, std::uint64_t tag,
                      bool requeue) {
  if (s.lifetime_ != lifetime || s.channel_ == 0 || !is_open()) return;
  machine().reject(s.channel_, tag, requeue);
  flush_later();
}

/// Sets up the subscription; one that cannot even be encoded (a name above 255 bytes, more channels
/// than the broker allows) is refused like one that the broker refuses.
void consumer::establish(subscription& s) {
  try {
    request_everything(s);
  } catch (const std::exception& e) {
    const failure why(errc::invalid_argument,
                      "Cannot consume " + s.sources_.front().to.name + ": " + e.what());
    log()(log_level::error, "[consume] " + why.message());
    if (s.channel_ != 0) machine().close_channel(s.channel_);
    lost(s);
    s.on_refused(why);
  }
}

/// One pipelined batch; the broker answers each request, or closes the channel with its verdict.
void consumer::request_everything(subscription& s) {
  const auto ch = machine().open_channel();
  s.channel_ = ch;
  s.lifetime_ = next_lifetime_++;
  s.missing_ = s.sources_.size();
  s.tags_.clear();
  if (by_channel_.size() <= ch) by_channel_.resize(ch + 1u);
  by_channel_[ch] = &s;
  if (s.prefetch_ != 0) machine().basic_qos(ch, uninteresting, s.prefetch_, false);
  for (const auto& src : s.sources_) {
    const bool default_exchange = src.from.name.empty();
    if (!default_exchange)
      machine().exchange_declare(ch, uninteresting, src.from.name, src.from.type, false,
                                 src.from.durable, src.from.auto_delete, {});
    machine().queue_declare(ch, uninteresting, src.to.name, false, src.to.durable, false,
                            src.to.auto_delete, src.to.arguments);
    if (!default_exchange)
      for (const auto& key : src.binding_keys)
        machine().queue_bind(ch, uninteresting, src.to.name, src.from.name, key);
    s.tags_.push_back(std::to_string(next_tag_++));
    machine().basic_consume(ch, consuming, src.to.name, s.tags_.back(), false, false);
  }
}

void consumer::lost(subscription& s) {
  if (s.channel_ == 0) return;
  if (s.channel_ < by_channel_.size()) by_channel_[s.channel_] = nullptr;
  s.channel_ = 0;
  s.missing_ = 0;
  using clock = std::chrono::steady_clock;
  const auto since = std::exchange(s.ready_since_, clock::time_point::max());
  if (since != clock::time_point::max() && clock::now() - since >= good_after) s.backoff_.reset();
  s.on_lost();
}

void consumer::establish_later(const subscription_ptr& s, std::chrono::milliseconds pause) {
  if (s->retry_pending_) return;
  s->retry_pending_ = true;
  auto timer = std::make_shared<boost::asio::steady_timer>(executor_, pause);
  timer->async_wait([timer, s, weak = weak_from_this()](boost::system::error_code ec) {
    const auto self = std::static_pointer_cast<consumer>(weak.lock());
    s->retry_pending_ = false;
    if (ec || !self || !self->is_open() || s->channel_ != 0) return;
    const auto& all = self->subscriptions_;
    if (std::find(all.begin(), all.end(), s) == all.end()) return;
    self->establish(*s);
    self->flush();
  });
}

void consumer::link_up() {
  for (const auto& s : subscriptions_) establish(*s);
}

void consumer::link_down(const failure& why, bool was_open) {
  const auto all = subscriptions_;
  for (const auto& s : all) {
    lost(*s);
    if (net::is_verdict(why.code()))
      s->on_refused(why);
    else if (!was_open)
      s->on_unreachable(why);
  }
  by_channel_.clear();
  everything_is_gone();
}

subscription_ptr consumer::find(amqp091::channel_id ch) const {
  for (const auto& s : subscriptions_)
    if (s->channel_ == ch) return s;
  return nullptr;
}

void consumer::on_channel_closed(amqp091::channel_id ch, const amqp091::close_reason& why) {
  const auto left =
      std::find_if(leaving_.begin(), leaving_.end(), [ch](const auto& l) { return l.first == ch; });
  if (left != leaving_.end()) {
    const auto gone = std::move(left->second);
    leaving_.erase(left);
    return gone->on_gone();
  }
  const auto s = find(ch);
  if (!s) return;
  const auto reason = explained(net::to_failure(why, broker_name()));
  log()(log_level::error, "[consume] " + s->sources_.front().to.name + ": " + reason.message());
  lost(*s);
  if (net::is_verdict(reason.code())) {
    establish_later(s, refused_pause);
    s->on_refused(reason);
  } else {
    establish_later(s, s->backoff_.next().delay);
  }
}

void consumer::on_request_ok(amqp091::channel_id ch, amqp091::request_id request, std::string_view,
                             std::uint32_t, std::uint32_t) {
  if (request != consuming || ch >= by_channel_.size() || by_channel_[ch] == nullptr) return;
  auto& s = *by_channel_[ch];
  if (s.missing_ == 0 || --s.missing_ != 0) return;
  s.ready_since_ = std::chrono::steady_clock::now();
  s.on_ready();
}

void consumer::on_delivery(const amqp091::delivery& d) {
  if (d.channel < by_channel_.size() && by_channel_[d.channel] != nullptr)
    by_channel_[d.channel]->on_delivery(d);
}

void consumer::on_delivery_refused(const amqp091::delivery& refused, std::string_view why) {
  log()(log_level::error, "[consume] A message for " + std::string(refused.routing_key) +
                              " is dropped: " + std::string(why));
}

/// A queue was deleted or moved under us: everything of that listener is set up again.
void consumer::on_consumer_cancelled(amqp091::channel_id ch, std::string_view) {
  const auto s = find(ch);
  if (!s) return;
  log()(log_level::warning, "[consume] The broker " + broker_name() + " cancelled a consumer of " +
                                s->sources_.front().to.name + "; consuming again.");
  machine().close_channel(ch);
  lost(*s);
  establish_later(s, s->backoff_.next().delay);
}

void consumer::input_done() {
  const auto all = subscriptions_;  // handlers may add and remove
  for (const auto& s : all) s->on_input_done();
  after_input_();
}

}  // namespace oslo::messaging::rabbit
