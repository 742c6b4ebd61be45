#include "drivers/zmq/engine.hpp"

#include <algorithm>
#include <utility>

#include "core/unique_id.hpp"

namespace oslo::messaging::zmq {
namespace {

/// So long a port that closes waits for clients that do not answer its good-bye.
constexpr std::chrono::milliseconds longest_farewell{500};

}  // namespace

engine::engine(context_ptr c)
    : context_(std::move(c)),
      id_(unique_id()),
      matchmaker_(make_matchmaker(context_)),
      client_(std::make_shared<client>(context_, *matchmaker_)) {}

/// The loop may not run any more: whatever is open is closed here.
engine::~engine() {
  client_->close();
  for (const auto& p : ports_) p->close();
  for (const auto& p : leaving_) p->close();
}

void engine::start() {
  matchmaker_->watch([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look_at_health();
  });
}

void engine::send(subscription::service of, target to, outgoing_message m, notification_format f,
                  send_options o, send_completion done) {
  if (!std::exchange(sends_, true)) look_at_health();
  client_->send(of, std::move(to), std::move(m), f, std::move(o), std::move(done));
}

/// The one of the transport, or where clients find servers by topic a new one.
result<std::shared_ptr<server_port>> engine::port_for_listener() {
  if (!matchmaker_->by_topic() && !ports_.empty()) return ports_.front();
  auto port = std::make_shared<server_port>(context_, id_);
  let_in();
  if (const auto bound = port->bind(matchmaker_->places()); !bound) return bound.error();
  port->watch(
      [weak = weak_from_this(), p = port.get()](inbox&) {
        if (const auto self = weak.lock()) self->withdrawn(*p);
      },
      [weak = weak_from_this(), p = port.get()](inbox&) {
        const auto self = weak.lock();
        if (!self || !self->matchmaker_->by_topic() || p->listeners() != 0) return;
        const auto at = std::find_if(self->ports_.begin(), self->ports_.end(),
                                     [p](const auto& each) { return each.get() == p; });
        if (at == self->ports_.end()) return;
        const auto held = *at;
        self->ports_.erase(at);
        self->leave(held, longest_farewell);
      });
  port->start();
  ports_.push_back(port);
  return port;
}

void engine::let_in() {
  if (context_->opts.curve.secret.empty() || gatekeeper_) return;
  gatekeeper_ = std::make_unique<gatekeeper>(context_);
}

std::shared_ptr<inbox> engine::listen(std::vector<subscription> to, std::size_t prefetch) {
  const auto refused = [&](failure why) {
    auto i = std::make_shared<inbox>(context_, std::make_shared<server_port>(context_, id_),
                                     std::move(to), prefetch);
    i->set_verdict(std::move(why));
    return i;
  };
  if (closed_) {
    auto i = refused(failure(errc::closed, "The transport was closed."));
    i->stop();
    return i;
  }
  const auto& curve = context_->opts.curve;
  if (!curve.secret.empty() && curve.clients.empty())
    return refused(failure(errc::invalid_config,
                           "A server with CURVE needs the keys of its clients: option "
                           "cpp_curve_client_keys_file of [oslo_messaging_zmq] is empty."));
  if (!std::exchange(listens_, true)) look_at_health();
  const auto port = port_for_listener();
  if (!port) return refused(port.error());
  for (auto& s : to) s.id = (*port)->new_subscription_id();
  auto i = std::make_shared<inbox>(context_, *port, std::move(to), prefetch);
  (*port)->add(i);
  announce(i);
  return i;
}

void engine::announce(const std::shared_ptr<inbox>& i) {
  std::vector<service_name> names;
  for (const auto& s : i->subscriptions()) names.push_back({s.topic, s.server});
  auto& port = i->port();
  matchmaker_->add(matchmaker_->address_of(port.place(), port.bound()), std::move(names),
                   [weak = std::weak_ptr(i)](result<void> r) {
                     if (const auto there = weak.lock()) there->set_verdict(std::move(r));
                   });
}

/// A listener of that port has stopped: where it was the only one, clients need not come any more.
void engine::withdrawn(server_port& from) {
  if (matchmaker_->by_topic())
    matchmaker_->remove(matchmaker_->address_of(from.place(), from.bound()));
}

transport_health engine::health() const {
  const std::lock_guard lock(mutex_);
  return health_;
}

void engine::look_at_health() {
  transport_health now;
  if (!closed_ && (sends_ || listens_)) now.reason = matchmaker_->trouble();
  const auto used = now.reason.empty() ? link_state::connected : link_state::connecting;
  now.publishing = closed_ ? link_state::closed : sends_ ? used : link_state::idle;
  now.consuming = closed_ ? link_state::closed : listens_ ? used : link_state::idle;
  {
    const std::lock_guard lock(mutex_);
    if (health_ == now) return;
    health_ = now;
  }
  if (on_health_) on_health_(now);
}

void engine::watch_health(unique_function<void(const transport_health&)> changed) {
  on_health_ = std::move(changed);
}

void engine::close(std::chrono::milliseconds limit, unique_function<void()> done) {
  auto after = [c = context_, done = std::move(done)]() mutable {
    if (done) c->loop->post(std::move(done));
  };
  if (std::exchange(closed_, true)) return after();
  const auto all = ports_;
  for (const auto& p : all) {
    matchmaker_->remove(matchmaker_->address_of(p->place(), p->bound()));
    p->stop_listeners();
  }
  client_->close();
  look_at_health();
  on_closed_ = std::move(after);
  for (auto& p : std::exchange(ports_, {})) leave(std::move(p), std::min(limit, longest_farewell));
  look_whether_closed();
}

void engine::leave(std::shared_ptr<server_port> port, std::chrono::milliseconds limit) {
  auto& left = *port;
  leaving_.push_back(std::move(port));
  left.leave(limit, [weak = weak_from_this(), p = &left] {
    const auto self = weak.lock();
    if (!self) return;
    std::erase_if(self->leaving_, [p](const auto& each) { return each.get() == p; });
    self->look_whether_closed();
  });
}

void engine::look_whether_closed() {
  if (!on_closed_ || !leaving_.empty()) return;
  gatekeeper_.reset();
  matchmaker_->close(std::exchange(on_closed_, nullptr));
}

}  // namespace oslo::messaging::zmq
