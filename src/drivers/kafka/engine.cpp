#include "drivers/kafka/engine.hpp"

#include <algorithm>
#include <utility>

#include "drivers/kafka/subscription.hpp"

namespace oslo::messaging::kafka {
namespace {

/// Nobody waits longer for a transport to end, whatever was asked.
constexpr std::chrono::milliseconds longest_close{60'000};

failure closed_failure() {
  return {errc::closed, "The transport was closed."};
}

/// The worse of two: what a transport needs and has not.
link_state worse(link_state a, link_state b) noexcept {
  const auto rank = [](link_state s) {
    switch (s) {
      case link_state::refused: return 4;
      case link_state::connecting: return 3;
      case link_state::blocked: return 2;
      case link_state::connected: return 1;
      case link_state::idle:
      case link_state::closed: return 0;
    }
    return 0;
  };
  return rank(a) >= rank(b) ? a : b;
}

}  // namespace

void engine::start() {
  producer_ = std::make_shared<kafka::producer>(context_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->health_changed();
  });
}

void engine::send(std::string topic, std::string body, std::vector<message_header> headers,
                  send_options o, send_completion done) {
  producer_->send(std::move(topic), std::move(body), std::move(headers), std::move(o),
                  std::move(done));
}

std::shared_ptr<subscription> engine::listen(std::vector<std::string> topics, std::string group,
                                             std::size_t prefetch) {
  const auto made = std::make_shared<subscription>(context_, weak_from_this(), std::move(topics),
                                                   std::move(group), prefetch);
  subscriptions_.push_back(made);
  made->begin();
  health_changed();
  return made;
}

void engine::forget(const subscription& s) {
  std::erase_if(subscriptions_, [&](const auto& each) { return each.get() == &s; });
  health_changed();
}

// ---- health -------------------------------------------------------------------------------------

transport_health engine::look_at_health() {
  if (context_->closed) return {link_state::closed, link_state::closed, {}, {}};
  transport_health h;
  const auto add = [&h](link_state& to, const client_state& s) {
    to = worse(s.state(), to);
    if (!s.broker().empty()) h.broker = s.broker();
    if (s.state() != link_state::connected && !s.reason().empty()) h.reason = s.reason();
  };
  if (producer_->is_used()) add(h.publishing, producer_->state());
  for (const auto& s : subscriptions_) add(h.consuming, s->state());
  return h;
}

void engine::health_changed() {
  auto h = look_at_health();
  {
    const std::lock_guard lock(mutex_);
    if (h == now_) return;
    now_ = h;
  }
  if (changed_) changed_(h);
}

transport_health engine::health() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

void engine::watch_health(unique_function<void(const transport_health&)> changed) {
  changed_ = std::move(changed);
}

// ---- end ----------------------------------------------------------------------------------------

void engine::close(std::chrono::milliseconds limit, unique_function<void()> done) {
  auto& loop = *context_->loop;
  if (gone_) return loop.post(std::move(done));
  closers_.push_back(std::move(done));
  if (context_->closed.exchange(true)) return;
  limit = std::clamp(limit, std::chrono::milliseconds(0), longest_close);
  const auto self = shared_from_this();
  const auto all = subscriptions_;
  closing_ = all.size() + 2;  // the producer, and this call itself
  close_timer_ = loop.run_at(loop.now() + limit, [self] { self->finish_close(); });
  const auto one_less = [self] {
    // In a turn of its own: this may be inside an event of a client that ends then.
    if (--self->closing_ == 0) self->context_->loop->post([self] { self->finish_close(); });
  };
  producer_->drain(one_less);
  for (const auto& s : all) s->shut(one_less);
  health_changed();
  one_less();
}

void engine::finish_close() {
  if (std::exchange(gone_, true)) return;
  context_->loop->cancel(close_timer_);
  for (const auto& s : std::exchange(subscriptions_, {})) s->end();
  producer_->close(closed_failure());
  for (auto& done : std::exchange(closers_, {}))
    if (done) context_->loop->post(std::move(done));
}

}  // namespace oslo::messaging::kafka
